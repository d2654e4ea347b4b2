//! One connection of a viewer, from the handshake to its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::{ClientFrame, Hello, ServerFrame};
use barrage_tls::ClientStream;
use barrage_ws::Opcode;
use barrage_ws::client::{self, Mask};
use rand::RngExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::connect::{self, Connection};
use super::page;
use super::seen::{FRAME_BYTES_MAX, Said};
use super::track::Lateness;
use super::viewer::{Coming, Viewer};
use crate::clock::Moment;
use crate::net::source::Pace;

/// Bytes that one read takes at most.
const READ_BYTES: usize = 64 * 1024;
/// Time after which a connection without a hello is given up.
const HELLO_TIMEOUT: Duration = Duration::from_secs(15);
/// Mean time between two attempts to move.
const MOVE_AGAIN: Duration = Duration::from_secs(2);
/// A time so far away that it needs no timer.
const NEVER: Duration = Duration::from_secs(7 * 86_400);

/// How a viewer's connection ended, which decides the next step.
#[derive(Debug)]
pub(crate) enum End {
    /// The viewer left at the time that the scenario set.
    Left,
    /// The scenario reset the connection as a fault.
    Cut,
    /// The server sent the viewer to another gateway, where it is now.
    Moved,
    /// The server or the network ended the connection.
    Closed { reason: String, advice: Advice, retry_after: Duration },
}

/// How a connection ended, and the connection that takes over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) had_hello: bool,
    /// Connection that takes over, if one is open.
    pub(crate) successor: Option<Connection>,
}

/// The connection that is to take over, while it opens.
type Opening = Pin<Box<dyn Future<Output = Option<Connection>>>>;

/// Endpoints and time of the server's order to move.
struct Sent {
    named: Vec<Endpoint>,
    at: Instant,
    opening: Option<Opening>,
}

pub(crate) struct Watch<'a> {
    viewer: &'a mut Viewer,
    stream: ClientStream,
    /// Beginning of a frame whose rest is still to come; mostly empty.
    leftover: Vec<u8>,
    had_hello: bool,
    ping_interval: Duration,
    ping: Instant,
    cut: Instant,
    sent: Option<Box<Sent>>,
    successor: Option<Connection>,
    /// Time at which a slow reader reads again.
    read: Option<Instant>,
    hello_by: Instant,
    heard: Instant,
    /// Code and retry time of the refusal before the close.
    refusal: Option<(String, Duration)>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(viewer: &'a mut Viewer, connection: Connection) -> Self {
        let now = Instant::now();
        Watch {
            cut: viewer.context.next_cut(viewer.number).unwrap_or(now + NEVER),
            viewer,
            stream: connection.stream,
            leftover: connection.leftover,
            had_hello: false,
            ping_interval: NEVER,
            ping: now + NEVER,
            sent: None,
            successor: None,
            read: None,
            hello_by: now + HELLO_TIMEOUT,
            heard: now,
            refusal: None,
        }
    }

    pub(crate) async fn run(mut self) -> Ended {
        let first = std::mem::take(&mut self.leftover);
        let mut end = self.frames(&first);
        let mut sleep = std::pin::pin!(tokio::time::sleep_until(self.due()));
        while end.is_none() {
            end = poll_fn(|cx| self.poll(cx, sleep.as_mut())).await;
        }
        self.viewer.is_connected = false;
        if self.had_hello {
            let connected = &self.viewer.context.connected;
            connected.set(connected.get() - 1);
        }
        let end = end.expect("the loop ends with one");
        match end {
            // A reset, as by a machine that has failed.
            End::Cut => drop(socket2::SockRef::from(self.stream.tcp()).set_linger(Some(Duration::ZERO))),
            // The next connection is already opening, so no other is requested.
            End::Closed { .. } => {
                let opening = self.sent.take().and_then(|sent| sent.opening);
                if let Some(opening) = opening {
                    let opened = tokio::time::timeout_at(self.viewer.leave, opening).await;
                    self.successor = opened.unwrap_or_default();
                }
            }
            End::Left | End::Moved => {}
        }
        Ended { end, had_hello: self.had_hello, successor: self.successor }
    }

    /// Next time at which an action is due without input.
    fn due(&self) -> Instant {
        let sent = self.sent.as_ref().filter(|sent| sent.opening.is_none()).map(|sent| sent.at);
        let hello = (!self.had_hello).then_some(self.hello_by);
        let optional = [sent, self.read, hello].into_iter().flatten();
        optional.fold(self.viewer.leave.min(self.cut).min(self.ping), Instant::min)
    }

    /// Reads available bytes, or does what is due. `None` asks the caller to call again.
    fn poll(&mut self, cx: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<Option<End>> {
        if self.read.is_none()
            && let Poll::Ready(end) = self.poll_read(cx)
        {
            return Poll::Ready(end);
        }
        if self.poll_successor(cx).is_ready() {
            return Poll::Ready(Some(End::Moved));
        }
        let due = self.due();
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        ready!(sleep.poll(cx));
        Poll::Ready(self.timer(Instant::now()))
    }

    fn timer(&mut self, now: Instant) -> Option<End> {
        if now >= self.viewer.leave {
            // A viewer without a hello by that time was not connected.
            let waited = || closed("no hello", Advice::Backoff);
            return Some(if self.had_hello { End::Left } else { waited() });
        }
        if now >= self.cut {
            return Some(End::Cut);
        }
        if let Some(sent) = self.sent.as_mut().filter(|sent| sent.opening.is_none() && now >= sent.at) {
            // Make before break: this connection serves until the next one does.
            let (context, named) = (std::rc::Rc::clone(&self.viewer.context), sent.named.clone());
            sent.opening = Some(Box::pin(connect::successor(context, named, self.viewer.wish())));
        }
        if !self.had_hello && now >= self.hello_by {
            return Some(closed("no hello", Advice::Backoff));
        }
        if self.read.is_some_and(|at| now >= at) {
            self.read = None;
        }
        if now >= self.ping {
            if now.duration_since(self.heard) > self.ping_interval * 2 && self.viewer.pace == Pace::Full {
                return Some(closed("silence", Advice::Now));
            }
            self.ping = now + self.ping_interval;
            self.send(&ClientFrame::Ping { id: 0 });
        }
        None
    }

    /// Ready when the next connection is open; an attempt that fails is repeated.
    fn poll_successor(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sent) = &mut self.sent else { return Poll::Pending };
        let Some(opening) = &mut sent.opening else { return Poll::Pending };
        self.successor = ready!(opening.as_mut().poll(cx));
        sent.opening = None;
        if self.successor.is_some() {
            return Poll::Ready(());
        }
        sent.at = Instant::now() + MOVE_AGAIN.mul_f64(rand::rng().random_range(0.5..1.5));
        Poll::Pending
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<End>> {
        let context = std::rc::Rc::clone(&self.viewer.context);
        let mut scratch = context.scratch.borrow_mut();
        let slow_bytes = context.plan.scenario.slow.bytes_per_s;
        loop {
            let kept = self.leftover.len();
            let most = match self.viewer.pace {
                Pace::Full => READ_BYTES,
                Pace::Slow => READ_BYTES.min(slow_bytes as usize / 4).max(1),
            };
            if scratch.len() < kept + most {
                scratch.resize(kept + most, 0);
            }
            scratch[..kept].copy_from_slice(&self.leftover);
            let mut buffer = ReadBuf::new(&mut scratch[kept..kept + most]);
            let read = match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => return Poll::Ready(Some(self.gone("ended"))),
                Ok(()) => buffer.filled().len(),
                Err(_) => return Poll::Ready(Some(self.gone("reset"))),
            };
            context.interval.borrow_mut().bytes += read as u64;
            let end = self.frames(&scratch[..kept + read]);
            if end.is_some() {
                return Poll::Ready(end);
            }
            if self.viewer.pace == Pace::Slow {
                let wait = Duration::from_secs_f64(read as f64 / f64::from(slow_bytes));
                self.read = Some(Instant::now() + wait);
                return Poll::Pending;
            }
        }
    }

    /// Processes all whole frames, and keeps the rest.
    fn frames(&mut self, mut bytes: &[u8]) -> Option<End> {
        let now = Moment::now();
        self.heard = Instant::now();
        loop {
            let frame = match client::read(bytes, FRAME_BYTES_MAX) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return Some(closed("not WebSocket", Advice::Never)),
            };
            let (head, rest) = bytes.split_at(frame.bytes());
            let end = self.frame(frame.opcode, frame.payload_in(head), now);
            if end.is_some() {
                return end;
            }
            bytes = rest;
        }
        // An empty buffer is freed, so that an idle viewer has none.
        self.leftover = bytes.to_vec();
        None
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8], now: Moment) -> Option<End> {
        match opcode {
            Opcode::Text | Opcode::Binary => {
                let said = {
                    let mut seen = self.viewer.context.seen.borrow_mut();
                    seen.read(self.viewer.room, opcode, payload)
                };
                match said {
                    Ok(Said::Batch(batch)) => {
                        let lateness = match (self.viewer.pace, batch.repair) {
                            (Pace::Slow, _) => Lateness::Ours,
                            (Pace::Full, Some(_)) => self.viewer.resume,
                            (Pace::Full, None) => Lateness::Measured,
                        };
                        if batch.repair.is_none() {
                            // The resume is over: what follows is live.
                            self.viewer.resume = Lateness::Measured;
                        }
                        let ask = {
                            let mut interval = self.viewer.context.interval.borrow_mut();
                            interval.frames += 1;
                            self.viewer.track.take(&batch, now, lateness, &mut interval)
                        };
                        if let Some(ask) = ask {
                            let (after, before) = (Sequence(ask.after), Sequence(ask.before));
                            self.send(&ClientFrame::Repair { after, before });
                        }
                        None
                    }
                    Ok(Said::Other(frame)) => self.other(*frame, now),
                    Err(_) => Some(closed("nonsense", Advice::Never)),
                }
            }
            Opcode::Close => {
                let code = client::close_code(payload);
                let (reason, retry_after) =
                    self.refusal.take().unwrap_or_else(|| (format!("close {code}"), Duration::ZERO));
                Some(End::Closed { reason, advice: Advice::of_close(code), retry_after })
            }
            Opcode::Ping => {
                self.send_frame(Opcode::Pong, payload);
                None
            }
            Opcode::Pong => None,
        }
    }

    fn other(&mut self, frame: ServerFrame, now: Moment) -> Option<End> {
        match frame {
            ServerFrame::Hello(hello) => self.hello(&hello, now),
            ServerFrame::Error(refusal) => {
                let patience = Duration::from_millis(refusal.retry_after_ms.unwrap_or_default());
                self.refusal = Some((refusal.code.label().into(), patience));
            }
            ServerFrame::Reconnect(go) => {
                let at = Instant::now() + Duration::from_millis(go.after_ms);
                let ws = go.endpoints.into_iter().filter(|endpoint| endpoint.transport == Transport::Ws);
                let named = ws.collect();
                // A second order while the first is carried out adds nothing.
                self.sent.get_or_insert_with(|| Box::new(Sent { named, at, opening: None }));
            }
            ServerFrame::Notice(notice) => {
                self.send(&ClientFrame::Ack { sequences: vec![notice.sequence] });
            }
            ServerFrame::Batch(_)
            | ServerFrame::Pong(_)
            | ServerFrame::Traced(_)
            | ServerFrame::Attached(_)
            | ServerFrame::Mail(_)
            | ServerFrame::Bell(_) => {}
        }
        None
    }

    fn hello(&mut self, hello: &Hello, now: Moment) {
        if self.had_hello {
            return;
        }
        self.had_hello = true;
        self.viewer.is_connected = true;
        self.ping_interval = Duration::from_millis(hello.ping_interval_ms.max(1_000));
        // Spread at random, so that viewers do not move at the same time.
        let part = rand::rng().random_range(0.5..1.0);
        self.ping = Instant::now() + self.ping_interval.mul_f64(part);
        let context = &self.viewer.context;
        context.connected.set(context.connected.get() + 1);
        let mut interval = context.interval.borrow_mut();
        match self.viewer.coming {
            Coming::New => {
                interval.joins += 1;
                interval.join.record(now.since(self.viewer.since));
                self.viewer.track.begin(hello.sequence.0);
            }
            Coming::Back => {
                interval.reconnects += 1;
                interval.reconnect.record(now.since(self.viewer.since));
            }
            Coming::Moved => {
                interval.moves += 1;
                interval.moved_twice += u64::from(self.viewer.has_moved(now));
            }
        }
        drop(interval);
        if self.viewer.coming == Coming::New {
            page::open(context, self.viewer.number, self.viewer.room, hello.sequence);
        }
        self.viewer.coming = Coming::Back;
    }

    /// Returns the end of a connection without a close frame.
    fn gone(&mut self, reason: &str) -> End {
        match self.refusal.take() {
            Some((reason, retry_after)) => End::Closed { reason, advice: Advice::Backoff, retry_after },
            None => closed(reason, Advice::Backoff),
        }
    }

    fn send(&mut self, frame: &ClientFrame) {
        self.send_frame(Opcode::Text, &serde_json::to_vec(frame).expect("frames are plain data"));
    }

    /// Sends a frame. When the socket is full, the frame is dropped; over TLS, it goes with the next
    /// one.
    fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let frame = client::frame(opcode, payload, Mask::Zero);
        if let ClientStream::Plain(stream) = &self.stream {
            drop(stream.try_write(&frame));
            return;
        }
        let (mut stream, mut cx) = (Pin::new(&mut self.stream), Context::from_waker(Waker::noop()));
        if stream.as_mut().poll_write(&mut cx, &frame).is_ready() {
            drop(stream.poll_flush(&mut cx));
        }
    }
}

fn closed(reason: &str, advice: Advice) -> End {
    End::Closed { reason: reason.into(), advice, retry_after: Duration::ZERO }
}
