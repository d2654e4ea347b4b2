//! One viewer of a region: it asks entry, connects to the first endpoint that admits it, and stays.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use barrage_protocol::code::ErrorBody;
use barrage_protocol::entry::{EntryAnswer, Transport};
use barrage_protocol::frame::{ClientFrame, ServerFrame};
use barrage_tls::ClientStream;
use barrage_ws::Opcode;
use barrage_ws::client::{self, Mask};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::worker::{anonymous_request, read_answer};

/// Longest visit up to its hello, with all endpoints.
const VISIT_MAX: Duration = Duration::from_secs(30);
/// Largest answer of entry and largest hello, in bytes.
const BYTES_MAX: usize = 1 << 20;

/// A viewer that has its hello. The connection ends when the value is dropped.
#[derive(Debug)]
pub(crate) struct Joined {
    /// Time from the answer of entry to the hello.
    pub(crate) took: Duration,
    /// Gateway that admitted the viewer.
    pub(crate) gateway: String,
    /// Whether this is the gateway that entry named first.
    pub(crate) is_first: bool,
    /// Answers of entry that named no gateway and a time to come back.
    pub(crate) turned_away: u32,
    _stream: ClientStream,
}

/// Asks entry for a room from a source address, comes back when entry says so, and connects. The error
/// has the last reason.
pub(crate) async fn join(entry: SocketAddr, room: &str, source: IpAddr) -> Result<Joined, String> {
    let visit = async {
        let mut turned_away = 0;
        let answer = loop {
            match ask(entry, room, source).await? {
                Ok(answer) => break answer,
                Err(wait) => tokio::time::sleep(wait).await,
            }
            turned_away += 1;
        };
        if let Some(ticket) = &answer.ticket {
            tokio::time::sleep(Duration::from_millis(ticket.wait_ms)).await;
        }
        let ticket = answer.ticket.as_ref().map(|ticket| ticket.token.as_str());
        let began = barrage_clock::now();
        let mut last = "entry named no endpoint".to_owned();
        let sockets = answer.downlinks.iter().filter(|one| one.transport == Transport::Ws);
        for (index, endpoint) in sockets.enumerate() {
            match open(&endpoint.url, ticket, source).await {
                Ok(stream) => {
                    let (took, gateway) = (began.elapsed(), endpoint.gateway.clone());
                    let is_first = index == 0;
                    return Ok(Joined { took, gateway, is_first, turned_away, _stream: stream });
                }
                Err(error) => last = format!("{}: {error}", endpoint.gateway),
            }
        }
        Err(last)
    };
    tokio::time::timeout(VISIT_MAX, visit).await.unwrap_or_else(|_| Err("no hello in time".into()))
}

async fn connect(address: SocketAddr, source: IpAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Asks entry once. The inner error is the time to come back when no gateway has headroom.
async fn ask(entry: SocketAddr, room: &str, source: IpAddr) -> Result<Result<EntryAnswer, Duration>, String> {
    let text = |error: &dyn std::fmt::Display| format!("entry: {error}");
    let stream = connect(entry, source).await.map_err(|error| text(&error))?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| text(&error))?;
    let connection = tokio::spawn(connection);
    let asked = Request::get(format!("/v1/entry?room={room}")).header("host", entry.to_string());
    let asked = asked.body(Full::<Bytes>::default()).map_err(|error| text(&error))?;
    let response = sender.send_request(asked).await.map_err(|error| text(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), BYTES_MAX).collect().await;
    let body = body.map_err(|error| text(&error))?.to_bytes();
    drop(sender);
    connection.abort();
    if status.is_success() {
        return serde_json::from_slice(&body).map(Ok).map_err(|error| text(&error));
    }
    let refusal = serde_json::from_slice::<ErrorBody>(&body).ok().map(|body| body.error);
    match refusal.and_then(|refusal| refusal.retry_after_ms) {
        Some(ms) => Ok(Err(Duration::from_millis(ms))),
        None => Err(format!("entry: status {status}")),
    }
}

/// Connects to an endpoint, joins, and reads until the hello.
async fn open(url: &str, ticket: Option<&str>, source: IpAddr) -> Result<ClientStream, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
    let authority = uri.authority().ok_or("the endpoint has no host")?.to_string();
    let address: SocketAddr = authority.parse().map_err(|error| format!("{authority}: {error}"))?;
    let stream = connect(address, source).await.map_err(|error| error.to_string())?;
    let mut stream = ClientStream::Plain(stream);
    let query = ticket.map(|ticket| format!("?ticket={ticket}")).unwrap_or_default();
    let head = anonymous_request(&uri, &authority, &query);
    stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut bytes = read_answer(&mut stream).await.map_err(|failure| failure.reason)?;
    let join = ClientFrame::Join { token: None, after: None, client: None };
    let json = serde_json::to_vec(&join).expect("frames are plain data");
    let frame = client::frame(Opcode::Text, &json, Mask::Zero);
    stream.write_all(&frame).await.map_err(|error| error.to_string())?;
    loop {
        let frame = client::read(&bytes, BYTES_MAX).map_err(|_| "not a WebSocket")?;
        if let Some(frame) = frame {
            return match ServerFrame::parse(frame.payload_in(&bytes)) {
                Ok(ServerFrame::Hello(_)) => Ok(stream),
                Ok(ServerFrame::Error(refusal)) => Err(refusal.code.label().to_owned()),
                _ => Err("the first frame is no hello".into()),
            };
        }
        if stream.read_buf(&mut bytes).await.map_err(|error| error.to_string())? == 0 {
            return Err("closed before the hello".into());
        }
    }
}
