//! A connection with its header and write deadlines and its slot.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::frame_meter::FrameMeter;
use super::transport::Transport;
use crate::config::HttpConfig;
use crate::limits::Slot;

/// A connection's slots of the server and of its address, freed on drop. A gateway keeps the permit
/// as long as the socket.
#[derive(Debug)]
pub struct ConnectionPermit {
    _of_all: OwnedSemaphorePermit,
    _of_address: Option<Slot>,
}

impl ConnectionPermit {
    pub(crate) const fn new(of_all: OwnedSemaphorePermit, of_address: Option<Slot>) -> Self {
        ConnectionPermit { _of_all: of_all, _of_address: of_address }
    }
}

/// The socket under hyper, with a header deadline that starts at a request's first byte. hyper's
/// own header timeout also counts idle time, so it serves as the idle limit.
pub struct GuardedStream {
    stream: Transport,
    /// Bytes that were read from the socket before hyper took it.
    head: Bytes,
    permit: ConnectionPermit,
    activity: Arc<Activity>,
    header: Duration,
    /// Runs while a header is due: from the accept, or from a request's first byte.
    deadline: Deadline,
    stall: Stall,
    /// The frames of HTTP/2; `None` under HTTP/1.1.
    frames: Option<Box<Frames>>,
}

/// The deadline of a header. Its timer starts when a read has to wait: most headers arrive whole, and need
/// none.
struct Deadline {
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    const fn at(at: Option<Instant>) -> Self {
        Deadline { at, timer: None }
    }

    const fn is_running(&self) -> bool {
        self.at.is_some()
    }

    /// Whether the deadline is over. If not, the task is woken then.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(at) = self.at else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        timer.as_mut().poll(cx).is_ready()
    }
}

/// The frames of an HTTP/2 connection, and which of them the deadline is for.
struct Frames {
    meter: FrameMeter,
    origin: Instant,
    due: Option<u64>,
}

/// The write deadline. It runs while bytes wait and the socket takes none.
struct Stall {
    max: Duration,
    running: Option<Pin<Box<Sleep>>>,
    /// Bytes that the socket had taken under TLS when the deadline started.
    taken: u64,
}

impl Stall {
    /// Checks the outcome of a write, flush or shutdown. A pending outcome becomes an error when the
    /// socket has taken no byte for `max`.
    fn check<T>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Transport,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let taken = stream.taken();
        if outcome.is_ready() {
            // Under TLS a successful write may have filled the TLS buffer alone.
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
        discard(stream);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no bytes")))
    }
}

/// Frees the bytes in the kernel at the close, not when the kernel gives up on the client.
fn discard(stream: &Transport) {
    if let Err(error) = socket2::SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "a connection that is cut keeps its bytes in the kernel");
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
        let deadline = Deadline::at(Some(Instant::now() + header));
        let max = Duration::from_secs(config.write_stall_secs.max(1));
        let stall = Stall { max, running: None, taken: stream.taken() };
        let frames = stream.is_http2().then(|| {
            let meter = FrameMeter::new(&config.http2, Duration::ZERO);
            Box::new(Frames { due: meter.due(), meter, origin: Instant::now() })
        });
        GuardedStream { stream, head, permit, activity, header, deadline, stall, frames }
    }

    /// Reads frames of HTTP/2: counts them, and starts the deadline of a frame that has begun.
    fn poll_read_frames(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(frames) = &mut self.frames else { return polled };
        if polled.is_pending() {
            return self.poll_deadline(cx);
        }
        let was_open = frames.meter.is_open();
        let bytes = buf.filled().get(before..).unwrap_or_default();
        if let Err(cut) = frames.meter.read(bytes, frames.origin.elapsed()) {
            self.activity.cut(cut);
            discard(&self.stream);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, cut.label())));
        }
        if !was_open && frames.meter.is_open() {
            self.activity.open_ahead();
        }
        let due = frames.meter.due();
        if due != frames.due {
            frames.due = due;
            self.deadline = Deadline::at(due.map(|_| Instant::now() + self.header));
        }
        polled
    }

    /// Returns an error when a header or a frame is late.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deadline.poll_over(cx) {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the header did not arrive in time",
            )));
        }
        Poll::Pending
    }

    /// Counts bytes that the client was sent, by which it may grant windows.
    fn count_sent(&mut self, written: &Poll<io::Result<usize>>) {
        if let (Some(frames), Poll::Ready(Ok(bytes))) = (&mut self.frames, written) {
            frames.meter.sent(*bytes);
        }
    }

    /// Returns the connection and its permit, after an upgrade. The gateway bounds the bytes that
    /// wait for a viewer by itself.
    #[must_use]
    pub fn into_parts(self) -> (Transport, ConnectionPermit) {
        let socket = socket2::SockRef::from(self.stream.socket());
        // 0 and `None` mean the system's defaults.
        if let Err(error) = socket.set_tcp_notsent_lowat(0).and_then(|()| socket.set_tcp_user_timeout(None)) {
            tracing::debug!(%error, "the bounds of unsent bytes cannot be removed");
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
        if this.frames.is_some() {
            return this.poll_read_frames(cx, buf);
        }
        if this.activity.is_busy() {
            this.deadline = Deadline::at(None);
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        if Pin::new(&mut this.stream).poll_read(cx, buf)?.is_ready() {
            if !this.deadline.is_running() && buf.filled().len() > before {
                this.deadline = Deadline::at(Some(Instant::now() + this.header));
            }
            return Poll::Ready(Ok(()));
        }
        this.poll_deadline(cx)
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.count_sent(&written);
        this.stall.check(cx, &this.stream, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready() {
            // No byte waits.
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
        this.count_sent(&written);
        this.stall.check(cx, &this.stream, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
