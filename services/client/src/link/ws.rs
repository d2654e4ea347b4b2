//! WebSocket. One task reads and never cancels a read; another task writes.

use std::time::Duration;

use barrage_protocol::code::{ErrorBody, Refusal};
use barrage_protocol::deflate::inflate;
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::{ClientFrame, Hello, ServerFrame};
use barrage_protocol::lines::LineReader;
use barrage_protocol::{FrameVersion, RoomId, Subprotocol, WireEncoding};
use barrage_tls::ClientStream;
use barrage_ws::Opcode;
use barrage_ws::handshake::{answer_headers, generate_key};
use barrage_ws::stream::{Reader, Side, Writer, split};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{INCOMING_MAX, Incoming, JoinRequest, Link, OUTGOING_MAX, Tasks};
use crate::config::ViewerConfig;
use crate::dial::Dialer;
use crate::error::ConnectError;
use crate::ladder::EndCause;

/// Largest frame of a server in bytes, before and after inflation.
const FRAME_BYTES_MAX: usize = 8 << 20;
/// Maximum WebSocket pings that wait for their pong; further ones get no answer.
const PONGS_MAX: usize = 4;

/// First close code of the protocol; proxies close with lower ones.
const PROTOCOL_CLOSE_MIN: u16 = 4000;
/// Close code of RFC 6455 for a normal end.
const NORMAL_CLOSE: u16 = 1000;

type Stream = TokioIo<hyper::upgrade::Upgraded>;

/// Connects, joins, and waits for the hello.
pub(crate) async fn connect(
    dialer: &Dialer,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    join: JoinRequest<'_>,
) -> Result<Link, ConnectError> {
    let opening = open(dialer, endpoint, config, join);
    tokio::time::timeout(config.connect_timeout, opening).await.map_err(|_| ConnectError::Timeout)?
}

async fn open(
    dialer: &Dialer,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    join: JoinRequest<'_>,
) -> Result<Link, ConnectError> {
    let upgrade =
        Upgrade { url: &endpoint.url, encodings: config.encodings(), ticket: join.ticket, token: None };
    let mut socket = Socket::connect(dialer, upgrade).await?;
    let client = match socket.version {
        // A server of version 1.0 refuses a join with fields that it does not know.
        FrameVersion::V1_0 => None,
        FrameVersion::V1_1 => config.stated().map(Box::new),
    };
    let join = ClientFrame::Join { token: config.token.clone(), after: join.after, client };
    socket.outgoing.send(join).await.map_err(ConnectError::failed)?;
    let hello = socket.hello().await?;
    let Socket { incoming, outgoing, tasks, .. } = socket;
    Ok(Link { transport: Transport::Ws, hello, incoming, outgoing, _tasks: tasks })
}

/// Parameters of a handshake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upgrade<'a> {
    pub(crate) url: &'a str,
    /// Encodings that the client reads.
    pub(crate) encodings: &'a [WireEncoding],
    pub(crate) ticket: Option<&'a str>,
    /// Token for the `Authorization` header; with it, the server joins the viewer without a `join` frame.
    pub(crate) token: Option<&'a str>,
}

/// Upgraded connection, read and written by its own tasks. The hello is still to come.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) incoming: mpsc::Receiver<Incoming>,
    pub(crate) outgoing: mpsc::Sender<ClientFrame>,
    /// Version that the server chose.
    version: FrameVersion,
    pub(crate) tasks: Tasks,
}

impl Socket {
    /// Connects and upgrades; a status other than 101 becomes a refusal.
    pub(crate) async fn connect(dialer: &Dialer, upgrade: Upgrade<'_>) -> Result<Socket, ConnectError> {
        let (stream, Chosen { version, encoding }) = handshake(dialer, upgrade).await?;
        let (reader, writer) = split(stream, Side::Client, FRAME_BYTES_MAX);
        let (incoming_in, incoming) = mpsc::channel(INCOMING_MAX);
        let (outgoing, outgoing_out) = mpsc::channel(OUTGOING_MAX);
        let (pongs_in, pongs) = mpsc::channel(PONGS_MAX);
        let mut tasks = Tasks::default();
        tasks.spawn(write_frames(writer, outgoing_out, pongs));
        tasks.spawn(read_frames(reader, Decoder::of(encoding), incoming_in, pongs_in));
        Ok(Socket { incoming, outgoing, version, tasks })
    }

    /// Waits for the hello.
    pub(crate) async fn hello(&mut self) -> Result<Hello, ConnectError> {
        loop {
            match self.incoming.recv().await {
                Some(Incoming::Frame(ServerFrame::Hello(hello))) => return Ok(hello),
                Some(Incoming::Frame(ServerFrame::Error(refusal))) => {
                    return Err(ConnectError::Refused(refusal));
                }
                Some(Incoming::Frame(_) | Incoming::Alive) => {}
                Some(Incoming::Closed { message, .. }) => return Err(ConnectError::Failed(message)),
                None => return Err(ConnectError::Failed("the connection ended".into())),
            }
        }
    }
}

/// Subprotocol that the server chose; version 1.0 and JSON without one.
#[derive(Debug, Clone, Copy, Default)]
struct Chosen {
    version: FrameVersion,
    encoding: WireEncoding,
}

/// Connects and upgrades, and returns the stream with what the server chose. A status other than 101 becomes
/// a refusal.
async fn handshake(dialer: &Dialer, upgrade: Upgrade<'_>) -> Result<(Stream, Chosen), ConnectError> {
    let mut url = reqwest::Url::parse(upgrade.url).map_err(ConnectError::failed)?;
    let is_encrypted = match url.scheme() {
        "ws" => false,
        "wss" => true,
        scheme => return Err(ConnectError::Failed(format!("the scheme {scheme} is not ws or wss"))),
    };
    if let Some(ticket) = upgrade.ticket {
        url.query_pairs_mut().append_pair("ticket", ticket);
    }
    let host = url.host_str().ok_or_else(|| ConnectError::Failed("the URL has no host".into()))?;
    let port = url.port_or_known_default().unwrap_or(if is_encrypted { 443 } else { 80 });
    let stream = dialer.connect(host, port, is_encrypted).await?;
    let peer = stream.tcp().peer_addr();
    let key = generate_key();
    let target = url.query().map_or_else(|| url.path().into(), |query| format!("{}?{query}", url.path()));
    let mut request = Request::get(target)
        .header("Host", format!("{host}:{port}"))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", &key)
        .header("Sec-WebSocket-Protocol", Subprotocol::offer(upgrade.encodings));
    if let Some(token) = upgrade.token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(ConnectError::failed)?;
    let upgraded = send_upgrade(stream, request, &key).await;
    if let (Err(ConnectError::Failed(_)), Ok(peer)) = (&upgraded, peer) {
        // Another server may have the address by now: the next attempt uses the next one.
        dialer.book.failed(host, peer.ip(), Instant::now());
    }
    upgraded
}

/// Sends the request for an upgrade over an open connection.
async fn send_upgrade(
    stream: ClientStream,
    request: Request<Empty<Bytes>>,
    key: &str,
) -> Result<(Stream, Chosen), ConnectError> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(ConnectError::failed)?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection ended during its handshake");
        }
    });
    let mut response = sender.send_request(request).await.map_err(ConnectError::failed)?;
    if response.status() != 101 {
        return Err(refused(response).await);
    }
    if !is_answer_to(&response, key) {
        return Err(ConnectError::Failed("the answer does not belong to this handshake".into()));
    }
    let chosen = chosen(&response);
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(ConnectError::failed)?;
    Ok((TokioIo::new(upgraded), chosen))
}

/// Returns the subprotocol in the answer.
fn chosen(response: &hyper::Response<hyper::body::Incoming>) -> Chosen {
    let name = response.headers().get("sec-websocket-protocol").and_then(|value| value.to_str().ok());
    let subprotocol = name.and_then(|name| Subprotocol::find(name.trim()));
    subprotocol
        .map_or_else(Chosen::default, |Subprotocol { version, encoding, .. }| Chosen { version, encoding })
}

/// Whether the answer has the hash of the key, so that neither a cache nor another server made it.
fn is_answer_to(response: &hyper::Response<hyper::body::Incoming>, key: &str) -> bool {
    const ACCEPT: &str = "sec-websocket-accept";
    let mut asked = hyper::HeaderMap::new();
    asked.insert("sec-websocket-version", hyper::header::HeaderValue::from_static("13"));
    asked.extend(key.parse().ok().map(|key| (hyper::header::SEC_WEBSOCKET_KEY, key)));
    answer_headers(asked).is_ok_and(|expected| expected.get(ACCEPT) == response.headers().get(ACCEPT))
}

/// Reads the refusal from the answer to a handshake; bounded in size and time.
async fn refused(response: hyper::Response<hyper::body::Incoming>) -> ConnectError {
    const BYTES_MAX: usize = 64 * 1024;
    let status = response.status();
    let body =
        tokio::time::timeout(Duration::from_secs(2), Limited::new(response.into_body(), BYTES_MAX).collect())
            .await;
    let refusal: Option<Refusal> = body
        .ok()
        .and_then(Result::ok)
        .and_then(|body| serde_json::from_slice::<ErrorBody>(&body.to_bytes()).ok())
        .map(|body| body.error);
    refusal.map_or_else(|| ConnectError::Failed(format!("status {status}")), ConnectError::Refused)
}

async fn write_frames(
    mut writer: Writer<WriteHalf<Stream>>,
    mut frames: mpsc::Receiver<ClientFrame>,
    mut pongs: mpsc::Receiver<Vec<u8>>,
) {
    loop {
        let (opcode, payload) = tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => (Opcode::Text, serde_json::to_vec(&frame).expect("frames are plain data")),
                None => break,
            },
            Some(payload) = pongs.recv() => (Opcode::Pong, payload),
        };
        if writer.send(opcode, payload).await.is_err() {
            return;
        }
    }
    drop(writer.close(NORMAL_CLOSE, "").await);
}

/// Reads the frames of one connection.
enum Decoder {
    /// Each frame is read alone.
    Alone,
    /// Batches refer to earlier ones, in the room of the last hello.
    Lines(LineReader, Option<RoomId>),
}

impl Decoder {
    fn of(encoding: WireEncoding) -> Self {
        match encoding {
            WireEncoding::Json | WireEncoding::Deflate => Decoder::Alone,
            WireEncoding::Lines => Decoder::Lines(LineReader::default(), None),
        }
    }

    fn text(&mut self, json: &[u8]) -> Result<ServerFrame, String> {
        let frame = parse(json)?;
        if let (Decoder::Lines(_, room), ServerFrame::Hello(hello)) = (self, &frame) {
            *room = Some(hello.room.clone());
        }
        Ok(frame)
    }

    fn binary(&mut self, payload: &[u8]) -> Result<ServerFrame, String> {
        let json = match self {
            Decoder::Alone => inflate(payload, FRAME_BYTES_MAX).map_err(|error| error.to_string()),
            Decoder::Lines(reader, room) => {
                // The hello itself needs no room.
                let room = room.clone().unwrap_or_else(RoomId::probe);
                reader.read(payload, &room, FRAME_BYTES_MAX).map_err(|error| error.to_string())
            }
        }?;
        self.text(&json)
    }
}

async fn read_frames(
    mut reader: Reader<ReadHalf<Stream>>,
    mut decoder: Decoder,
    frames: mpsc::Sender<Incoming>,
    pongs: mpsc::Sender<Vec<u8>>,
) {
    let closed = loop {
        let (opcode, payload) = match reader.next().await {
            Ok(frame) => frame,
            Err(error) => {
                break Incoming::Closed { code: None, cause: EndCause::Lost, message: error.to_string() };
            }
        };
        let parsed = match opcode {
            Opcode::Text => decoder.text(&payload).map(Incoming::Frame),
            Opcode::Binary => decoder.binary(&payload).map(Incoming::Frame),
            Opcode::Close => {
                let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                let message = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                let is_ours = code.is_some_and(|code| code >= PROTOCOL_CLOSE_MIN);
                let cause = if is_ours { EndCause::Closed } else { EndCause::Lost };
                break Incoming::Closed { code, cause, message };
            }
            Opcode::Ping => {
                drop(pongs.try_send(payload.to_vec()));
                Ok(Incoming::Alive)
            }
            Opcode::Pong => Ok(Incoming::Alive),
        };
        let item = match parsed {
            Ok(item) => item,
            Err(message) => break Incoming::Closed { code: None, cause: EndCause::Lost, message },
        };
        if frames.send(item).await.is_err() {
            return;
        }
    };
    drop(frames.send(closed).await);
}

fn parse(json: &[u8]) -> Result<ServerFrame, String> {
    ServerFrame::parse(json).map_err(|error| error.to_string())
}
