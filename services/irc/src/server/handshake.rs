//! The WebSocket handshake of a connection that begins with `GET`. Pure.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Subprotocols in the order of preference: that of Twitch's clients, and that of IRCv3.
const SUBPROTOCOLS: [&str; 2] = ["irc", "text.ircv3.net"];
/// Header fields that a request may have.
const FIELDS_MAX: usize = 64;

/// Answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// The connection is a WebSocket behind this answer.
    Accepted(String),
    /// The connection ends behind this answer.
    Refused(&'static str),
}

const BAD_REQUEST: &str = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const UPGRADE_REQUIRED: &str = "HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nUpgrade: websocket\r\n\
                                Content-Type: text/plain\r\nContent-Length: 37\r\n\r\n\
                                This is IRC, over TCP or a WebSocket.";

/// Answers a whole request head. Any path is accepted: clients have a fixed one.
pub(super) fn answer(head: &[u8]) -> Handshake {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
        return Handshake::Refused(BAD_REQUEST);
    }
    let mut headers = HeaderMap::new();
    for field in request.headers.iter() {
        let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(field.name.as_bytes()), HeaderValue::from_bytes(field.value))
        else {
            return Handshake::Refused(BAD_REQUEST);
        };
        headers.append(name, value);
    }
    if !has_word(&headers, header::UPGRADE, "websocket") || !has_word(&headers, header::CONNECTION, "upgrade")
    {
        return Handshake::Refused(UPGRADE_REQUIRED);
    }
    let subprotocol =
        SUBPROTOCOLS.iter().find(|name| has_word(&headers, header::SEC_WEBSOCKET_PROTOCOL, name));
    let Ok(mut answer) = barrage_ws::handshake::answer_headers(headers) else {
        return Handshake::Refused(UPGRADE_REQUIRED);
    };
    if let Some(subprotocol) = subprotocol {
        answer.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    }
    let mut text = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in &answer {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    text.push_str("\r\n");
    Handshake::Accepted(text)
}

fn has_word(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBSOCKET: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[test]
    fn subprotocol_is_echoed_when_it_is_known() {
        for (offer, echo) in [
            ("Sec-WebSocket-Protocol: irc\r\n", Some("irc")),
            ("Sec-WebSocket-Protocol: binary.ircv3.net, text.ircv3.net\r\n", Some("text.ircv3.net")),
            ("Sec-WebSocket-Protocol: chat\r\n", None),
            ("", None),
        ] {
            let Handshake::Accepted(answer) = answer(format!("{WEBSOCKET}{offer}\r\n").as_bytes()) else {
                panic!("{offer:?}")
            };
            let line = answer.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
            assert_eq!(line, echo);
            assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        }
    }

    #[test]
    fn other_requests_are_refused() {
        assert_eq!(answer(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Handshake::Refused(UPGRADE_REQUIRED));
        assert_eq!(answer(b"GET \0\r\n\r\n"), Handshake::Refused(BAD_REQUEST));
        let body = UPGRADE_REQUIRED.split("\r\n\r\n").nth(1).unwrap();
        assert!(UPGRADE_REQUIRED.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
