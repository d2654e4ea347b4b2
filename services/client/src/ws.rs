//! The WebSocket. One task reads and never cancels a read; another writes.

use std::time::Duration;

use barrage_protocol::code::{ErrorBody, Refusal};
use barrage_protocol::deflate::inflate;
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::{ClientFrame, SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON, ServerFrame};
use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocketRead, WebSocketWrite};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::config::ViewerConfig;
use crate::connect::Wish;
use crate::error::ConnectError;
use crate::link::{INCOMING_MAX, Incoming, Link, OUTGOING_MAX, Tasks};

/// Largest frame taken from a server, before and after inflating.
const FRAME_BYTES_MAX: usize = 8 << 20;
/// WebSocket pings waiting for their pong; further ones go unanswered.
const PONGS_MAX: usize = 4;

type Stream = TokioIo<hyper::upgrade::Upgraded>;

/// Connects, joins, and waits for the hello.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    config: &ViewerConfig,
    wish: Wish<'_>,
) -> Result<Link, ConnectError> {
    let opening = open(endpoint, config, wish);
    tokio::time::timeout(config.connect_timeout, opening).await.map_err(|_| ConnectError::Timeout)?
}

async fn open(endpoint: &Endpoint, config: &ViewerConfig, wish: Wish<'_>) -> Result<Link, ConnectError> {
    let stream = handshake(endpoint, config, wish.ticket).await?;
    let (read, write) = tokio::io::split(stream);
    let (mut reader, writer) = fastwebsockets::after_handshake_split(read, write, Role::Client);
    reader.set_max_message_size(FRAME_BYTES_MAX);
    reader.set_auto_close(false);
    reader.set_auto_pong(false);
    let (incoming_in, mut incoming) = mpsc::channel(INCOMING_MAX);
    let (outgoing, outgoing_out) = mpsc::channel(OUTGOING_MAX);
    let (pongs_in, pongs) = mpsc::channel(PONGS_MAX);
    let mut tasks = Tasks::default();
    tasks.spawn(write_frames(writer, outgoing_out, pongs));
    tasks.spawn(read_frames(reader, incoming_in, pongs_in));
    let join = ClientFrame::Join { token: config.token.clone(), after: wish.after };
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

async fn handshake(
    endpoint: &Endpoint,
    config: &ViewerConfig,
    ticket: Option<&str>,
) -> Result<Stream, ConnectError> {
    let mut url = reqwest::Url::parse(&endpoint.url).map_err(ConnectError::failed)?;
    if url.scheme() != "ws" {
        return Err(ConnectError::Failed(format!("{} is not spoken here", url.scheme())));
    }
    if let Some(ticket) = ticket {
        url.query_pairs_mut().append_pair("ticket", ticket);
    }
    let host = url.host_str().ok_or_else(|| ConnectError::Failed("no host in the URL".into()))?;
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
        .header("Sec-WebSocket-Key", fastwebsockets::handshake::generate_key())
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
    mut writer: WebSocketWrite<WriteHalf<Stream>>,
    mut frames: mpsc::Receiver<ClientFrame>,
    mut pongs: mpsc::Receiver<Vec<u8>>,
) {
    loop {
        let frame = tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => {
                    let json = serde_json::to_vec(&frame).expect("frames are plain data");
                    Frame::text(Payload::Owned(json))
                }
                None => break,
            },
            Some(payload) = pongs.recv() => Frame::pong(Payload::Owned(payload)),
        };
        if writer.write_frame(frame).await.is_err() {
            return;
        }
    }
    drop(writer.write_frame(Frame::close(1000, b"")).await);
}

async fn read_frames(
    mut reader: WebSocketRead<ReadHalf<Stream>>,
    frames: mpsc::Sender<Incoming>,
    pongs: mpsc::Sender<Vec<u8>>,
) {
    let closed = loop {
        // Nothing is owed: automatic answers are off.
        let read = reader.read_frame::<_, std::convert::Infallible>(&mut |_| async { Ok(()) }).await;
        let frame = match read {
            Ok(frame) => frame,
            Err(error) => break Incoming::Closed { code: None, message: error.to_string() },
        };
        let parsed = match frame.opcode {
            OpCode::Text => parse(&frame.payload).map(Some),
            OpCode::Binary => match inflate(&frame.payload, FRAME_BYTES_MAX) {
                Ok(json) => parse(&json).map(Some),
                Err(error) => Err(error.to_string()),
            },
            OpCode::Close => {
                let code = frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                let message =
                    String::from_utf8_lossy(frame.payload.get(2..).unwrap_or_default()).into_owned();
                break Incoming::Closed { code, message };
            }
            OpCode::Ping => {
                drop(pongs.try_send(frame.payload.to_vec()));
                Ok(None)
            }
            OpCode::Pong => Ok(None),
            // Nothing here is so large that a server would cut it.
            OpCode::Continuation => Err("a fragment came".to_owned()),
        };
        let item = match parsed {
            Ok(Some(frame)) => Incoming::Frame(frame),
            Ok(None) => Incoming::Alive,
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
