//! From entry to an open WebSocket; the handshake is written by hand.

use std::rc::Rc;
use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::code::{Advice, Code, ErrorBody, Refusal};
use barrage_protocol::entry::{Endpoint, EntryAnswer, EntryTicket, Transport};
use barrage_protocol::frame::{
    ClientFrame, SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON, SUBPROTOCOL_TOKEN_PREFIX, ServerFrame,
};
use barrage_tls::ClientStream;
use barrage_ws::Opcode;
use barrage_ws::client::{self, Mask};
use hyper::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::context::Context;
use super::seen::FRAME_BYTES_MAX;
use super::seen::Said;
use crate::measure::interval::tally;
use crate::net::http::Call;
use crate::net::source::Pace;
use crate::scenario::{Encoding, Identity};

/// Time limit for the answer to the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for the hello of a connection that takes over from another one.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Greatest size of an answer to a handshake.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Why a connection could not be opened.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Reason of the failure, under which reports count it.
    pub(crate) reason: String,
    /// Code of the server, if it sent one.
    pub(crate) code: Option<Code>,
    pub(crate) advice: Advice,
    /// Retry time of the server; zero when it sent none.
    pub(crate) retry_after: Duration,
}

impl Failure {
    pub(crate) fn network(reason: &str) -> Self {
        Failure { reason: reason.into(), code: None, advice: Advice::Backoff, retry_after: Duration::ZERO }
    }

    fn refused(refusal: &Refusal) -> Self {
        Failure {
            reason: refusal.code.label().into(),
            code: Some(refusal.code),
            advice: refusal.code.advice(),
            retry_after: Duration::from_millis(refusal.retry_after_ms.unwrap_or_default()),
        }
    }

    fn answered(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(refused) => Failure::refused(&refused.error),
            Err(_) => Failure::network(&format!("status {status}")),
        }
    }

    /// Whether every other endpoint would answer the same.
    fn is_final(&self) -> bool {
        match self.code {
            Some(Code::TooEarly | Code::TicketExpired | Code::BadTicket) => true,
            Some(Code::BadRequest | Code::NotFound | Code::MethodNotAllowed) | None => false,
            Some(_) => self.advice == Advice::Never,
        }
    }
}

/// An upgraded connection, and the bytes that followed the handshake.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: ClientStream,
    pub(crate) leftover: Vec<u8>,
}

/// Answer of entry: endpoints, and how to reconnect.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// WebSocket endpoints that entry named, the preferred one first.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Ticket of entry, with the earliest time of the join.
    pub(crate) ticket: Option<EntryTicket>,
    pub(crate) backoff_base: Duration,
    pub(crate) backoff_max: Duration,
}

/// Asks entry for the endpoints of a room, as a newcomer who takes a slot. The reason of a failure
/// begins with `entry: `.
pub(crate) async fn ask(context: &Context, room: usize) -> Result<EntryAnswer, Failure> {
    question(context, format!("/v1/entry?room={}", context.popularity.rooms()[room])).await
}

/// Asks entry for the uplinks of a room, without a slot of a viewer.
pub(crate) async fn ask_uplinks(context: &Context, room: usize) -> Result<EntryAnswer, Failure> {
    question(context, format!("/v1/entry?room={}&purpose=send", context.popularity.rooms()[room])).await
}

async fn question(context: &Context, path: String) -> Result<EntryAnswer, Failure> {
    let answer = context.entry.call(&Call::get(&path)).await;
    let (status, body) = answer.map_err(|error| Failure::network(&format!("entry: {error}")))?;
    if !status.is_success() {
        let refused = Failure::answered(status.as_u16(), &body);
        return Err(Failure { reason: format!("entry: {}", refused.reason), ..refused });
    }
    serde_json::from_slice(&body).map_err(|_| Failure::network("entry: nonsense"))
}

impl From<EntryAnswer> for Route {
    fn from(answer: EntryAnswer) -> Self {
        let endpoints = answer.downlinks.into_iter();
        Route {
            endpoints: endpoints.filter(|endpoint| endpoint.transport == Transport::Ws).collect(),
            ticket: answer.ticket,
            backoff_base: Duration::from_millis(answer.backoff_base_ms),
            backoff_max: Duration::from_millis(answer.backoff_max_ms),
        }
    }
}

/// A viewer that connects, and its resume position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) viewer: u32,
    pub(crate) room: usize,
    pub(crate) pace: Pace,
    /// Position after which to resume; absent at the first join.
    pub(crate) after: Option<u64>,
}

/// Connects to the first endpoint that accepts the viewer; the hello is still to come. Each refusal
/// is counted.
pub(crate) async fn first_of(context: &Context, route: &Route, wish: Wish) -> Result<Connection, Failure> {
    let ticket = route.ticket.as_ref().map(|ticket| ticket.token.as_str());
    let mut last = Failure::network("entry: no gateway");
    for endpoint in &route.endpoints {
        match open(context, endpoint, ticket, wish).await {
            Ok(connection) => return Ok(connection),
            Err(failure) => {
                tally(&mut context.interval.borrow_mut().refusals, &failure.reason, 1);
                let is_final = failure.is_final();
                last = failure;
                if is_final {
                    break;
                }
            }
        }
    }
    Err(last)
}

/// Opens the connection that takes over from one that still serves: at a named endpoint, or at one
/// of entry, in turn. It is returned when its hello is there.
pub(crate) async fn successor(context: Rc<Context>, named: Vec<Endpoint>, wish: Wish) -> Option<Connection> {
    let route = Route { endpoints: named, ..Route::default() };
    if let Ok(connection) = greeted(&context, &route, wish).await {
        return Some(connection);
    }
    let route: Route = ask(&context, wish.room).await.ok()?.into();
    if let Some(ticket) = &route.ticket {
        tokio::time::sleep(Duration::from_millis(ticket.wait_ms)).await;
    }
    greeted(&context, &route, wish).await.ok()
}

/// Connects, and reads until the hello is there; the hello stays in the remaining bytes.
async fn greeted(context: &Context, route: &Route, wish: Wish) -> Result<Connection, Failure> {
    let mut connection = first_of(context, route, wish).await?;
    let hello = async {
        loop {
            let frame = client::read(&connection.leftover, FRAME_BYTES_MAX)
                .map_err(|_| Failure::network("not WebSocket"))?;
            if let Some(frame) = frame {
                let payload = frame.payload_in(&connection.leftover);
                return match context.seen.borrow_mut().read(wish.room, frame.opcode, payload) {
                    Ok(Said::Other(said)) => match *said {
                        ServerFrame::Hello(_) => Ok(()),
                        ServerFrame::Error(refusal) => Err(Failure::refused(&refusal)),
                        _ => Err(Failure::network("no hello")),
                    },
                    _ => Err(Failure::network("no hello")),
                };
            }
            let read = connection.stream.read_buf(&mut connection.leftover).await;
            if read.map_err(|_| Failure::network("broken"))? == 0 {
                return Err(Failure::network("broken"));
            }
        }
    };
    tokio::time::timeout(HELLO_TIMEOUT, hello).await.unwrap_or_else(|_| Err(Failure::network("no hello")))?;
    Ok(connection)
}

/// Connects to an endpoint and asks to join; the hello is still to come.
async fn open(
    context: &Context,
    endpoint: &Endpoint,
    ticket: Option<&str>,
    wish: Wish,
) -> Result<Connection, Failure> {
    let Wish { viewer, pace, after, .. } = wish;
    let (target, uri) = context.resolve(&endpoint.url).await.map_err(|error| Failure::network(&error))?;
    let connected = target.connect(viewer, pace).await;
    let mut stream = connected.map_err(|error| Failure::network(&format!("connect: {}", error.kind())))?;
    let token = match context.plan.scenario.viewer_identity {
        Identity::Anonymous => None,
        Identity::Token => Some(&context.plan.tokens[viewer as usize % context.plan.tokens.len()]),
    };
    let query = query(ticket, after.filter(|_| token.is_some()));
    let request = request(&uri, &target.host, context.plan.scenario.encoding, token, &query);
    let shake = async {
        stream.write_all(request.as_bytes()).await.map_err(|_| Failure::network("handshake: broken"))?;
        let leftover = read_answer(&mut stream).await?;
        if token.is_none() {
            let join = ClientFrame::Join { token: None, after: after.map(Sequence), client: None };
            let json = serde_json::to_vec(&join).expect("frames are plain data");
            let sent = stream.write_all(&client::frame(Opcode::Text, &json, Mask::Zero)).await;
            sent.map_err(|_| Failure::network("handshake: broken"))?;
        }
        Ok(leftover)
    };
    let leftover = tokio::time::timeout(HANDSHAKE_TIMEOUT, shake)
        .await
        .unwrap_or_else(|_| Err(Failure::network("handshake: timeout")))?;
    Ok(Connection { stream, leftover })
}

/// Query of the URL; a viewer without a token sends `after` in its first frame.
fn query(ticket: Option<&str>, after: Option<u64>) -> String {
    let ticket = ticket.map(|ticket| format!("ticket={ticket}"));
    let after = after.map(|after| format!("after={after}"));
    let parts: Vec<_> = [ticket, after].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

/// Returns the handshake of an anonymous viewer that reads JSON.
pub(crate) fn anonymous_request(uri: &Uri, host: &str, query: &str) -> String {
    request(uri, host, Encoding::Json, None, query)
}

/// Returns the handshake of a viewer.
pub(crate) fn request(
    uri: &Uri,
    host: &str,
    encoding: Encoding,
    token: Option<&String>,
    query: &str,
) -> String {
    let path = uri.path();
    let token = token.map(|token| format!(", {SUBPROTOCOL_TOKEN_PREFIX}{token}")).unwrap_or_default();
    let protocol = match encoding {
        Encoding::Deflate => SUBPROTOCOL_DEFLATE,
        Encoding::Json => SUBPROTOCOL_JSON,
    };
    format!(
        "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9hZCB0ZXN0ZXIga2V5IQ==\r\n\
         Sec-WebSocket-Protocol: {protocol}{token}\r\n\r\n"
    )
}

/// Reads the head of the answer, and returns the bytes behind it.
pub(crate) async fn read_answer(stream: &mut ClientStream) -> Result<Vec<u8>, Failure> {
    let mut buffer = Vec::with_capacity(512);
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > HEAD_BYTES_MAX {
            return Err(Failure::network("handshake: nonsense"));
        }
        let read = stream.read_buf(&mut buffer).await;
        if read.map_err(|_| Failure::network("handshake: broken"))? == 0 {
            return Err(Failure::network("handshake: broken"));
        }
    };
    let status = std::str::from_utf8(&buffer[..end])
        .ok()
        .and_then(|head| head.split(' ').nth(1)?.parse::<u16>().ok())
        .ok_or_else(|| Failure::network("handshake: nonsense"))?;
    if status != 101 {
        // The body of a refusal is small. It is used only when it came together with the head;
        // otherwise the head gives the retry time.
        let failure = Failure::answered(status, &buffer[end..]);
        return Err(match failure.code {
            Some(_) => failure,
            None => Failure { retry_after: retry_after(&buffer[..end]), ..failure },
        });
    }
    Ok(buffer.split_off(end))
}

/// Returns the `Retry-After` header, in seconds; zero without one.
fn retry_after(head: &[u8]) -> Duration {
    let secs = std::str::from_utf8(head).ok().and_then(|head| {
        let values = head.lines().filter_map(|line| line.split_once(':'));
        let mut values = values.filter(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        values.next()?.1.trim().parse().ok()
    });
    Duration::from_secs(secs.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_in_the_subprotocol_and_never_in_the_url() {
        let uri: Uri = "ws://h:1/v1/rooms/demo/ws".parse().unwrap();
        let with = request(&uri, "h:1", Encoding::Deflate, Some(&"T".to_owned()), &query(None, Some(7)));
        assert!(with.starts_with("GET /v1/rooms/demo/ws?after=7 HTTP/1.1\r\n"), "{with}");
        assert!(with.contains("Sec-WebSocket-Protocol: barrage.v1.deflate, barrage.token.T\r\n"));
        let without = request(&uri, "h:1", Encoding::Json, None, &query(None, None));
        assert!(without.starts_with("GET /v1/rooms/demo/ws HTTP/1.1\r\n"), "{without}");
        assert!(without.contains("Sec-WebSocket-Protocol: barrage.v1.json\r\n"));
        assert_eq!(query(Some("K.1"), Some(7)), "?ticket=K.1&after=7");
    }

    #[test]
    fn retry_time_comes_from_the_refusals_body_or_header() {
        let body = br#"{"error":{"code":"overloaded","message":"full","retry_after_ms":1500}}"#;
        let failure = Failure::answered(503, body);
        assert_eq!(
            (failure.reason.as_str(), failure.retry_after),
            ("overloaded", Duration::from_millis(1_500))
        );
        assert!(!failure.is_final());
        let early = br#"{"error":{"code":"too_early","message":"wait","retry_after_ms":9}}"#;
        assert!(Failure::answered(425, early).is_final());
        assert_eq!(retry_after(b"HTTP/1.1 503 x\r\nretry-After:  7\r\n\r\n"), Duration::from_secs(7));
        assert_eq!(retry_after(b"HTTP/1.1 503 x\r\n\r\n"), Duration::ZERO);
    }
}
