use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::tls_session::{RECORD_BYTES_MAX, TlsSession};

/// Encrypted bytes that one read takes: a whole record of a small request, and a part of a large one.
const READ_BYTES: usize = 4 * 1024;

/// A server's side of a TLS connection over TCP.
#[derive(Debug)]
pub struct TlsStream {
    stream: TcpStream,
    session: Box<TlsSession>,
    /// Encrypted bytes that the socket has taken. A write may end in a buffer while the socket takes none.
    taken: u64,
}

impl TlsStream {
    /// Continues a session over a socket.
    pub(crate) const fn new(stream: TcpStream, session: Box<TlsSession>) -> Self {
        TlsStream { stream, session, taken: 0 }
    }

    /// Makes the handshake of a new connection.
    pub(crate) async fn accept(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = TlsSession::new(config).map_err(invalid)?;
        let mut accepted = TlsStream::new(stream, Box::new(session));
        std::future::poll_fn(|cx| accepted.poll_handshake(cx)).await?;
        Ok(accepted)
    }

    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }

    pub(crate) const fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether the handshake chose HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.session.protocol() == Some(b"h2")
    }

    /// Returns the socket, and the session with all bytes that were read from it.
    #[must_use]
    pub fn into_parts(self) -> (TcpStream, Box<TlsSession>) {
        (self.stream, self.session)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_receive(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Reads encrypted bytes once; 0 at the end of TCP.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let received = self.session.receive(buffer.filled_mut());
        if !self.session.unsent().is_empty() {
            // An alert, or an answer to a change of keys: later writes go on with it.
            let _pending = self.poll_send(cx)?;
        }
        received.map_err(invalid)?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes the encrypted bytes that wait.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.unsent().is_empty() {
            let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, self.session.unsent()))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.session.sent(taken);
            self.taken += taken as u64;
        }
        Poll::Ready(Ok(()))
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let read = this.session.read(buf.initialize_unfilled());
            if read > 0 || buf.remaining() == 0 {
                buf.advance(read);
                return Poll::Ready(Ok(()));
            }
            if this.session.is_at_end() {
                return Poll::Ready(Ok(()));
            }
            if ready!(this.poll_receive(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

impl AsyncWrite for TlsStream {
    /// Takes one record at most, and no further one before the socket has taken it.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        let part = &buf[..buf.len().min(RECORD_BYTES_MAX)];
        this.session.encrypt(part).map_err(invalid)?;
        let _pending = this.poll_send(cx)?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.session.close().map_err(invalid)?;
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
