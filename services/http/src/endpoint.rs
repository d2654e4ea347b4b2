//! The URLs of a room, and of the inbox, on a gateway.

use barrage_protocol::entry::{Endpoint, Transport};

/// Makes the endpoint of a room on a gateway that is reached by the base URL `base`.
#[must_use]
pub fn endpoint(gateway: &str, base: &str, transport: Transport, room: &str) -> Endpoint {
    of(gateway, base, transport, &format!("/v1/rooms/{room}"))
}

/// Makes the endpoint of the inbox on a gateway that is reached by the base URL `base`. No server polls it.
#[must_use]
pub fn inbox_endpoint(gateway: &str, base: &str, transport: Transport) -> Endpoint {
    of(gateway, base, transport, "/v1/inbox")
}

fn of(gateway: &str, base: &str, transport: Transport, path: &str) -> Endpoint {
    let resource = match transport {
        Transport::Ws => "ws",
        Transport::Sse => "sse",
        Transport::Poll => "poll",
    };
    // http becomes ws, and https becomes wss.
    let (scheme, rest) = match (transport, base.strip_prefix("http")) {
        (Transport::Ws, Some(rest)) => ("ws", rest),
        _ => ("", base),
    };
    let url = format!("{scheme}{rest}{path}/{resource}");
    Endpoint { transport, url, gateway: gateway.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn websocket_endpoints_have_a_websocket_scheme() {
        let url = |base, transport| endpoint("g1", base, transport, "demo").url;
        assert_eq!(url("http://a:1", Transport::Ws), "ws://a:1/v1/rooms/demo/ws");
        assert_eq!(url("https://a", Transport::Ws), "wss://a/v1/rooms/demo/ws");
        assert_eq!(url("https://a", Transport::Sse), "https://a/v1/rooms/demo/sse");
        assert_eq!(url("http://a", Transport::Poll), "http://a/v1/rooms/demo/poll");
    }
}
