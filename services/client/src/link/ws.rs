//! WebSocket. One task reads and never cancels a read; another task writes.

use std::time::Duration;

use barrage_protocol::code::{ErrorBody, Refusal};
use barrage_protocol::deflate::inflate;
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::{ClientFrame, SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON, ServerFrame};
use barrage_ws::Opcode;
use barrage_ws::handshake::generate_key;
use barrage_ws::stream::{Reader, Side, Writer, split};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::{INCOMING_MAX, Incoming, JoinRequest, Link, OUTGOING_MAX, Tasks};
use crate::config::ViewerConfig;
use crate::error::ConnectError;

/// Largest frame of a server in bytes, before and after inflation.
const FRAME_BYTES_MAX: usize = 8 << 20;
/// Maximum WebSocket pings that wait for their pong; further ones get no answer.
const PONGS_MAX: usize = 4;

/// Close code of RFC 6455 for a normal end.
const NORMAL_CLOSE: u16 = 1000;

type Stream = TokioIo<hyper::upgrade::Upgraded>;

/// Connects, joins, and waits for the hello.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    config: &ViewerConfig,
    join: JoinRequest<'_>,
) -> Result<Link, ConnectError> {
    let opening = open(endpoint, config, join);
    tokio::time::timeout(config.connect_timeout, opening).await.map_err(|_| ConnectError::Timeout)?
}

async fn open(
    endpoint: &Endpoint,
    config: &ViewerConfig,
    join: JoinRequest<'_>,
) -> Result<Link, ConnectError> {
    let stream = handshake(endpoint, config, join.ticket).await?;
    let (reader, writer) = split(stream, Side::Client, FRAME_BYTES_MAX);
    let (incoming_in, mut incoming) = mpsc::channel(INCOMING_MAX);
    let (outgoing, outgoing_out) = mpsc::channel(OUTGOING_MAX);
    let (pongs_in, pongs) = mpsc::channel(PONGS_MAX);
    let mut tasks = Tasks::default();
    tasks.spawn(write_frames(writer, outgoing_out, pongs));
    tasks.spawn(read_frames(reader, incoming_in, pongs_in));
    let join = ClientFrame::Join { token: config.token.clone(), after: join.after };
    outgoing.send(join).await.map_err(ConnectError::failed)?;
    loop {
        match incoming.recv().await {
            Some(Incoming::Frame(ServerFrame::Hello(hello))) => {
                return Ok(Link { transport: Transport::Ws, hello, incoming, outgoing, _tasks: tasks });
            }
            Some(Incoming::Frame(ServerFrame::Error(refusal))) => return Err(ConnectError::Refused(refusal)),
            Some(Incoming::Frame(_) | Incoming::Alive) => {}
            Some(Incoming::Closed { message, .. }) => return Err(ConnectError::Failed(message)),
            None => return Err(ConnectError::Failed("the connection ended".into())),
        }
    }
}

/// Connects and upgrades; a status other than 101 becomes a refusal.
async fn handshake(
    endpoint: &Endpoint,
    config: &ViewerConfig,
    ticket: Option<&str>,
) -> Result<Stream, ConnectError> {
    let mut url = reqwest::Url::parse(&endpoint.url).map_err(ConnectError::failed)?;
    if url.scheme() != "ws" {
        return Err(ConnectError::Failed(format!("the scheme {} is not supported", url.scheme())));
    }
    if let Some(ticket) = ticket {
        url.query_pairs_mut().append_pair("ticket", ticket);
    }
    let host = url.host_str().ok_or_else(|| ConnectError::Failed("the URL has no host".into()))?;
    let port = url.port_or_known_default().unwrap_or(80);
    let stream =
        TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(ConnectError::failed)?;
    stream.set_nodelay(true).map_err(ConnectError::failed)?;
    let protocol = if config.deflate { SUBPROTOCOL_DEFLATE } else { SUBPROTOCOL_JSON };
    let target = url.query().map_or_else(|| url.path().into(), |query| format!("{}?{query}", url.path()));
    let request = Request::get(target)
        .header("Host", format!("{host}:{port}"))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header("Sec-WebSocket-Protocol", protocol)
        .body(Empty::<Bytes>::new())
        .map_err(ConnectError::failed)?;
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
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(ConnectError::failed)?;
    Ok(TokioIo::new(upgraded))
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

async fn read_frames(
    mut reader: Reader<ReadHalf<Stream>>,
    frames: mpsc::Sender<Incoming>,
    pongs: mpsc::Sender<Vec<u8>>,
) {
    let closed = loop {
        let (opcode, payload) = match reader.next().await {
            Ok(frame) => frame,
            Err(error) => break Incoming::Closed { code: None, message: error.to_string() },
        };
        let parsed = match opcode {
            Opcode::Text => parse(&payload).map(Incoming::Frame),
            Opcode::Binary => inflate(&payload, FRAME_BYTES_MAX)
                .map_err(|error| error.to_string())
                .and_then(|json| parse(&json).map(Incoming::Frame)),
            Opcode::Close => {
                let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                let message = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                break Incoming::Closed { code, message };
            }
            Opcode::Ping => {
                drop(pongs.try_send(payload.to_vec()));
                Ok(Incoming::Alive)
            }
            Opcode::Pong => Ok(Incoming::Alive),
        };
        let item = match parsed {
            Ok(item) => item,
            Err(message) => break Incoming::Closed { code: None, message },
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
