//! WebSocket client that sends any bytes, valid or not.

use std::net::SocketAddr;
use std::time::Duration;

use barrage_protocol::deflate::inflate;
use barrage_protocol::frame::{Batch, ServerFrame};
use barrage_protocol::lines::LineReader;
use barrage_protocol::{RoomId, Subprotocol, WireEncoding};
use barrage_ws::Opcode;
use barrage_ws::client::{Mask, close_code, raw_frame, read};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest frame of a server, before and after inflation.
const FRAME_BYTES_MAX: usize = 16 << 20;
/// Maximum wait for a frame; then the test panics.
const FRAME_MAX: Duration = Duration::from_secs(20);

/// Frame of the server, or the end of the connection.
#[derive(Debug)]
pub enum Frame {
    /// Frame of the protocol, parsed, with its JSON text.
    Protocol(ServerFrame, String),
    /// Payload of a WebSocket pong from the server.
    Pong(Vec<u8>),
    /// Code of a close frame; 1005 for a frame without a code.
    Close(u16),
    /// End of the TCP stream; a close frame, if any, came before.
    End,
}

/// A WebSocket connection after its handshake, on which tests write raw bytes.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
    buffer: BytesMut,
    /// Subprotocol that the server chose; `None` when it chose none.
    pub subprotocol: Option<String>,
    /// Bytes of the binary frames so far, with their headers.
    pub binary_bytes: usize,
    /// Reader and room of a connection with the encoding `lines`.
    lines: Option<(LineReader, RoomId)>,
}

impl RawSocket {
    /// Connects and upgrades. The error is the HTTP status of a refusal.
    pub async fn connect(
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<RawSocket, u16> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let extra: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = BytesMut::new();
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let read = tokio::time::timeout(FRAME_MAX, stream.read_buf(&mut buffer)).await.unwrap().unwrap();
            assert!(read > 0, "the connection ended during the handshake");
        };
        let head = String::from_utf8(buffer.split_to(end).to_vec()).unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 101 {
            return Err(status);
        }
        let subprotocol = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-protocol").then(|| value.trim().to_owned())
        });
        let chosen = subprotocol.as_deref().and_then(Subprotocol::find);
        let is_lines = chosen.is_some_and(|chosen| chosen.encoding == WireEncoding::Lines);
        let lines = is_lines.then(|| (LineReader::default(), RoomId::probe()));
        Ok(RawSocket { stream, buffer, subprotocol, binary_bytes: 0, lines })
    }

    /// Connects to a room and sends a join, with `after` as a resume.
    pub async fn join(address: SocketAddr, room: &str, token: Option<&str>, after: Option<u64>) -> RawSocket {
        let mut socket = RawSocket::connect(address, &format!("/v1/rooms/{room}/ws"), &[]).await.unwrap();
        let mut join = serde_json::json!({ "type": "join" });
        if let Some(token) = token {
            join["token"] = token.into();
        }
        if let Some(after) = after {
            join["after"] = after.into();
        }
        socket.send_text(&join.to_string()).await;
        socket
    }

    /// Joins a room as a guest and waits for the hello. A viewer gets no messages from before its hello, so
    /// a test joins before it posts.
    pub async fn joined(address: SocketAddr, room: &str) -> RawSocket {
        let mut socket = RawSocket::join(address, room, None, None).await;
        match socket.next().await {
            Frame::Protocol(ServerFrame::Hello(_), _) => socket,
            other => panic!("expected a hello, got {other:?}"),
        }
    }

    /// Sends bytes unchanged. Succeeds on a closed connection as well.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).await);
    }

    /// Sends a text frame, masked as the WebSocket protocol requires.
    pub async fn send_text(&mut self, text: &str) {
        self.send_raw(&masked(0x81, text.as_bytes())).await;
    }

    /// Waits for the next frame. Panics after 20 s without one.
    pub async fn next(&mut self) -> Frame {
        tokio::time::timeout(FRAME_MAX, self.read()).await.expect("a frame of the server")
    }

    /// Returns the next frame if one arrives within this time.
    pub async fn next_within(&mut self, patience: Duration) -> Option<Frame> {
        tokio::time::timeout(patience, self.read()).await.ok()
    }

    /// Waits for the next batch that extends the chain or answers a repair; skips pulses and other frames.
    pub async fn next_batch(&mut self) -> Batch {
        loop {
            match self.next().await {
                Frame::Protocol(ServerFrame::Batch(batch), _)
                    if batch.previous < batch.sequence || batch.repair.is_some() =>
                {
                    return batch;
                }
                Frame::Protocol(..) | Frame::Pong(_) => {}
                other => panic!("expected a batch, got {other:?}"),
            }
        }
    }

    /// Reads to the end. Returns the code of the last error frame, and the close code.
    pub async fn until_closed(&mut self) -> (Option<String>, Option<u16>) {
        let (mut refusal, mut close) = (None, None);
        loop {
            match self.next().await {
                Frame::Protocol(ServerFrame::Error(error), _) => {
                    refusal = Some(error.code.label().to_owned())
                }
                Frame::Close(code) => close = Some(code),
                Frame::End => return (refusal, close),
                Frame::Protocol(..) | Frame::Pong(_) => {}
            }
        }
    }

    async fn read(&mut self) -> Frame {
        loop {
            if let Some((opcode, payload)) = cut(&mut self.buffer) {
                return match opcode {
                    Opcode::Text => self.protocol(&payload),
                    Opcode::Binary => {
                        self.binary_bytes += payload.len() + if payload.len() < 126 { 2 } else { 4 };
                        let json = match &mut self.lines {
                            None => inflate(&payload, FRAME_BYTES_MAX).unwrap(),
                            Some((reader, room)) => reader.read(&payload, room, FRAME_BYTES_MAX).unwrap(),
                        };
                        self.protocol(&json)
                    }
                    Opcode::Close => Frame::Close(close_code(&payload)),
                    Opcode::Pong => Frame::Pong(payload.to_vec()),
                    Opcode::Ping => panic!("a ping from the server"),
                };
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Frame::End,
                Ok(_) => {}
            }
        }
    }

    fn protocol(&mut self, json: &[u8]) -> Frame {
        let frame = ServerFrame::parse(json).unwrap_or_else(|error| {
            panic!("the server sent {}: {error}", String::from_utf8_lossy(json));
        });
        if let (Some((_, room)), ServerFrame::Hello(hello)) = (&mut self.lines, &frame) {
            *room = hello.room.clone();
        }
        Frame::Protocol(frame, String::from_utf8(json.to_vec()).unwrap())
    }
}

/// Removes the first whole frame from a buffer.
fn cut(buffer: &mut BytesMut) -> Option<(Opcode, BytesMut)> {
    let frame = read(buffer, FRAME_BYTES_MAX).expect("a valid frame of a server")?;
    let mut bytes = buffer.split_to(frame.bytes());
    bytes.advance(frame.header);
    Some((frame.opcode, bytes))
}

/// Encodes a client's frame with any first byte and payload, masked.
#[must_use]
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    raw_frame(first, payload, Mask::Bytes([7, 1, 9, 3]))
}
