//! Echoes messages by this crate's frames, for the Autobahn test suite: `serve ADDRESS`, or `call URL` for its
//! fuzzing server. `cargo xtask conformance` runs both.
//!
//! The product takes whole text frames alone. This program adds what RFC 6455 allows besides: fragments and
//! binary messages, put together here from the crate's [`raw`] frames.

use std::net::SocketAddr;

use barrage_ws::client::{self, Mask};
use barrage_ws::raw::{Kind, RawFrame, read_masked, read_plain};
use barrage_ws::{Opcode, Violation, handshake, server};
use bytes::{Buf, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longest message; the suite's longest has 16 MiB.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Longest head of a handshake.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// Name under which the suite reports the client.
const AGENT: &str = "barrage";

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address] => serve(address.parse()?).await,
        ["call", address] => call_all(address.parse()?).await,
        _ => Err("autobahn serve ADDRESS | autobahn call ADDRESS".into()),
    }
}

async fn serve(address: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut buffer = BytesMut::new();
            let headers = read_head(&mut stream, &mut buffer).await?;
            let mut answer = String::from("HTTP/1.1 101 Switching Protocols\r\n");
            for (name, value) in &handshake::answer_headers(headers)? {
                answer.push_str(&format!("{name}: {}\r\n", value.to_str()?));
            }
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            echo(stream, buffer, End::Server).await
        });
    }
}

/// Runs every case of a fuzzing server, then has it write its reports.
async fn call_all(server: SocketAddr) -> Result<(), Failure> {
    let (mut stream, mut buffer) = call(server, "/getCaseCount").await?;
    let count: usize = loop {
        if let Some(frame) = read_plain(&buffer, MESSAGE_BYTES_MAX)? {
            break std::str::from_utf8(frame.payload)?.parse()?;
        }
        stream.read_buf(&mut buffer).await?;
    };
    for case in 1..=count {
        let (stream, buffer) = call(server, &format!("/runCase?case={case}&agent={AGENT}")).await?;
        // A case may end by a reset.
        drop(echo(stream, buffer, End::Client).await);
    }
    // The suite resets this connection when the reports are written.
    let (stream, buffer) = call(server, &format!("/updateReports?agent={AGENT}")).await?;
    drop(echo(stream, buffer, End::Client).await);
    Ok(())
}

async fn call(server: SocketAddr, path: &str) -> Result<(TcpStream, BytesMut), Failure> {
    let mut stream = TcpStream::connect(server).await?;
    let key = handshake::generate_key();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = BytesMut::new();
    read_head(&mut stream, &mut buffer).await?;
    Ok((stream, buffer))
}

/// Reads to the end of a head; returns its fields and leaves what follows in the buffer.
async fn read_head(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<HeaderMap, Failure> {
    loop {
        if let Some(at) = buffer.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = buffer.split_to(at + 4);
            let mut headers = HeaderMap::new();
            for line in std::str::from_utf8(&head)?.lines().skip(1) {
                if let Some((name, value)) = line.split_once(':') {
                    headers.append(name.parse::<HeaderName>()?, value.trim().parse::<HeaderValue>()?);
                }
            }
            return Ok(headers);
        }
        if buffer.len() > HEAD_BYTES_MAX || stream.read_buf(buffer).await? == 0 {
            return Err("no head".into());
        }
    }
}

/// End of the connection that this program is.
#[derive(Debug, Clone, Copy)]
enum End {
    Server,
    Client,
}

impl End {
    fn read(self, buffer: &mut [u8]) -> Result<Option<RawFrame<'_>>, Violation> {
        match self {
            End::Server => read_masked(buffer, MESSAGE_BYTES_MAX),
            End::Client => read_plain(buffer, MESSAGE_BYTES_MAX),
        }
    }

    fn write(self, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        match self {
            End::Server => server::frame(opcode, payload).into(),
            End::Client => client::frame(opcode, payload, Mask::Bytes([0x37, 0xfa, 0x21, 0x3d])),
        }
    }
}

/// Sends every message back, answers pings, and ends as RFC 6455 says.
async fn echo(mut stream: TcpStream, mut buffer: BytesMut, end: End) -> Result<(), Failure> {
    let mut messages = Messages::default();
    loop {
        let taken = match end.read(&mut buffer) {
            Ok(None) => {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
                continue;
            }
            Ok(Some(frame)) => {
                let bytes = frame.bytes;
                messages.take(&frame).map(|answer| (bytes, answer))
            }
            Err(violation) => Err(violation),
        };
        let (opcode, payload) = match taken {
            Ok((bytes, answer)) => {
                buffer.advance(bytes);
                let Some(answer) = answer else { continue };
                answer
            }
            Err(violation) => (Opcode::Close, code(violation).to_be_bytes().to_vec()),
        };
        stream.write_all(&end.write(opcode, &payload)).await?;
        if opcode == Opcode::Close {
            stream.shutdown().await?;
            // The other side closes first, so that it reads the whole answer.
            while stream.read_buf(&mut buffer).await? > 0 {
                buffer.clear();
            }
            return Ok(());
        }
    }
}

const fn code(violation: Violation) -> u16 {
    match violation {
        Violation::Malformed => 1002,
        Violation::Binary => 1003,
        Violation::InvalidUtf8 => 1007,
        Violation::TooLarge => 1009,
    }
}

/// The message that is being received, in fragments.
#[derive(Debug, Default)]
struct Messages {
    opcode: Option<Opcode>,
    payload: Vec<u8>,
    /// Bytes of a text that are known to be UTF-8.
    checked: usize,
}

impl Messages {
    /// Takes a frame; returns the frame that answers it.
    fn take(&mut self, frame: &RawFrame<'_>) -> Result<Option<(Opcode, Vec<u8>)>, Violation> {
        match frame.kind {
            Kind::Ping => return Ok(Some((Opcode::Pong, frame.payload.to_vec()))),
            Kind::Pong => return Ok(None),
            Kind::Close => {
                server::check_close(frame.payload)?;
                let code = frame.payload.get(..2).unwrap_or_default();
                return Ok(Some((Opcode::Close, code.to_vec())));
            }
            Kind::Continuation if self.opcode.is_none() => return Err(Violation::Malformed),
            Kind::Text | Kind::Binary if self.opcode.is_some() => return Err(Violation::Malformed),
            Kind::Text => self.opcode = Some(Opcode::Text),
            Kind::Binary => self.opcode = Some(Opcode::Binary),
            Kind::Continuation => {}
        }
        if self.payload.len() + frame.payload.len() > MESSAGE_BYTES_MAX {
            return Err(Violation::TooLarge);
        }
        self.payload.extend_from_slice(frame.payload);
        if self.opcode == Some(Opcode::Text) {
            self.check(frame.is_last)?;
        }
        if !frame.is_last {
            return Ok(None);
        }
        self.checked = 0;
        let opcode = self.opcode.take().ok_or(Violation::Malformed)?;
        Ok(Some((opcode, std::mem::take(&mut self.payload))))
    }

    /// Checks the new part of a text. A character may be cut between two fragments, not at the end.
    fn check(&mut self, is_last: bool) -> Result<(), Violation> {
        match std::str::from_utf8(&self.payload[self.checked..]) {
            Ok(_) => self.checked = self.payload.len(),
            Err(error) if error.error_len().is_some() || is_last => return Err(Violation::InvalidUtf8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }
}
