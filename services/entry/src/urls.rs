//! The URLs of an answer.

use barrage_http::ApiError;
use barrage_protocol::Code;
use barrage_protocol::entry::{Endpoint, Transport};
use http::{HeaderMap, header};

/// Longest `Host` that is put into URLs.
const HOST_BYTES_MAX: usize = 255;

/// Where gateways without a base URL listen, on the host that entry was asked on.
#[derive(Debug, Clone)]
pub struct Here {
    /// Whether they speak TLS.
    pub is_tls: bool,
    /// On which ports.
    pub ports: Vec<u16>,
}

/// Base URLs of an instance: those that it names, or this host with each of the ports.
pub(crate) fn bases(named: &[String], host: &str, here: &Here) -> Vec<String> {
    if !named.is_empty() {
        return named.to_vec();
    }
    // The address that the client used works; the others are tried after it.
    let scheme = if here.is_tls { "https" } else { "http" };
    let mut bases = vec![format!("{scheme}://{host}")];
    let name = host_name(host);
    for port in &here.ports {
        let base = format!("{scheme}://{name}:{port}");
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    bases
}

/// WebSockets first, every gateway's first port before any second one; then the
/// fallbacks in the same order.
pub(crate) fn downlinks(bases: &[(&str, Vec<String>)], room: &str) -> Vec<Endpoint> {
    let ports = bases.iter().map(|(_, urls)| urls.len()).max().unwrap_or(0);
    let mut endpoints = Vec::new();
    for (transport, resource) in [(Transport::Ws, "ws"), (Transport::Sse, "sse"), (Transport::Poll, "poll")] {
        for port in 0..ports {
            for (gateway, base) in bases.iter().filter_map(|(id, urls)| Some((id, urls.get(port)?))) {
                let base = match (transport, base.strip_prefix("http")) {
                    (Transport::Ws, Some(rest)) => format!("ws{rest}"),
                    _ => base.clone(),
                };
                let url = format!("{base}/v1/rooms/{room}/{resource}");
                endpoints.push(Endpoint { transport, url, gateway: (*gateway).to_owned() });
            }
        }
    }
    endpoints
}

/// A host without its port; an IPv6 address keeps its brackets.
fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => host.get(..colon).unwrap_or(host),
        _ => host,
    }
}

/// The `Host` header, if it can stand in a URL.
pub(crate) fn host(headers: &HeaderMap) -> Result<&str, ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(allowed) {
        return Err(ApiError::new(Code::BadRequest, "the Host header is missing or not a host"));
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_no_url_is_on_this_host() {
        let here = |is_tls| Here { is_tls, ports: vec![8080, 9090] };
        assert_eq!(bases(&[], "h:8080", &here(false)), ["http://h:8080", "http://h:9090"]);
        assert_eq!(bases(&[], "h", &here(true)), ["https://h", "https://h:8080", "https://h:9090"]);
        assert_eq!(bases(&["https://cdn".to_owned()], "h", &here(false)), ["https://cdn"]);
    }

    #[test]
    fn websockets_come_first_and_ports_take_turns() {
        let urls = |list: &[&str]| list.iter().map(|u| (*u).to_owned()).collect::<Vec<_>>();
        let bases = [("a", urls(&["http://a:1", "http://a:2"])), ("b", urls(&["https://b"]))];
        let listed: Vec<_> = downlinks(&bases, "demo").into_iter().map(|e| e.url).collect();
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
