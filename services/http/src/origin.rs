//! Pages of other hosts: who may use this server from a browser.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::Code;
use http::{HeaderMap, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::ApiError;

/// How long a browser may remember a preflight's answer.
const PREFLIGHT: Duration = Duration::from_secs(600);

/// Origins that are allowed besides the server's own.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins(Arc<[String]>);

impl AllowedOrigins {
    /// From configuration; `*` allows all.
    #[must_use]
    pub fn new(origins: &[String]) -> Self {
        AllowedOrigins(origins.into())
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
    }

    /// Refuses a WebSocket handshake of another site's page. (Browsers send no
    /// preflight for those.) Callers that are not browsers send no `Origin`.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
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

    /// Answers preflights and lets allowed origins read answers. Tokens travel in a
    /// header that a page must set itself, never in a cookie: nothing is sent that
    /// the page does not have.
    pub fn layer(&self) -> CorsLayer {
        let allowed = self.clone();
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, _| allowed.allows(origin)))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::HeaderName::from_static("last-event-id"),
            ])
            .expose_headers([header::RETRY_AFTER])
            .max_age(PREFLIGHT)
    }
}
