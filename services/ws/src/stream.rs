//! Frames over one asynchronous connection, read and written by two tasks.

use bytes::BytesMut;
use fastwebsockets::{OpCode, Payload, Role, WebSocketError, WebSocketRead, WebSocketWrite};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};

use crate::Opcode;

/// End of a connection: only a client masks its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Connected to a server: masks every frame that it sends.
    Client,
    /// Accepted a client: sends frames without a mask.
    Server,
}

/// The connection failed, or the other side broke RFC 6455.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StreamError(#[from] WebSocketError);

/// Splits a connection whose handshake is done. A frame may have `frame_bytes_max` bytes.
///
/// Nothing is answered by itself: the owner answers pings and close frames.
pub fn split<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    side: Side,
    frame_bytes_max: usize,
) -> (Reader<ReadHalf<S>>, Writer<WriteHalf<S>>) {
    let (read, write) = tokio::io::split(stream);
    let role = match side {
        Side::Client => Role::Client,
        Side::Server => Role::Server,
    };
    let (mut reader, writer) = fastwebsockets::after_handshake_split(read, write, role);
    reader.set_max_message_size(frame_bytes_max);
    reader.set_auto_close(false);
    reader.set_auto_pong(false);
    (Reader(reader), Writer(writer))
}

/// Reading half of a connection, for the task that receives.
pub struct Reader<R>(WebSocketRead<R>);

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads the next frame: its kind and its payload. A read that is dropped before it is done
    /// may lose bytes, so the connection is of no use afterwards.
    ///
    /// An error ends the connection; a fragment is one.
    pub async fn next(&mut self) -> Result<(Opcode, BytesMut), StreamError> {
        let mut no_answer = |_| std::future::ready(Ok::<_, std::convert::Infallible>(()));
        let frame = self.0.read_frame(&mut no_answer).await?;
        let opcode = match frame.opcode {
            OpCode::Text if frame.fin => Opcode::Text,
            OpCode::Binary if frame.fin => Opcode::Binary,
            OpCode::Close => Opcode::Close,
            OpCode::Ping => Opcode::Ping,
            OpCode::Pong => Opcode::Pong,
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                return Err(WebSocketError::InvalidFragment.into());
            }
        };
        let payload = match frame.payload {
            Payload::Bytes(bytes) => bytes,
            other => BytesMut::from(&other[..]),
        };
        Ok((opcode, payload))
    }
}

/// Writing half of a connection, for the task that sends.
pub struct Writer<W>(WebSocketWrite<W>);

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Writes one frame and flushes it; a client's frame gets a random mask.
    pub async fn send(&mut self, opcode: Opcode, payload: Vec<u8>) -> Result<(), StreamError> {
        let opcode = match opcode {
            Opcode::Text => OpCode::Text,
            Opcode::Binary => OpCode::Binary,
            Opcode::Close => OpCode::Close,
            Opcode::Ping => OpCode::Ping,
            Opcode::Pong => OpCode::Pong,
        };
        let frame = fastwebsockets::Frame::new(true, opcode, None, Payload::Owned(payload));
        Ok(self.0.write_frame(frame).await?)
    }

    /// Writes a close frame; RFC 6455 permits a `reason` of up to 123 bytes.
    pub async fn close(&mut self, code: u16, reason: &str) -> Result<(), StreamError> {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        self.send(Opcode::Close, payload).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_travel_both_ways() {
        let (client, server) = tokio::io::duplex(64);
        let (mut client_reads, mut client_writes) = split(client, Side::Client, 1 << 20);
        let (mut server_reads, mut server_writes) = split(server, Side::Server, 1 << 20);
        let sent = async {
            client_writes.send(Opcode::Text, b"hello".to_vec()).await.unwrap();
            client_writes.send(Opcode::Ping, b"p".to_vec()).await.unwrap();
            server_writes.send(Opcode::Binary, vec![7; 70_000]).await.unwrap();
            server_writes.close(4300, "elsewhere").await.unwrap();
        };
        let received = async {
            let text = server_reads.next().await.unwrap();
            let ping = server_reads.next().await.unwrap();
            let binary = client_reads.next().await.unwrap();
            let close = client_reads.next().await.unwrap();
            (text, ping, binary, close)
        };
        let ((), (text, ping, binary, close)) = tokio::join!(sent, received);
        assert_eq!((text.0, &text.1[..]), (Opcode::Text, &b"hello"[..]));
        assert_eq!((ping.0, &ping.1[..]), (Opcode::Ping, &b"p"[..]));
        assert_eq!((binary.0, binary.1.len()), (Opcode::Binary, 70_000));
        assert_eq!((close.0, crate::client::close_code(&close.1)), (Opcode::Close, 4300));
    }

    #[tokio::test]
    async fn fragments_and_large_frames_are_errors() {
        for bytes in [&[0x01, 1, b'a'][..], &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]] {
            let (client, mut server) = tokio::io::duplex(64);
            let (mut reader, _writer) = split(client, Side::Client, 1_024);
            tokio::io::AsyncWriteExt::write_all(&mut server, bytes).await.unwrap();
            drop(server);
            assert!(reader.next().await.is_err(), "{bytes:?}");
        }
    }
}
