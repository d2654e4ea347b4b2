//! One viewer: its socket, its place in the chain, and what waits for it.

use std::cell::{Cell, RefCell};
use std::mem::offset_of;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use barrage_flow::Counts;
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::{Code, Message, Sequence, UserId};
use bytes::{Buf, Bytes};
use tokio::time::Instant;

use crate::audience::{Place, Placed};
use crate::batch::{Encoding, SharedBatch, encode};
use crate::beats::now_ms;
use crate::config::GatewayConfig;
use crate::eviction::token_expired;
use crate::gateway::unix_ms;
use crate::outbox::Outbox;
use crate::repair_debt::RepairDebt;
use crate::room::Room;
use crate::shard::Tally;
use crate::socket::Socket;
use crate::wake::Wake;
use crate::wire;

/// Batches held for a viewer while its resume is read; beyond, it must come again.
const HELD_BATCHES_MAX: usize = 256;

/// Part of a viewer's queue that is kept for the refusal and the close frame.
const CLOSE_BYTES: usize = 1_024;

/// What the processor fetches at once.
const LINE_BYTES: usize = 64;

/// A viewer of one room at a time. In this order: a line of cache with all that a delivery
/// touches of a viewer that keeps up, then what the sweep does, because each line is missed
/// once for each viewer.
#[repr(C, align(64))]
pub(crate) struct Viewer {
    /// The chain's position after what was queued or written.
    position: Cell<Sequence>,
    pub(crate) socket: Socket,
    /// Set by the first refusal that ends the connection.
    pub(crate) closing: Cell<Option<Code>>,
    encoding: Encoding,
    /// Nothing is queued and nothing held: said here, because what follows is in other lines.
    is_clear: Cell<bool>,
    outbox: RefCell<Outbox>,
    /// Batches that came while the join was under way; `None` once it is done.
    held: RefCell<Option<Vec<Arc<SharedBatch>>>>,
    /// Since when something is queued without a break.
    behind_since: Cell<Option<Instant>>,
    pub(crate) heard_at: Cell<Instant>,
    /// Set when it was told to go elsewhere: it is closed then.
    pub(crate) leave_by: Cell<Option<Instant>>,
    /// When it came with a place in the chain: from another gateway, or back.
    pub(crate) resumed_at: Cell<Option<Instant>>,
    /// Unix seconds when the token ends.
    pub(crate) expires_at_secs: Cell<u64>,
    pub(crate) user: RefCell<Option<UserId>>,
    /// Where it stands among the room's viewers of its shard.
    place: Cell<Place>,
    /// Wakes the viewer's task: something is queued, or it must close.
    pub(crate) wake: Wake,
    queue_hard_bytes: usize,
    /// Where it is, for naming the same room elsewhere.
    pub(crate) room: RefCell<Option<Arc<Room>>>,
    allowance: Cell<Allowance>,
}

const _: () = assert!(align_of::<Viewer>() == LINE_BYTES && offset_of!(Viewer, outbox) <= LINE_BYTES);

impl Placed for Viewer {
    fn place(&self) -> &Cell<Place> {
        &self.place
    }
}

/// Frames within the current second.
#[derive(Debug, Clone, Copy, Default)]
struct Allowance {
    /// Unix seconds modulo 2^32.
    second: u32,
    frames: u32,
    controls: u32,
    bad: u32,
    repairs: RepairDebt,
}

impl Viewer {
    /// A viewer before its join.
    pub(crate) fn new(socket: Socket, encoding: Encoding, queue_hard_bytes: usize) -> Self {
        Viewer {
            socket,
            encoding,
            user: RefCell::default(),
            position: Cell::default(),
            is_clear: Cell::new(true),
            outbox: RefCell::default(),
            place: Cell::default(),
            held: RefCell::default(),
            wake: Wake::default(),
            heard_at: Cell::new(Instant::now()),
            behind_since: Cell::default(),
            closing: Cell::default(),
            queue_hard_bytes,
            room: RefCell::default(),
            leave_by: Cell::default(),
            resumed_at: Cell::default(),
            expires_at_secs: Cell::new(u64::MAX),
            allowance: Cell::new(Allowance { repairs: RepairDebt::none(now_ms()), ..Allowance::default() }),
        }
    }

    pub(crate) fn is(&self, user: &UserId) -> bool {
        self.user.borrow().as_ref() == Some(user)
    }

    pub(crate) fn set_position(&self, position: Sequence) {
        self.position.set(position);
    }

    /// Holds batches until the join is answered.
    pub(crate) fn hold(&self) {
        *self.held.borrow_mut() = Some(Vec::new());
        self.is_clear.set(false);
    }

    /// Ends the holding; what was held is to be delivered now.
    pub(crate) fn release(&self) -> Vec<Arc<SharedBatch>> {
        let held = self.held.borrow_mut().take().unwrap_or_default();
        self.note_clear();
        held
    }

    /// Reads from the line of cache that `deliver` is going to need. For viewers in a row
    /// those reads go on at the same time, where `deliver` would miss them one after the
    /// other, between two sends.
    pub(crate) fn touch(&self) -> u64 {
        self.position.get().0
    }

    /// Bytes that are queued.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.outbox.borrow().bytes()
    }

    /// Messages that are queued.
    pub(crate) fn queued(&self) -> Counts {
        self.outbox.borrow().holds()
    }

    /// Ends the queue; what was in it.
    pub(crate) fn take_outbox(&self) -> Outbox {
        let outbox = std::mem::take(&mut *self.outbox.borrow_mut());
        self.note_clear();
        outbox
    }

    fn note_clear(&self) {
        self.is_clear.set(self.outbox.borrow().is_empty() && self.held.borrow().is_none());
    }

    /// The fan-out's inner step: straight to the socket, the rest to the outbox.
    pub(crate) fn deliver(&self, batch: &Arc<SharedBatch>, config: &GatewayConfig, tally: &mut Tally) {
        let is_clear = self.is_clear.get();
        debug_assert!(!is_clear || (self.outbox.borrow().is_empty() && self.held.borrow().is_none()));
        if !is_clear && let Some(held) = self.held.borrow_mut().as_mut() {
            if held.len() < HELD_BATCHES_MAX {
                held.push(Arc::clone(batch));
            } else {
                self.too_slow();
            }
            return;
        }
        let is_news =
            batch.sequence > self.position.get() || (batch.messages.is_empty() && !batch.pulse.is_empty());
        if self.closing.get().is_some() || !is_news {
            return;
        }
        self.position.set(batch.sequence.max(self.position.get()));
        tally.viewers += 1;
        #[cfg(test)]
        if planted::take() {
            return;
        }
        if is_clear {
            let frame = batch.frame(self.encoding);
            tally.writes += 1;
            // When the kernel takes nothing, the task waits for it by the runtime, and that
            // finds out by itself.
            let taken = match self.socket.send(frame) {
                Ok(taken) => taken,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
                // The task finds out by reading.
                Err(_) => {
                    tally.gone += 1;
                    return;
                }
            };
            tally.bytes += taken as u64;
            if taken == frame.len() {
                tally.written += 1;
                if self.socket.is_behind() {
                    self.fall_behind();
                }
                return;
            }
            let mut rest = frame.clone();
            rest.advance(taken);
            if rest.len() > self.queue_hard_bytes {
                // One message that is larger than the queue. Half a frame is on its way, so
                // that no close frame can follow.
                tally.gone += 1;
                self.closing.set(Some(Code::SlowViewer));
                self.wake.wake();
                return;
            }
            tally.queued += 1;
            let mut outbox = self.outbox.borrow_mut();
            outbox.push_frame(rest, batch.counts);
            tally.queued_bytes += outbox.report();
            self.is_clear.set(false);
        } else {
            let mut outbox = self.outbox.borrow_mut();
            let pushed = outbox.push_batch(
                Arc::clone(batch),
                self.encoding,
                config.queue_soft_bytes,
                self.queue_hard_bytes.saturating_sub(CLOSE_BYTES),
            );
            tally.queued += 1;
            tally.queued_bytes += outbox.report();
            tally.left_out += pushed.left_out;
            if pushed.is_overflow {
                tally.overflowed += 1;
                drop(outbox);
                self.too_slow();
                return;
            }
        }
        self.fall_behind();
    }

    /// The task waits for the socket from now on.
    fn fall_behind(&self) {
        if self.behind_since.get().is_none() {
            self.behind_since.set(Some(Instant::now()));
        }
        self.wake.wake();
    }

    /// Whether something waits for the socket.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.outbox.borrow().is_empty() || self.socket.is_behind()
    }

    /// Closes a viewer that takes less than it must; its resume brings what it lacks.
    pub(crate) fn too_slow(&self) {
        self.close(Refusal::new(Code::SlowViewer, "you read too slowly; reconnect and resume"));
    }

    /// Heartbeat, stall, token and departure, once a second. `paused` is how long the shard
    /// did not run: it is neither silence nor slowness of the viewer, whose frames were not
    /// read.
    pub(crate) fn check(&self, now: Instant, paused: Duration, config: &GatewayConfig) {
        if self.closing.get().is_some() {
            return;
        }
        if !paused.is_zero() {
            self.heard_at.set((self.heard_at.get() + paused).min(now));
            self.behind_since.set(self.behind_since.get().map(|at| (at + paused).min(now)));
        }
        let silence_max = Duration::from_millis(config.ping_interval_ms + config.ping_margin_ms);
        if now.duration_since(self.heard_at.get()) > silence_max {
            self.close(Refusal::new(Code::Idle, "no heartbeat was heard; reconnect and resume"));
        } else if self
            .behind_since
            .get()
            .is_some_and(|at| now.duration_since(at).as_secs() >= config.behind_secs_max)
        {
            self.too_slow();
        } else if self.leave_by.get().is_some_and(|at| now >= at) {
            self.close(Refusal::new(Code::Draining, "you were asked to go elsewhere; ask entry where to"));
        } else if unix_ms() / 1000 > self.expires_at_secs.get() {
            self.close(token_expired());
        }
    }

    /// Queues any frame.
    pub(crate) fn send(&self, frame: &ServerFrame) {
        let json = serde_json::to_vec(frame).expect("frames are plain data");
        self.send_json(&json);
    }

    /// Queues a frame's JSON.
    pub(crate) fn send_json(&self, json: &[u8]) {
        self.send_bytes(encode(json, self.encoding));
    }

    /// Queues a frame. One that would exceed the hard bound is not queued: the viewer must
    /// come again.
    pub(crate) fn send_bytes(&self, frame: Bytes) {
        if self.closing.get().is_some() {
            return;
        }
        if self.queued_bytes() + frame.len() > self.queue_hard_bytes.saturating_sub(CLOSE_BYTES) {
            self.too_slow();
        } else {
            self.push(frame);
        }
    }

    fn push(&self, frame: Bytes) {
        self.outbox.borrow_mut().push_frame(frame, Counts::default());
        self.is_clear.set(false);
        self.fall_behind();
    }

    pub(crate) fn send_notice(&self, message: &Message) {
        if let Some(notice) = crate::poll::notice(message) {
            self.send(&ServerFrame::Notice(notice));
        }
    }

    /// Queues the refusal and a close frame; the task ends when they are written.
    pub(crate) fn close(&self, refusal: Refusal) {
        if self.closing.get().is_some() {
            return;
        }
        let code = refusal.code;
        let reason = refusal.message.clone();
        let json = serde_json::to_vec(&ServerFrame::Error(refusal)).expect("frames are plain data");
        // One that quotes a long frame of the client's is left out; the close frame has its code.
        if json.len() <= CLOSE_BYTES / 2 {
            self.push(encode(&json, self.encoding));
        }
        self.push(wire::close(code.close(), &reason));
        self.closing.set(Some(code));
        self.wake.wake();
    }

    /// How long this viewer waits for its next repair.
    pub(crate) fn repair_wait(&self) -> Duration {
        self.allowance.get().repairs.wait(now_ms())
    }

    /// Charges a repair or a part of a resume.
    pub(crate) fn charge_repair(&self, bytes: usize, config: &GatewayConfig) {
        let mut allowance = self.allowance.get();
        allowance.repairs.charge(bytes, config.repair_bytes_per_s, now_ms());
        self.allowance.set(allowance);
    }

    /// Ready when the socket takes bytes; an error when it has failed or the viewer closes.
    pub(crate) async fn writable(&self) -> Result<(), Closing> {
        std::future::poll_fn(|context| {
            // Consumed here: the caller looks at what it said.
            while self.wake.poll(context).is_ready() {}
            if self.closing.get().is_some() {
                return Poll::Ready(Err(Closing));
            }
            self.socket.poll_write_ready(context).map_err(|_| Closing)
        })
        .await
    }

    /// Waits for the viewer to close.
    pub(crate) async fn closed(&self) {
        std::future::poll_fn(|context| {
            while self.wake.poll(context).is_ready() {}
            if self.closing.get().is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Counts a frame against its limit.
    pub(crate) fn allow(&self, is_control: bool, config: &GatewayConfig) -> Result<(), Refusal> {
        let mut allowance = self.allowance.get();
        let second = (unix_ms() / 1000) as u32;
        if allowance.second != second {
            (allowance.second, allowance.frames, allowance.controls) = (second, 0, 0);
        }
        let (count, max, code) = if is_control {
            (&mut allowance.controls, config.control_frames_per_s, Code::ControlFlood)
        } else {
            (&mut allowance.frames, config.client_frames_per_s, Code::RateLimited)
        };
        *count += 1;
        let over = *count > max;
        self.allowance.set(allowance);
        if over {
            let refusal = Refusal::new(code, format!("at most {max} frames of this kind a second"));
            return Err(refusal.retry_after_ms(1_000));
        }
        Ok(())
    }

    /// A frame that is not understood: said so, and too many end the connection.
    pub(crate) fn bad_frame(&self, refusal: Refusal, config: &GatewayConfig) {
        let mut allowance = self.allowance.get();
        allowance.bad += 1;
        self.allowance.set(allowance);
        if allowance.bad > config.bad_frames_max {
            self.close(refusal);
        } else {
            self.send(&ServerFrame::Error(refusal));
        }
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&self) -> Flushed {
        let mut bytes_written = 0;
        let pushed = self.socket.flush();
        let mut outbox = self.outbox.borrow_mut();
        let (messages, result) = outbox.drain(self.encoding, |bytes| {
            let taken = self.socket.write(bytes)?;
            bytes_written += taken as u64;
            Ok::<_, std::io::Error>(taken)
        });
        if outbox.is_empty() && !self.socket.is_behind() {
            self.behind_since.set(None);
        }
        let queued_change = outbox.report();
        drop(outbox);
        self.note_clear();
        Flushed { bytes: bytes_written, queued_change, messages, result: pushed.and(result) }
    }
}

/// The viewer closes, or its socket has failed.
#[derive(Debug)]
pub(crate) struct Closing;

/// What one flush wrote.
pub(crate) struct Flushed {
    pub(crate) bytes: u64,
    /// Change of the bytes queued, for the gauge of all queues.
    pub(crate) queued_change: i64,
    /// Messages written to their end.
    pub(crate) messages: Counts,
    /// `Err` when the socket is gone.
    pub(crate) result: std::io::Result<()>,
}

/// A defect on purpose: one delivery that disappears without a word.
#[cfg(test)]
pub(crate) mod planted {
    use std::sync::atomic::{AtomicBool, Ordering};

    static NEXT_IS_LOST: AtomicBool = AtomicBool::new(false);

    pub(crate) fn lose_the_next() {
        NEXT_IS_LOST.store(true, Ordering::SeqCst);
    }

    pub(crate) fn take() -> bool {
        NEXT_IS_LOST.swap(false, Ordering::SeqCst)
    }
}
