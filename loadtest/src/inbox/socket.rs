//! The connection of a device: from entry to `attached`, and its frames.

use std::time::Duration;

use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{ClientFrame, ServerFrame};
use barrage_tls::ClientStream;
use barrage_ws::Opcode;
use barrage_ws::client::{self, Mask};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::site::Site;
use crate::net::http::Target;
use crate::net::source::Pace;
use crate::scenario::Encoding;
use crate::worker::connect::{read_answer, request};

/// Largest frame of a server.
const FRAME_BYTES_MAX: usize = 8 << 20;
/// Longest wait for the handshake, and for `hello` and `attached`.
const STEP_MAX: Duration = Duration::from_secs(15);

/// A connection of a device, attached to its user's mail.
#[derive(Debug)]
pub(super) struct Socket {
    stream: ClientStream,
    buffer: Vec<u8>,
    /// Time without a frame of the client after which it pings.
    pub(super) ping_every: Duration,
}

impl Socket {
    /// Connects a device as entry says, joins the room with a token and attaches. The error is the reason for
    /// counts.
    pub(super) async fn attach(site: &Site, token: &str) -> Result<Socket, String> {
        let answer = site.ask_entry("").await?;
        let ticket = match &answer.ticket {
            Some(ticket) => {
                tokio::time::sleep(Duration::from_millis(ticket.wait_ms)).await;
                format!("?ticket={}", ticket.token)
            }
            None => String::new(),
        };
        let mut last = "entry: no gateway".to_owned();
        for endpoint in answer.downlinks.iter().filter(|endpoint| endpoint.transport == Transport::Ws) {
            let opened = tokio::time::timeout(STEP_MAX, Socket::open(site, &endpoint.url, token, &ticket));
            match opened.await.unwrap_or_else(|_| Err("attach: timeout".into())) {
                Ok(socket) => return Ok(socket),
                Err(reason) => last = reason,
            }
        }
        Err(last)
    }

    async fn open(site: &Site, url: &str, token: &str, query: &str) -> Result<Socket, String> {
        let (target, uri) = Target::resolve(url, &site.tls).await?;
        let connected = target.connect(site.source(), Pace::Full).await;
        let mut stream = connected.map_err(|error| format!("connect: {}", error.kind()))?;
        let head = request(&uri, &target.host, Encoding::Json, Some(&token.to_owned()), query);
        stream.write_all(head.as_bytes()).await.map_err(|_| "handshake: broken")?;
        let buffer = read_answer(&mut stream).await.map_err(|failure| failure.reason)?;
        let mut socket = Socket { stream, buffer, ping_every: STEP_MAX };
        loop {
            match socket.next().await? {
                ServerFrame::Hello(hello) => {
                    socket.ping_every = Duration::from_millis(hello.ping_interval_ms.max(1_000));
                    socket.send(&ClientFrame::Attach { device: None, visible: false }).await?;
                }
                ServerFrame::Attached(_) => return Ok(socket),
                ServerFrame::Error(refusal) => return Err(refusal.code.label().into()),
                _ => {}
            }
        }
    }

    /// Sends one frame of the protocol.
    pub(super) async fn send(&mut self, frame: &ClientFrame) -> Result<(), String> {
        let json = serde_json::to_vec(frame).expect("frames are plain data");
        self.write(Opcode::Text, &json).await
    }

    async fn write(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), String> {
        let frame = client::frame(opcode, payload, Mask::Zero);
        self.stream.write_all(&frame).await.map_err(|_| "broken".to_owned())
    }

    /// Returns the next frame of the protocol. Dropped in the middle, it loses nothing.
    pub(super) async fn next(&mut self) -> Result<ServerFrame, String> {
        loop {
            let found = client::read(&self.buffer, FRAME_BYTES_MAX).map_err(|_| "not WebSocket")?;
            let Some(frame) = found else {
                if self.stream.read_buf(&mut self.buffer).await.map_err(|_| "broken")? == 0 {
                    return Err("broken".into());
                }
                continue;
            };
            let payload = frame.payload_in(&self.buffer).to_vec();
            self.buffer.drain(..frame.bytes());
            match frame.opcode {
                Opcode::Text => return ServerFrame::parse(&payload).map_err(|_| "nonsense".into()),
                Opcode::Ping => self.write(Opcode::Pong, &payload).await?,
                Opcode::Close => return Err(format!("close {}", client::close_code(&payload))),
                _ => {}
            }
        }
    }
}
