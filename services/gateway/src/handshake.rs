//! The WebSocket handshake. Most are taken over from the accept loop: one read, one look
//! at the head, and the shard answers together with the hello. What is not a whole and
//! plain handshake at the first look goes the way of all HTTP.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, Request as HttpRequest, State};
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, Arrived, Greeted, Greeter, GuardedStream, Transport, bearer};
use barrage_protocol::frame::{SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON, SUBPROTOCOL_TOKEN_PREFIX};
use barrage_protocol::{Code, Sequence};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;

use crate::batch::Encoding;
use crate::gateway::{Admission, Shared};
use crate::join::{Arrival, Request};
use crate::routes::{Routes, room};
use crate::shard::Command;
use crate::socket::Bare;

/// Header fields of a handshake that is taken at the first look; browsers send some 15.
const FIELDS_MAX: usize = 48;

#[derive(Debug, Deserialize)]
pub(crate) struct WsQuery {
    after: Option<u64>,
    ticket: Option<String>,
}

/// A handshake that nothing speaks against but the number of those who want in.
struct Asked {
    request: Request,
    ticket: Option<String>,
    /// The subprotocol of the answer.
    echo: Option<&'static str>,
}

/// What can be known before anything is allocated: a refusal is an HTTP answer then.
fn check(shared: &Shared, room_text: &str, query: WsQuery, headers: &HeaderMap) -> Result<Asked, ApiError> {
    let room = room(room_text)?;
    shared.access.origins.check(headers)?;
    let protocols = offered(headers);
    let encoding = match protocols.iter().find(|p| [SUBPROTOCOL_JSON, SUBPROTOCOL_DEFLATE].contains(p)) {
        Some(&SUBPROTOCOL_DEFLATE) => Encoding::Deflate { effort: shared.config.deflate_effort },
        _ => Encoding::Json,
    };
    let echo = match encoding {
        Encoding::Deflate { .. } => Some(SUBPROTOCOL_DEFLATE),
        Encoding::Json => protocols.contains(&SUBPROTOCOL_JSON).then_some(SUBPROTOCOL_JSON),
    };
    let by_protocol = protocols.iter().find_map(|p| p.strip_prefix(SUBPROTOCOL_TOKEN_PREFIX));
    let identity = match by_protocol.or_else(|| bearer(headers)) {
        Some(token) => shared.check(&room, Some(token))?,
        None => {
            shared.check_room(&room, None)?;
            None
        }
    };
    let request = Request { room, identity, after: query.after.map(Sequence), encoding };
    Ok(Asked { request, ticket: query.ticket, echo })
}

fn offered(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect()
}

/// Whether any value of the field has the word in its list.
fn names(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(word))
}

/// The one value of a field; `None` for none and for several.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).into_iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    Some(value.as_bytes())
}

/// Whether it is the base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    let [digits @ .., b'=', b'='] = key else { return false };
    // The last digit carries two bits alone.
    let ends = digits.last().is_some_and(|last| b"AQgw".contains(last));
    digits.len() == 22 && ends && digits.iter().all(|c| c.is_ascii_alphanumeric() || b"+/".contains(c))
}

/// Refuses what RFC 6455, 4.2.1, does not call a handshake. A 101 to anything else would open
/// a tunnel through a proxy that did not take the request for an upgrade.
fn check_handshake(method: &Method, version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
    let upgrade = |why: &str| Err(ApiError::new(Code::UpgradeRequired, why));
    let bad = |why: &str| Err(ApiError::new(Code::BadRequest, why));
    if version != Version::HTTP_11 {
        return upgrade("a WebSocket handshake is HTTP/1.1");
    }
    if !names(headers, header::UPGRADE, "websocket") || !names(headers, header::CONNECTION, "upgrade") {
        return upgrade("this resource takes WebSocket handshakes alone: Upgrade and Connection are missing");
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

/// The check before this one takes what it refuses.
fn not_a_handshake() -> ApiError {
    ApiError::new(Code::BadRequest, "this resource takes WebSocket handshakes (version 13) alone")
}

/// The way of all HTTP.
pub(crate) async fn handle(
    State(routes): State<Arc<Routes>>,
    Path(room_text): Path<String>,
    Query(query): Query<WsQuery>,
    mut http: HttpRequest,
) -> Result<Response, ApiError> {
    let shared = &routes.shared;
    check_handshake(http.method(), http.version(), http.headers())?;
    let Asked { request, ticket, echo } = check(shared, &room_text, query, http.headers())?;
    let (answer, upgraded) = fastwebsockets::upgrade::upgrade(&mut http).map_err(|_| not_a_handshake())?;
    let pass = shared.pass(&request.room, ticket.as_deref())?;
    let (admission, wait) = shared.admit_join(&pass)?;
    tokio::time::sleep(wait).await;
    let mut response = answer.into_response();
    if let Some(echo) = echo {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(echo));
    }
    tokio::spawn(hand_over(Arc::clone(shared), upgraded, request, admission));
    Ok(response)
}

/// Takes the bare socket out of hyper and gives it to a shard.
async fn hand_over(
    shared: Arc<Shared>,
    upgraded: fastwebsockets::upgrade::UpgradeFut,
    request: Request,
    admission: Admission,
) {
    let Ok(websocket) = upgraded.await else { return };
    let upgraded = websocket.into_inner().into_inner();
    let Ok(parts) = upgraded.downcast::<TokioIo<GuardedStream>>() else {
        tracing::error!("an upgraded connection is not one of our listeners'");
        return;
    };
    let (transport, permit) = parts.io.into_inner().into_parts();
    let bare = match bare(transport) {
        Ok(bare) => bare,
        Err(error) => {
            tracing::debug!(%error, "a connection went away during its handshake");
            return;
        }
    };
    let leftover = parts.read_buf.to_vec();
    let arrival = Arrival { bare, permit, admission, request, answer: Bytes::new(), leftover };
    if shared.next_shard().send(Command::Adopt(Box::new(arrival))).await.is_err() {
        refuse_at_ended_shard(&shared);
    }
}

/// The connection is closed without an answer; its client goes to the next endpoint. No
/// newcomer gets here any more once the end of the shard is noted.
fn refuse_at_ended_shard(shared: &Shared) {
    shared.metrics.join_refused(Code::Unavailable.label());
    tracing::warn!("a connection was refused: its shard has ended");
}

/// Without this runtime.
fn bare(transport: Transport) -> std::io::Result<Bare> {
    Ok(match transport {
        Transport::Plain(stream) => Bare { stream: stream.into_std()?, tls: None },
        Transport::Tls(stream) => {
            let (stream, tls) = stream.into_inner();
            Bare { stream: stream.into_inner().into_std()?, tls: Some(Box::new(tls)) }
        }
    })
}

/// The way of most.
pub(crate) struct Doorman(pub(crate) Arc<Shared>);

impl Greeter for Doorman {
    fn greet(&self, arrived: Arrived) -> Greeted {
        let Some((head, used)) = Head::read(&arrived.head) else { return Greeted::Http(arrived) };
        match self.let_in(head) {
            Ok((asked, admission, wait, answer)) => {
                let Arrived { stream, permit, head } = arrived;
                let leftover = head[used..].to_vec();
                let request = asked.request;
                let bare = Bare { stream, tls: None };
                let arrival = Arrival { bare, permit, admission, request, answer, leftover };
                self.hand_over(arrival, wait);
                Greeted::Taken
            }
            Err(refusal) => Greeted::Refused(arrived, refusal),
        }
    }
}

impl Doorman {
    fn let_in(&self, head: Head) -> Result<(Asked, Admission, Duration, Bytes), ApiError> {
        let shared = &self.0;
        let asked = check(shared, &head.room, head.query, head.http.headers())?;
        let (answer, _) = fastwebsockets::upgrade::upgrade(head.http).map_err(|_| not_a_handshake())?;
        let pass = shared.pass(&asked.request.room, asked.ticket.as_deref())?;
        let (admission, wait) = shared.admit_join(&pass)?;
        let answer = switching(answer.headers(), asked.echo);
        Ok((asked, admission, wait, answer))
    }

    /// A shard that is busy is waited for elsewhere, as is a turn that has not come.
    fn hand_over(&self, arrival: Arrival, wait: Duration) {
        let shard = self.0.next_shard().clone();
        let adopt = Command::Adopt(Box::new(arrival));
        let adopt = if wait.is_zero() {
            match shard.try_send(adopt) {
                Ok(()) => return,
                Err(TrySendError::Closed(_)) => return refuse_at_ended_shard(&self.0),
                Err(TrySendError::Full(adopt)) => adopt,
            }
        } else {
            adopt
        };
        let shared = Arc::clone(&self.0);
        Handle::current().spawn(async move {
            tokio::time::sleep(wait).await;
            if shard.send(adopt).await.is_err() {
                refuse_at_ended_shard(&shared);
            }
        });
    }
}

/// The answer as it goes over the wire.
fn switching(headers: &HeaderMap, echo: Option<&str>) -> Bytes {
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    let mut field = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            answer.extend_from_slice(part);
        }
    };
    for (name, value) in headers {
        field(name.as_str(), value.as_bytes());
    }
    if let Some(echo) = echo {
        field(header::SEC_WEBSOCKET_PROTOCOL.as_str(), echo.as_bytes());
    }
    answer.extend_from_slice(b"\r\n");
    answer.into()
}

/// The head of a WebSocket handshake.
struct Head {
    http: http::Request<()>,
    room: String,
    query: WsQuery,
}

impl Head {
    /// `None` for whatever is not a whole and plain handshake; with the bytes that it takes.
    fn read(bytes: &[u8]) -> Option<(Head, usize)> {
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
        let mut http = http::Request::new(());
        let headers = http.headers_mut();
        for field in parsed.headers {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
        }
        let is_handshake = check_handshake(&Method::GET, Version::HTTP_11, headers).is_ok();
        let has_one_host = only(headers, header::HOST).is_some();
        let has_body =
            headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
        (is_handshake && has_one_host && !has_body).then_some((Head { http, room, query }, used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "GET /v1/rooms/demo/ws?after=7 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    #[test]
    fn a_plain_handshake_is_read_and_answered() {
        let bytes = format!("{PLAIN}behind");
        let (head, used) = Head::read(bytes.as_bytes()).unwrap();
        assert_eq!((head.room.as_str(), head.query.after, used), ("demo", Some(7), PLAIN.len()));
        let (answer, _) = fastwebsockets::upgrade::upgrade(head.http).unwrap();
        let answer = switching(answer.headers(), Some("barrage.v1.json"));
        let answer = std::str::from_utf8(&answer).unwrap();
        // The example of RFC 6455.
        assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
        assert!(answer.ends_with("sec-websocket-protocol: barrage.v1.json\r\n\r\n"), "{answer}");
    }

    #[test]
    fn what_is_not_whole_and_plain_is_left_to_http() {
        for end in 0..PLAIN.len() {
            assert!(Head::read(&PLAIN.as_bytes()[..end]).is_none(), "{end}");
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
            assert!(Head::read(PLAIN.replacen(from, to, 1).as_bytes()).is_none(), "{from} {to}");
        }
    }

    #[test]
    fn what_is_no_handshake_gets_426_or_400() {
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
