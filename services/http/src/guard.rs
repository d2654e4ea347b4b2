//! A connection with its header deadline and its place among the allowed ones.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use crate::transport::Transport;

/// A place among the allowed connections; given back when dropped. A gateway
/// keeps it as long as it keeps the socket.
#[derive(Debug)]
pub struct ConnectionPermit(#[allow(dead_code)] pub(crate) OwnedSemaphorePermit);

/// Set while a request is being answered: no header is due then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(Arc<AtomicBool>);

impl Busy {
    pub(crate) fn set(&self, busy: bool) {
        self.0.store(busy, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The socket under hyper. hyper's own header timeout counts idle time too, so it
/// serves as the idle limit, and this one starts at a request's first byte.
pub struct GuardedStream {
    stream: Transport,
    /// Read from the socket before hyper had it.
    head: Bytes,
    permit: ConnectionPermit,
    busy: Busy,
    header: Duration,
    /// Running while a header is due: from the accept, or from a first byte.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl GuardedStream {
    pub(crate) fn new(
        stream: Transport,
        head: Bytes,
        permit: ConnectionPermit,
        busy: Busy,
        header: Duration,
    ) -> Self {
        let deadline = Some(Box::pin(tokio::time::sleep_until(Instant::now() + header)));
        GuardedStream { stream, head, permit, busy, header, deadline }
    }

    /// The connection, after an upgrade, and its place.
    #[must_use]
    pub fn into_parts(self) -> (Transport, ConnectionPermit) {
        (self.stream, self.permit)
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.head.is_empty() {
            let part = this.head.split_to(this.head.len().min(buf.remaining()));
            buf.put_slice(&part);
            return Poll::Ready(Ok(()));
        }
        if this.busy.get() {
            this.deadline = None;
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        if Pin::new(&mut this.stream).poll_read(cx, buf)?.is_ready() {
            if this.deadline.is_none() && buf.filled().len() > before {
                this.deadline = Some(Box::pin(tokio::time::sleep_until(Instant::now() + this.header)));
            }
            return Poll::Ready(Ok(()));
        }
        let late = this.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready());
        if late {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "header deadline")));
        }
        Poll::Pending
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
