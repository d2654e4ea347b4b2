//! A WebSocket by hand: it sends whatever bytes a test wants.

use std::net::SocketAddr;
use std::time::Duration;

use barrage_protocol::deflate::inflate;
use barrage_protocol::frame::{Batch, ServerFrame};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server sent.
#[derive(Debug)]
pub enum Frame {
    /// A protocol frame and its JSON.
    Protocol(ServerFrame, String),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame's code.
    Close(u16),
    /// The connection ended.
    End,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
    buffer: BytesMut,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
}

impl RawSocket {
    /// Does the handshake; the status when it is refused.
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
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut buffer)).await.unwrap().unwrap();
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
        Ok(RawSocket { stream, buffer, subprotocol })
    }

    /// Connects to a room and joins it; `after` resumes.
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

    /// Joins a room as a guest and reads the hello. What is published before it is
    /// not due to a viewer: a test that posts and then looks must be in first.
    pub async fn joined(address: SocketAddr, room: &str) -> RawSocket {
        let mut socket = RawSocket::join(address, room, None, None).await;
        match socket.next().await {
            Frame::Protocol(ServerFrame::Hello(_), _) => socket,
            other => panic!("no hello, but {other:?}"),
        }
    }

    /// Sends bytes as they are; a connection that is gone already is no failure.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).await);
    }

    /// Sends a masked text frame.
    pub async fn send_text(&mut self, text: &str) {
        self.send_raw(&masked(0x81, text.as_bytes())).await;
    }

    /// The next frame.
    pub async fn next(&mut self) -> Frame {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("no frame came")
    }

    /// A frame if one comes within this time.
    pub async fn next_within(&mut self, patience: Duration) -> Option<Frame> {
        tokio::time::timeout(patience, self.read()).await.ok()
    }

    /// The next batch that says something of the chain; pulses and other frames are
    /// passed over.
    pub async fn next_batch(&mut self) -> Batch {
        loop {
            match self.next().await {
                Frame::Protocol(ServerFrame::Batch(batch), _)
                    if batch.previous < batch.sequence || batch.repair.is_some() =>
                {
                    return batch;
                }
                Frame::Protocol(..) | Frame::Pong(_) => {}
                other => panic!("no batch, but {other:?}"),
            }
        }
    }

    /// Reads to the end: the refusal's code if one came, and the close code.
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
                    0x1 => protocol(&payload),
                    0x2 => protocol(&inflate(&payload, 16 << 20).unwrap()),
                    0x8 => Frame::Close(
                        payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]])),
                    ),
                    0xA => Frame::Pong(payload),
                    other => panic!("an opcode {other} from the server"),
                };
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Frame::End,
                Ok(_) => {}
            }
        }
    }
}

fn protocol(json: &[u8]) -> Frame {
    let frame = ServerFrame::parse(json).unwrap_or_else(|error| {
        panic!("the server sent {}: {error}", String::from_utf8_lossy(json));
    });
    Frame::Protocol(frame, String::from_utf8(json.to_vec()).unwrap())
}

fn cut(buffer: &mut BytesMut) -> Option<(u8, Vec<u8>)> {
    let (first, second) = (*buffer.first()?, *buffer.get(1)?);
    assert_eq!(second & 0x80, 0, "the server must not mask");
    let (len, header) = match second {
        126 => (usize::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().unwrap())), 4),
        127 => (u64::from_be_bytes(buffer.get(2..10)?.try_into().unwrap()) as usize, 10),
        short => (usize::from(short), 2),
    };
    if buffer.len() < header + len {
        return None;
    }
    buffer.advance(header);
    Some((first & 0x0f, buffer.split_to(len).to_vec()))
}

/// A client's frame: any first byte, any payload, masked.
#[must_use]
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 1, 9, 3];
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    out
}
