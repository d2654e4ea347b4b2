//! The first bytes of a connection: lines of IRC, or a WebSocket handshake.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::handshake::{self, Handshake};
use crate::connection::{Arrived, Io};
use crate::metrics::TransportKind;

/// Begin of a WebSocket handshake; no command of IRC begins so.
const GET: &[u8] = b"GET ";
/// Longest head of a handshake.
const HEAD_BYTES_MAX: usize = 8_192;

/// Reads the first bytes and answers a handshake; `None` when the connection is of no use. The caller bounds
/// the time.
pub(super) async fn greet(mut socket: Box<dyn Io>) -> Option<Arrived> {
    let mut early = BytesMut::with_capacity(1_024);
    while early.len() < GET.len() && !early.contains(&b'\n') {
        read(&mut socket, &mut early).await?;
    }
    if !early.starts_with(GET) {
        return Some(Arrived { socket, kind: TransportKind::Tcp, early });
    }
    while !early.ends_with(b"\r\n\r\n") {
        // Bytes behind the head would be frames before the answer, which no client sends.
        if early.len() > HEAD_BYTES_MAX {
            return None;
        }
        read(&mut socket, &mut early).await?;
    }
    match handshake::answer(&early) {
        Handshake::Accepted(answer) => {
            socket.write_all(answer.as_bytes()).await.ok()?;
            Some(Arrived { socket, kind: TransportKind::WebSocket, early: BytesMut::new() })
        }
        Handshake::Refused(answer) => {
            socket.write_all(answer.as_bytes()).await.ok()?;
            drop(socket.shutdown().await);
            None
        }
    }
}

async fn read(socket: &mut Box<dyn Io>, buffer: &mut BytesMut) -> Option<()> {
    match socket.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}
