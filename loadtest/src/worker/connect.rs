//! From a viewer's wish to an open WebSocket: entry, then the handshake by hand.

use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::code::{Advice, ErrorBody};
use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};
use barrage_protocol::frame::{ClientFrame, SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON, SUBPROTOCOL_TOKEN_PREFIX};
use hyper::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::frame::{Opcode, client};
use super::source::{self, Pace};
use super::thread::Thread;
use crate::http::Call;
use crate::scenario::{Encoding, Identity};

/// For the handshake's answer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer to a handshake.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct Failure {
    /// For the tallies.
    pub(crate) reason: String,
    pub(crate) advice: Advice,
    pub(crate) retry_after: Duration,
}

impl Failure {
    fn network(reason: &str) -> Self {
        Failure { reason: reason.into(), advice: Advice::Backoff, retry_after: Duration::ZERO }
    }

    fn answered(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(refused) => Failure {
                reason: refused.error.code.label().into(),
                advice: Advice::of_close(refused.error.code.close()),
                retry_after: Duration::from_millis(refused.error.retry_after_ms.unwrap_or_default()),
            },
            Err(_) => Failure::network(&format!("status {status}")),
        }
    }
}

/// An upgraded connection and what came right behind the handshake.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) leftover: Vec<u8>,
}

/// Where to go and how to come back.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// Endpoints of the WebSocket, in order.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) backoff_base: Duration,
    pub(crate) backoff_max: Duration,
}

/// Asks entry.
pub(crate) async fn ask(thread: &Thread, room: usize) -> Result<EntryAnswer, Failure> {
    let path = format!("/v1/entry?room={}", thread.popularity.rooms()[room]);
    let answer = thread.entry.call(&Call::get(&path)).await;
    let (status, body) = answer.map_err(|error| Failure::network(&format!("entry: {error}")))?;
    if !status.is_success() {
        return Err(Failure::answered(status.as_u16(), &body));
    }
    serde_json::from_slice(&body).map_err(|_| Failure::network("entry: nonsense"))
}

impl From<EntryAnswer> for Route {
    fn from(answer: EntryAnswer) -> Self {
        let endpoints = answer.downlinks.into_iter();
        Route {
            endpoints: endpoints.filter(|endpoint| endpoint.transport == Transport::Ws).collect(),
            backoff_base: Duration::from_millis(answer.backoff_base_ms),
            backoff_max: Duration::from_millis(answer.backoff_max_ms),
        }
    }
}

/// Connects to an endpoint and asks to join; the hello is still to come.
pub(crate) async fn open(
    thread: &Thread,
    endpoint: &Endpoint,
    viewer: u32,
    pace: Pace,
    after: Option<u64>,
) -> Result<Connection, Failure> {
    let (target, uri) = thread.resolve(&endpoint.url).await.map_err(|error| Failure::network(&error))?;
    let connected = source::connect(target.address, viewer, pace).await;
    let mut stream = connected.map_err(|error| Failure::network(&format!("connect: {}", error.kind())))?;
    let token = match thread.plan.scenario.viewer_identity {
        Identity::Anonymous => None,
        Identity::Token => Some(&thread.plan.tokens[viewer as usize % thread.plan.tokens.len()]),
    };
    let request = request(&uri, &target.host, thread.plan.scenario.encoding, token, after);
    let shake = async {
        stream.write_all(request.as_bytes()).await.map_err(|_| Failure::network("handshake: broken"))?;
        let leftover = read_answer(&mut stream).await?;
        if token.is_none() {
            let join = ClientFrame::Join { token: None, after: after.map(Sequence) };
            let json = serde_json::to_vec(&join).expect("frames are plain data");
            let sent = stream.write_all(&client(Opcode::Text, &json)).await;
            sent.map_err(|_| Failure::network("handshake: broken"))?;
        }
        Ok(leftover)
    };
    let leftover = tokio::time::timeout(HANDSHAKE_TIMEOUT, shake)
        .await
        .unwrap_or_else(|_| Err(Failure::network("handshake: timeout")))?;
    Ok(Connection { stream, leftover })
}

fn request(uri: &Uri, host: &str, encoding: Encoding, token: Option<&String>, after: Option<u64>) -> String {
    let path = uri.path();
    let (query, token) = match token {
        Some(token) => (
            after.map(|after| format!("?after={after}")).unwrap_or_default(),
            format!(", {SUBPROTOCOL_TOKEN_PREFIX}{token}"),
        ),
        None => Default::default(),
    };
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

/// Reads the answer's header; what came behind it.
async fn read_answer(stream: &mut TcpStream) -> Result<Vec<u8>, Failure> {
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
        // The body of a refusal is small: it came in one piece with the header, or is not
        // worth a wait.
        return Err(Failure::answered(status, &buffer[end..]));
    }
    Ok(buffer.split_off(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_in_the_subprotocol_and_never_in_the_url() {
        let uri: Uri = "ws://h:1/v1/rooms/demo/ws".parse().unwrap();
        let with = request(&uri, "h:1", Encoding::Deflate, Some(&"T".to_owned()), Some(7));
        assert!(with.starts_with("GET /v1/rooms/demo/ws?after=7 HTTP/1.1\r\n"), "{with}");
        assert!(with.contains("Sec-WebSocket-Protocol: barrage.v1.deflate, barrage.token.T\r\n"));
        let without = request(&uri, "h:1", Encoding::Json, None, Some(7));
        assert!(without.starts_with("GET /v1/rooms/demo/ws HTTP/1.1\r\n"), "{without}");
        assert!(without.contains("Sec-WebSocket-Protocol: barrage.v1.json\r\n"));
    }
}
