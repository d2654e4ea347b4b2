//! The URLs of an answer: base URLs of instances, and the endpoints below them.

use barrage_http::endpoint;
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use barrage_protocol::entry::{Endpoint, Transport};
use http::{HeaderMap, header};

/// Maximum bytes of a `Host` header that is put into URLs.
const HOST_BYTES_MAX: usize = 255;

/// How gateways and uplinks without a base URL are reached: on the host that the client asked.
#[derive(Debug, Clone)]
pub struct LocalEndpoints {
    /// Whether the public listeners serve TLS, so that URLs begin with `https`.
    pub is_tls: bool,
    /// Ports of the public listeners, in order.
    pub ports: Vec<u16>,
    /// Media of this process.
    pub media: LocalMedia,
}

/// Media of the process of an entry.
#[derive(Debug, Clone, Default)]
pub struct LocalMedia {
    /// Base URL of `media.base_url`.
    pub base_url: Option<String>,
    /// Ports of the listeners of media; none where the process has no media.
    pub ports: Vec<u16>,
}

/// Returns the base URLs of the media of this process for a client that asked `host`.
pub(crate) fn media_urls(host: &str, local: &LocalEndpoints) -> Vec<String> {
    if local.media.ports.is_empty() {
        return Vec::new();
    }
    if let Some(url) = &local.media.base_url {
        return vec![url.trim_end_matches('/').to_owned()];
    }
    let (scheme, name) = (if local.is_tls { "https" } else { "http" }, host_name(host));
    local.media.ports.iter().map(|port| format!("{scheme}://{name}:{port}")).collect()
}

/// Returns the base URLs of an instance: its own, or `host` with each of the local ports.
pub(crate) fn base_urls(own: &[String], host: &str, local: &LocalEndpoints) -> Vec<String> {
    if !own.is_empty() {
        return own.to_vec();
    }
    // The address that the client used works, so it is the first.
    let scheme = if local.is_tls { "https" } else { "http" };
    let mut urls = vec![format!("{scheme}://{host}")];
    let name = host_name(host);
    for port in &local.ports {
        let url = format!("{scheme}://{name}:{port}");
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// Returns the endpoints of gateways by id and base URLs: WebSockets first, then the HTTP
/// fallbacks. The first URL of every gateway comes before any second one.
pub(crate) fn downlinks(gateways: &[(&str, Vec<String>)], room: &str) -> Vec<Endpoint> {
    let urls_max = gateways.iter().map(|(_, urls)| urls.len()).max().unwrap_or(0);
    let mut endpoints = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Poll] {
        for index in 0..urls_max {
            for (gateway, base) in gateways.iter().filter_map(|(id, urls)| Some((id, urls.get(index)?))) {
                endpoints.push(endpoint(gateway, base, transport, room));
            }
        }
    }
    endpoints
}

/// Returns the host without its port. An IPv6 address keeps its brackets.
fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => host.get(..colon).unwrap_or(host),
        _ => host,
    }
}

/// Returns the `Host` header of a request.
///
/// # Errors
/// When the header is missing or cannot stand in a URL.
pub(crate) fn request_host(headers: &HeaderMap) -> Result<&str, Refusal> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(allowed) {
        return Err(Refusal::new(Code::BadRequest, "the Host header is missing or not a host"));
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_without_base_url_is_on_the_asked_host() {
        let local = |is_tls| LocalEndpoints { is_tls, ports: vec![8080, 9090], media: LocalMedia::default() };
        assert_eq!(base_urls(&[], "h:8080", &local(false)), ["http://h:8080", "http://h:9090"]);
        assert_eq!(base_urls(&[], "h", &local(true)), ["https://h", "https://h:8080", "https://h:9090"]);
        assert_eq!(base_urls(&["https://cdn".to_owned()], "h", &local(false)), ["https://cdn"]);
    }

    #[test]
    fn media_of_this_process_are_on_their_own_ports_of_the_asked_host() {
        let local = |base_url: Option<&str>, ports: &[u16]| LocalEndpoints {
            is_tls: true,
            ports: vec![8080],
            media: LocalMedia { base_url: base_url.map(str::to_owned), ports: ports.to_vec() },
        };
        assert_eq!(media_urls("h:8080", &local(None, &[8082, 8083])), ["https://h:8082", "https://h:8083"]);
        assert_eq!(media_urls("[::1]:8080", &local(None, &[8082])), ["https://[::1]:8082"]);
        assert_eq!(media_urls("h", &local(Some("https://m.example/"), &[8082])), ["https://m.example"]);
        assert!(media_urls("h", &local(Some("https://m.example"), &[])).is_empty());
    }

    #[test]
    fn websockets_come_first_and_ports_take_turns() {
        let urls = |list: &[&str]| list.iter().map(|u| (*u).to_owned()).collect::<Vec<_>>();
        let gateways = [("a", urls(&["http://a:1", "http://a:2"])), ("b", urls(&["https://b"]))];
        let listed: Vec<_> = downlinks(&gateways, "demo").into_iter().map(|e| e.url).collect();
        assert_eq!(
            listed[..4],
            [
                "ws://a:1/v1/rooms/demo/ws",
                "wss://b/v1/rooms/demo/ws",
                "ws://a:2/v1/rooms/demo/ws",
                "http://a:1/v1/rooms/demo/sse"
            ]
        );
        assert_eq!(listed.len(), 9);
        assert_eq!(
            (host_name("[::1]:80"), host_name("h:1"), host_name("[::1]"), host_name("h")),
            ("[::1]", "h", "[::1]", "h")
        );
    }
}
