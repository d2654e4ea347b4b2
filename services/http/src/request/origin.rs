//! Origins: which pages may use this server from a browser, and which host names it has.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::Code;
use http::{HeaderMap, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::answer::error::ApiError;

/// Time for which a browser may cache a preflight's answer.
const PREFLIGHT: Duration = Duration::from_secs(600);

/// Origins that are allowed besides the server's own, and the host names of the server.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins(Arc<Rules>);

#[derive(Debug, Clone, Default)]
struct Rules {
    origins: Vec<String>,
    /// Host names of the server; `None` accepts every host.
    hosts: Option<Vec<String>>,
}

impl AllowedOrigins {
    /// Allows `origins`; `*` allows all. Every host name is accepted.
    #[must_use]
    pub fn new(origins: &[String]) -> Self {
        AllowedOrigins(Arc::new(Rules { origins: origins.to_vec(), hosts: None }))
    }

    /// Sets the host names of the server. With none configured, a server that is reached over
    /// loopback alone (`is_local`) accepts `localhost` only, and any other server accepts all.
    #[must_use]
    pub fn with_hosts(self, hosts: &[String], is_local: bool) -> Self {
        let origins = self.0.origins.clone();
        let of_origins = origins
            .iter()
            .filter_map(|origin| origin.split_once("://"))
            .map(|(_, rest)| name(rest).to_owned());
        let hosts =
            (is_local || !hosts.is_empty()).then(|| hosts.iter().cloned().chain(of_origins).collect());
        AllowedOrigins(Arc::new(Rules { origins, hosts }))
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.0.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
    }

    /// Refuses a request for a host name that is not the server's (DNS rebinding): any site can
    /// point its own name at this server's address, and a browser then treats the server as that
    /// site. An IP address is accepted, because no site can own it.
    pub fn check_host(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(hosts) = &self.0.hosts else { return Ok(()) };
        let Some(host) = headers.get(header::HOST) else { return Ok(()) };
        let host = name(host.to_str().unwrap_or_default());
        let is_address = host.parse::<IpAddr>().is_ok();
        let is_local = host.eq_ignore_ascii_case("localhost")
            || host.len() > 10 && host.as_bytes()[host.len() - 10..].eq_ignore_ascii_case(b".localhost");
        if is_address || is_local || hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return Ok(());
        }
        let message = "this server is not known by the name in the Host header; name it in http.hosts";
        Err(ApiError::new(Code::Forbidden, message))
    }

    /// Refuses a request that a page of another site sends, for WebSocket handshakes and forms, for
    /// which browsers send no preflight. Clients that are not browsers send no `Origin`.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        self.check_host(headers)?;
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
        let is_own = authority.is_some_and(|authority| authority.as_bytes() == host);
        if is_own || self.allows(origin) {
            return Ok(());
        }
        Err(ApiError::new(Code::Forbidden, "pages of this origin may not connect; see http.allowed_origins"))
    }

    /// Adds the header fields that the layer adds to the answer of a request that is no preflight.
    pub(crate) fn let_read(&self, origin: Option<HeaderValue>, answer: &mut HeaderMap) {
        answer.append(header::VARY, HeaderValue::from_static(VARY));
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }

    /// Returns the layer that answers preflights and lets allowed origins read answers. Tokens
    /// travel in a header that a page sets itself, never in a cookie, so a page of another site
    /// cannot use a viewer's token.
    pub fn layer(&self) -> CorsLayer {
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        self.layer_with(&methods, &["last-event-id", "traceparent"], &[])
    }

    /// Returns the layer with these methods, and with further fields of requests and answers.
    pub fn layer_with(
        &self,
        methods: &[Method],
        of_requests: &[&'static str],
        of_answers: &[&'static str],
    ) -> CorsLayer {
        let allowed = self.clone();
        let names = |known: &[header::HeaderName], more: &[&'static str]| -> Vec<header::HeaderName> {
            known
                .iter()
                .cloned()
                .chain(more.iter().map(|name| header::HeaderName::from_static(name)))
                .collect()
        };
        let exposed = names(&[header::RETRY_AFTER], &["x-request-id", "traceresponse"]);
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, _| allowed.allows(origin)))
            .allow_methods(methods.to_vec())
            .allow_headers(names(&[header::AUTHORIZATION, header::CONTENT_TYPE], of_requests))
            .expose_headers(names(&exposed, of_answers))
            .max_age(PREFLIGHT)
    }
}

/// Values of the header fields that every answer of the layer has.
const VARY: &str = "origin";
const EXPOSED: &str = "retry-after,x-request-id,traceresponse";

/// Returns the host without its port and brackets.
fn name(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn local_server_refuses_foreign_host_names() {
        let local = AllowedOrigins::new(&[]).with_hosts(&[], true);
        for host in
            ["localhost:8080", "LOCALHOST", "a.localhost", "127.0.0.1:8080", "[::1]:8080", "192.0.2.1"]
        {
            assert!(local.check_host(&headers(host, None)).is_ok(), "{host}");
        }
        for host in
            ["evil.example:8080", "notlocalhost", "localhost.evil.example", "", "127.0.0.1.evil.example"]
        {
            let origin = format!("http://{host}");
            assert!(local.check(&headers(host, Some(&origin))).is_err(), "{host}");
            assert!(local.check_host(&headers(host, None)).is_err(), "{host}");
        }
    }

    /// The direct route and the router give the same header fields to pages of any origin.
    #[tokio::test]
    async fn answers_past_the_layer_have_the_fields_of_the_layer() {
        use axum::Router;
        use axum::body::Body;
        use tower_service::Service;

        let origins = AllowedOrigins::new(&["https://page.example".into()]);
        let mut router = Router::new().fallback(|| async { "x" }).layer(origins.layer());
        for origin in [None, Some("https://page.example"), Some("https://evil.example")] {
            let mut request = http::Request::builder().method("POST").uri("/");
            if let Some(origin) = origin {
                request = request.header(header::ORIGIN, origin);
            }
            let answer = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
            let mut past = HeaderMap::new();
            origins.let_read(origin.map(|origin| origin.parse().unwrap()), &mut past);
            let of_layer = |name: &&str| name.starts_with("access-control") || *name == "vary";
            let fields = |headers: &HeaderMap| {
                let mut fields: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
                fields.retain(of_layer);
                fields.sort_unstable();
                fields.iter().map(|name| format!("{name}: {:?}", headers[*name])).collect::<Vec<_>>()
            };
            assert_eq!(fields(&past), fields(answer.headers()), "{origin:?}");
        }
    }

    #[test]
    fn server_accepts_every_host_unless_local_or_named() {
        let open = AllowedOrigins::new(&[]).with_hosts(&[], false);
        assert!(open.check_host(&headers("live.example", None)).is_ok());
        let named = AllowedOrigins::new(&["https://page.example:8443".into()])
            .with_hosts(&["live.example".into()], false);
        for (host, is_ok) in [("live.example:443", true), ("page.example", true), ("evil.example", false)] {
            assert_eq!(named.check_host(&headers(host, None)).is_ok(), is_ok, "{host}");
        }
    }
}
