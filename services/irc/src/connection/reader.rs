//! Reads lines from a socket, over TCP or over WebSocket.

use barrage_ws::Opcode;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadHalf};
use tokio::sync::mpsc;

use super::outbox::{Outbox, Outgoing};
use super::socket::Io;
use crate::session::CloseCause;
use crate::wire::LINE_BYTES_MAX;

/// Bytes that one read of a socket asks for.
const READ_BYTES: usize = 4_096;

/// Reading half of a connection.
pub(super) enum LineReader {
    /// Lines of a TCP connection, and the bytes that have come already.
    Tcp(ReadHalf<Box<dyn Io>>, BytesMut),
    /// Frames of a WebSocket; each has one line, or several.
    WebSocket(barrage_ws::stream::Reader<ReadHalf<Box<dyn Io>>>),
}

impl LineReader {
    /// Passes all lines on until the end, and returns why that came. The queue bounds what is read ahead.
    pub(super) async fn run(self, lines: &mpsc::Sender<Vec<u8>>, outbox: &Outbox) -> CloseCause {
        match self {
            LineReader::Tcp(socket, buffer) => tcp(socket, buffer, lines).await,
            LineReader::WebSocket(frames) => websocket(frames, lines, outbox).await,
        }
    }
}

async fn tcp(
    mut socket: impl AsyncRead + Unpin,
    mut buffer: BytesMut,
    lines: &mpsc::Sender<Vec<u8>>,
) -> CloseCause {
    loop {
        while let Some(end) = buffer.iter().take(LINE_BYTES_MAX + 2).position(|byte| *byte == b'\n') {
            let line = buffer.split_to(end + 1);
            if lines.send(line.to_vec()).await.is_err() {
                return CloseCause::Client;
            }
        }
        if buffer.len() > LINE_BYTES_MAX {
            return CloseCause::LongLine;
        }
        buffer.reserve(READ_BYTES);
        match socket.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return CloseCause::Client,
            Ok(_) => {}
        }
    }
}

async fn websocket(
    mut frames: barrage_ws::stream::Reader<ReadHalf<Box<dyn Io>>>,
    lines: &mpsc::Sender<Vec<u8>>,
    outbox: &Outbox,
) -> CloseCause {
    loop {
        let mut payload = match frames.next().await {
            Ok((Opcode::Text | Opcode::Binary, payload)) => payload,
            Ok((Opcode::Ping, payload)) => match outbox.push(Outgoing::Pong(payload.to_vec())) {
                Ok(()) => continue,
                Err(_) => return CloseCause::SlowReader,
            },
            Ok((Opcode::Pong, _)) => continue,
            Ok((Opcode::Close, _)) | Err(_) => return CloseCause::Client,
        };
        while payload.has_remaining() {
            let end = payload.iter().position(|byte| *byte == b'\n').map_or(payload.len(), |end| end + 1);
            let line = payload.split_to(end);
            if line.iter().all(|byte| byte.is_ascii_whitespace()) {
                continue;
            }
            if lines.send(line.to_vec()).await.is_err() {
                return CloseCause::Client;
            }
        }
    }
}
