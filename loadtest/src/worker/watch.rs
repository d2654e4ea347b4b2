//! One connection of a viewer, from the handshake to its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::{ClientFrame, Hello, ServerFrame};
use rand::RngExt;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::connect::{self, Connection};
use super::frame::{Opcode, client, cut};
use super::seen::Said;
use super::source::Pace;
use super::track::Lateness;
use super::viewer::{Coming, Viewer};
use crate::clock::Moment;

/// Read at once.
const READ_BYTES: usize = 64 * 1024;
/// A connection without a hello is given up after this.
const HELLO_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two attempts to move, on average.
const MOVE_AGAIN: Duration = Duration::from_secs(2);
/// Far away: no timer.
const NEVER: Duration = Duration::from_secs(7 * 86_400);

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It was time to leave.
    Left,
    /// The scenario cut it.
    Cut,
    /// The server sent it elsewhere, where it is now.
    Moved,
    /// The server or the network ended it.
    Closed { reason: String, advice: Advice, retry_after: Duration },
}

/// The same, and what else is known.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) had_hello: bool,
    /// The connection that takes over.
    pub(crate) successor: Option<Connection>,
}

/// The connection that is to take over, while it opens.
type Opening = Pin<Box<dyn Future<Output = Option<Connection>>>>;

/// Where and when the server sent this viewer.
struct Sent {
    named: Vec<Endpoint>,
    at: Instant,
    opening: Option<Opening>,
}

pub(crate) struct Watch<'a> {
    viewer: &'a mut Viewer,
    stream: TcpStream,
    /// The beginning of a frame whose rest is still to come; mostly empty.
    leftover: Vec<u8>,
    had_hello: bool,
    ping_interval: Duration,
    ping: Instant,
    cut: Instant,
    sent: Option<Box<Sent>>,
    successor: Option<Connection>,
    /// A slow reader reads again then.
    read: Option<Instant>,
    hello_by: Instant,
    heard: Instant,
    /// Code and patience of the refusal that came before the close.
    refusal: Option<(String, Duration)>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(viewer: &'a mut Viewer, connection: Connection) -> Self {
        let now = Instant::now();
        Watch {
            cut: viewer.thread.next_cut(viewer.number).unwrap_or(now + NEVER),
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
            let connected = &self.viewer.thread.connected;
            connected.set(connected.get() - 1);
        }
        let end = end.expect("the loop ends with one");
        match end {
            // Reset, as by a machine that is gone.
            End::Cut => drop(socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))),
            // The next connection is under way already: there is no other to ask for.
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

    /// The next moment when something is to be done without being told.
    fn due(&self) -> Instant {
        let sent = self.sent.as_ref().filter(|sent| sent.opening.is_none()).map(|sent| sent.at);
        let hello = (!self.had_hello).then_some(self.hello_by);
        let optional = [sent, self.read, hello].into_iter().flatten();
        optional.fold(self.viewer.leave.min(self.cut).min(self.ping), Instant::min)
    }

    /// Reads what is there, or does what is due; `None` asks to be called again.
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
            // A viewer that has no hello by then was not connected.
            let waited = || closed("no hello", Advice::Backoff);
            return Some(if self.had_hello { End::Left } else { waited() });
        }
        if now >= self.cut {
            return Some(End::Cut);
        }
        if let Some(sent) = self.sent.as_mut().filter(|sent| sent.opening.is_none() && now >= sent.at) {
            // Make before break: this connection serves until the next one does.
            let (thread, named) = (std::rc::Rc::clone(&self.viewer.thread), sent.named.clone());
            sent.opening = Some(Box::pin(connect::successor(thread, named, self.viewer.wish())));
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

    /// Ready when the next connection is; one that cannot be opened is tried again.
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
        let thread = std::rc::Rc::clone(&self.viewer.thread);
        let mut scratch = thread.scratch.borrow_mut();
        let slow_bytes = thread.plan.scenario.slow.bytes_per_s;
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
            thread.interval.borrow_mut().bytes += read as u64;
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

    /// Takes all whole frames and keeps the rest.
    fn frames(&mut self, mut bytes: &[u8]) -> Option<End> {
        let now = Moment::now();
        self.heard = Instant::now();
        loop {
            let frame = match cut(bytes) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return Some(closed("not WebSocket", Advice::Never)),
            };
            let (head, rest) = bytes.split_at(frame.header + frame.payload);
            let end = self.frame(frame.opcode, &head[frame.header..], now);
            if end.is_some() {
                return end;
            }
            bytes = rest;
        }
        // Given back when empty: an idle viewer has no buffer.
        self.leftover = bytes.to_vec();
        None
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8], now: Moment) -> Option<End> {
        match opcode {
            Opcode::Text | Opcode::Binary => {
                let said = {
                    let mut seen = self.viewer.thread.seen.borrow_mut();
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
                            // The resume is over: what comes now is live.
                            self.viewer.resume = Lateness::Measured;
                        }
                        let ask = {
                            let mut interval = self.viewer.thread.interval.borrow_mut();
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
                let code = payload.get(..2).map_or(1_005, |code| u16::from_be_bytes([code[0], code[1]]));
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
                // A second one while the first is obeyed says nothing new.
                self.sent.get_or_insert_with(|| Box::new(Sent { named, at, opening: None }));
            }
            ServerFrame::Notice(notice) => {
                self.send(&ClientFrame::Ack { sequences: vec![notice.sequence] });
            }
            ServerFrame::Batch(_) | ServerFrame::Pong(_) => {}
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
        // Not all at once.
        let part = rand::rng().random_range(0.5..1.0);
        self.ping = Instant::now() + self.ping_interval.mul_f64(part);
        let thread = &self.viewer.thread;
        thread.connected.set(thread.connected.get() + 1);
        let mut interval = thread.interval.borrow_mut();
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
        self.viewer.coming = Coming::Back;
    }

    /// The connection ended without a close frame.
    fn gone(&mut self, reason: &str) -> End {
        match self.refusal.take() {
            Some((reason, retry_after)) => End::Closed { reason, advice: Advice::Backoff, retry_after },
            None => closed(reason, Advice::Backoff),
        }
    }

    fn send(&self, frame: &ClientFrame) {
        self.send_frame(Opcode::Text, &serde_json::to_vec(frame).expect("frames are plain data"));
    }

    /// What a full socket does not take is not sent: the next one will be.
    fn send_frame(&self, opcode: Opcode, payload: &[u8]) {
        drop(self.stream.try_write(&client(opcode, payload)));
    }
}

fn closed(reason: &str, advice: Advice) -> End {
    End::Closed { reason: reason.into(), advice, retry_after: Duration::ZERO }
}
