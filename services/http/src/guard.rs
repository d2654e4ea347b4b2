//! A connection with its header and write deadlines and its place among the allowed ones.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use crate::activity::Activity;
use crate::config::HttpConfig;
use crate::place::Place;
use crate::transport::Transport;

/// A place among the allowed connections; given back when dropped. A gateway
/// keeps it as long as it keeps the socket.
#[derive(Debug)]
pub struct ConnectionPermit {
    _of_all: OwnedSemaphorePermit,
    _of_address: Option<Place>,
}

impl ConnectionPermit {
    pub(crate) const fn new(of_all: OwnedSemaphorePermit, of_address: Option<Place>) -> Self {
        ConnectionPermit { _of_all: of_all, _of_address: of_address }
    }
}

/// The socket under hyper. hyper's own header timeout counts idle time too, so it
/// serves as the idle limit, and this one starts at a request's first byte.
pub struct GuardedStream {
    stream: Transport,
    /// Read from the socket before hyper had it.
    head: Bytes,
    permit: ConnectionPermit,
    activity: Arc<Activity>,
    header: Duration,
    /// Running while a header is due: from the accept, or from a first byte.
    deadline: Option<Pin<Box<Sleep>>>,
    stall: Stall,
}

/// The write deadline: runs while bytes wait and the socket takes none.
struct Stall {
    max: Duration,
    running: Option<Pin<Box<Sleep>>>,
    /// What the socket had taken under TLS when the deadline was started.
    taken: u64,
}

impl Stall {
    /// Looks at the outcome of a write, flush or shutdown: one that is pending is an error
    /// when the socket has taken nothing for as long as is allowed.
    fn check<T>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Transport,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let taken = stream.taken();
        if outcome.is_ready() {
            // Under TLS a write that succeeds may have gone into the buffer alone.
            if matches!(stream, Transport::Plain(_)) || taken != self.taken {
                self.running = None;
            }
            return outcome;
        }
        if taken != self.taken {
            self.running = None;
            self.taken = taken;
        }
        let max = self.max;
        let running = self.running.get_or_insert_with(|| Box::pin(tokio::time::sleep(max)));
        if running.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // What waits in the kernel goes at once, not when the kernel gives the client up.
        if let Err(error) = socket2::SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "a stalled connection lingers");
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no bytes")))
    }
}

impl GuardedStream {
    pub(crate) fn new(
        stream: Transport,
        head: Bytes,
        permit: ConnectionPermit,
        activity: Arc<Activity>,
        config: &HttpConfig,
    ) -> Self {
        let header = Duration::from_secs(config.header_secs);
        let deadline = Some(Box::pin(tokio::time::sleep_until(Instant::now() + header)));
        let max = Duration::from_secs(config.write_stall_secs.max(1));
        let stall = Stall { max, running: None, taken: stream.taken() };
        GuardedStream { stream, head, permit, activity, header, deadline, stall }
    }

    /// The connection, after an upgrade, and its place. The gateway bounds what waits for a
    /// viewer by itself.
    #[must_use]
    pub fn into_parts(self) -> (Transport, ConnectionPermit) {
        // 0 is the system's default.
        if let Err(error) = socket2::SockRef::from(self.stream.socket()).set_tcp_notsent_lowat(0) {
            tracing::debug!(%error, "the bound of unsent bytes stays");
        }
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
        if this.activity.is_busy() {
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
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.stall.check(cx, &this.stream, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready() {
            // Nothing waits.
            this.stall.running = None;
            return flushed;
        }
        this.stall.check(cx, &this.stream, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.stall.check(cx, &this.stream, shut)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.stall.check(cx, &this.stream, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
