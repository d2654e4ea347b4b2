//! Heads of WebSocket handshakes: parsed from the first bytes of a connection, checked by RFC 6455,
//! and answered without an HTTP server.

use axum::extract::Query;
use barrage_http::ApiError;
use barrage_protocol::Code;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use schemars::JsonSchema;
use serde::Deserialize;

/// Header fields of a handshake on the fast path at most; browsers send some 15.
const FIELDS_MAX: usize = 48;

/// Fields of a handshake that are looked at. A browser sends some ten more, which are not kept.
static FIELDS: [HeaderName; 10] = [
    header::HOST,
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::ORIGIN,
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// Query of a handshake: the position to resume after, and the ticket.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WsQuery {
    /// Position after which the viewer resumes.
    pub(super) after: Option<u64>,
    /// Ticket of the join queue, from entry's answer.
    pub(super) ticket: Option<String>,
    /// Facts of the client as JSON, for handshakes with a token, which no `join` frame follows.
    pub(super) client: Option<String>,
}

/// Head of a handshake on the fast path.
pub(super) struct RequestHead {
    pub(super) headers: HeaderMap,
    pub(super) room: String,
    pub(super) query: WsQuery,
}

impl RequestHead {
    /// Parses a complete and plain handshake; returns it with the bytes that it takes. `None` leaves
    /// the connection to HTTP.
    pub(super) fn parse(bytes: &[u8]) -> Option<(RequestHead, usize)> {
        if !bytes.starts_with(b"GET /v1/rooms/") {
            return None;
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut fields);
        let httparse::Status::Complete(used) = parsed.parse(bytes).ok()? else { return None };
        let uri: Uri = parsed.path?.parse().ok()?;
        let room = uri.path().strip_prefix("/v1/rooms/")?.strip_suffix("/ws")?.to_owned();
        if room.contains(['/', '%']) || parsed.version != Some(1) {
            return None;
        }
        let Query(query) = Query::try_from_uri(&uri).ok()?;
        let mut headers = HeaderMap::with_capacity(FIELDS.len());
        for field in parsed.headers {
            if let Some(name) = FIELDS.iter().find(|name| name.as_str().eq_ignore_ascii_case(field.name)) {
                headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
            }
        }
        let is_handshake = check_handshake(&Method::GET, Version::HTTP_11, &headers).is_ok();
        let has_one_host = only(&headers, header::HOST).is_some();
        let has_body =
            headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
        (is_handshake && has_one_host && !has_body).then_some((RequestHead { headers, room, query }, used))
    }
}

/// Parses a head for the fuzz targets; returns the room and the bytes that the head takes.
#[doc(hidden)]
#[must_use]
pub fn parse_request_head(bytes: &[u8]) -> Option<(String, usize)> {
    RequestHead::parse(bytes).map(|(head, used)| (head.room, used))
}

/// Refuses requests that RFC 6455, section 4.2.1, does not call a handshake. A 101 answer to such a
/// request would open a tunnel through a proxy that did not take the request for an upgrade.
pub(super) fn check_handshake(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let upgrade = |message: &str| Err(ApiError::new(Code::UpgradeRequired, message));
    let bad = |message: &str| Err(ApiError::new(Code::BadRequest, message));
    if version != Version::HTTP_11 {
        return upgrade("a WebSocket handshake is HTTP/1.1");
    }
    if !names(headers, header::UPGRADE, "websocket") || !names(headers, header::CONNECTION, "upgrade") {
        return upgrade("expected a WebSocket handshake: Upgrade or Connection is missing");
    }
    if method != Method::GET {
        return bad("a WebSocket handshake is a GET");
    }
    if only(headers, header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return upgrade("Sec-WebSocket-Version must be 13");
    }
    if !only(headers, header::SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        return bad("Sec-WebSocket-Key must be the base64 of 16 bytes");
    }
    Ok(())
}

/// Whether a value of the field lists the word.
fn names(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(word))
}

/// Returns the value of a field that occurs once; `None` for none and for several.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).into_iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    Some(value.as_bytes())
}

/// Whether the text is the base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    let [digits @ .., b'=', b'='] = key else { return false };
    // The last digit carries two bits.
    let ends = digits.last().is_some_and(|last| b"AQgw".contains(last));
    digits.len() == 22 && ends && digits.iter().all(|c| c.is_ascii_alphanumeric() || b"+/".contains(c))
}

/// Writes the 101 answer as it goes over the wire. `subprotocol` is the one that the gateway chose.
pub(super) fn switching_protocols(headers: &HeaderMap, subprotocol: Option<&str>) -> Bytes {
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    let mut field = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            answer.extend_from_slice(part);
        }
    };
    for (name, value) in headers {
        field(name.as_str(), value.as_bytes());
    }
    if let Some(subprotocol) = subprotocol {
        field(header::SEC_WEBSOCKET_PROTOCOL.as_str(), subprotocol.as_bytes());
    }
    answer.extend_from_slice(b"\r\n");
    answer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields that a browser sends beside those of a handshake.
    const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\r\nAccept: */*\r\n\
        Accept-Encoding: gzip, deflate, br, zstd\r\nSec-Fetch-Mode: websocket\r\nCookie: a=b\r\n";
    const PLAIN: &str = "GET /v1/rooms/demo/ws?after=7 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    #[test]
    fn a_plain_handshake_is_parsed_and_answered() {
        let bytes = format!("{PLAIN}behind");
        let (head, used) = RequestHead::parse(bytes.as_bytes()).unwrap();
        assert_eq!((head.room.as_str(), head.query.after, used), ("demo", Some(7), PLAIN.len()));
        let answer = barrage_ws::handshake::answer_headers(head.headers).unwrap();
        let answer = switching_protocols(&answer, Some("barrage.v1.json"));
        let answer = std::str::from_utf8(&answer).unwrap();
        // The example of RFC 6455.
        assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
        assert!(answer.ends_with("sec-websocket-protocol: barrage.v1.json\r\n\r\n"), "{answer}");
    }

    #[test]
    fn fields_that_nobody_looks_at_are_not_kept() {
        let bytes = PLAIN.replacen("Host: h\r\n", &format!("{BROWSER}HOST: h\r\nOrigin: http://h\r\n"), 1);
        let (head, _) = RequestHead::parse(bytes.as_bytes()).unwrap();
        let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let kept = ["connection", "host", "origin", "sec-websocket-key", "sec-websocket-version", "upgrade"];
        assert_eq!(names, kept);
    }

    #[test]
    fn other_requests_are_left_to_http() {
        for end in 0..PLAIN.len() {
            assert!(RequestHead::parse(&PLAIN.as_bytes()[..end]).is_none(), "{end}");
        }
        for (from, to) in [
            ("GET", "POST"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("/demo/ws", "/demo/sse"),
            ("/demo/ws", "/a/b/ws"),
            ("/demo/ws", "/d%20o/ws"),
            ("after=7", "after=x"),
            ("Upgrade: WebSocket", "Upgrade: h2c"),
            ("keep-alive, Upgrade", "keep-alive"),
            ("Host: h", "Content-Length: 4"),
            ("Host: h", "Transfer-Encoding: chunked"),
            ("Host: h", "Ho st: h"),
            ("Host: h", "Hos: h"),
            ("Host: h", "Host: h\r\nHost: h"),
            ("Version: 13", "Version: 8"),
            ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "abc"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR=="),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q=="),
        ] {
            assert!(RequestHead::parse(PLAIN.replacen(from, to, 1).as_bytes()).is_none(), "{from} {to}");
        }
    }

    #[test]
    fn requests_that_are_no_handshake_get_426_or_400() {
        let whole = [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let check = |method: Method, version, change: Option<(&str, &str)>| {
            let mut headers = HeaderMap::new();
            for (name, value) in whole {
                let value = change.filter(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
                headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            check_handshake(&method, version, &headers).map_err(|error| error.0.code.status())
        };
        assert_eq!(check(Method::GET, Version::HTTP_11, None), Ok(()));
        assert_eq!(check(Method::HEAD, Version::HTTP_11, None), Err(400));
        assert_eq!(check(Method::GET, Version::HTTP_10, None), Err(426));
        for (name, value, status) in [
            ("upgrade", "h2c", 426),
            ("connection", "keep-alive", 426),
            ("sec-websocket-version", "8", 426),
            ("sec-websocket-key", "YWJj", 400),
            ("sec-websocket-key", "", 400),
        ] {
            assert_eq!(
                check(Method::GET, Version::HTTP_11, Some((name, value))),
                Err(status),
                "{name}: {value}"
            );
        }
    }
}
