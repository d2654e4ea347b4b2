mod delivery;

use std::cell::{Cell, RefCell};
use std::mem::offset_of;
use std::sync::Arc;
use std::time::Duration;

use barrage_class::Counts;
use barrage_clock::{steady_ms, unix_ms};
use barrage_protocol::code::Refusal;
use barrage_protocol::facts::NetworkType;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::{Code, FrameVersion, Message, Sequence, UserId};
use bytes::Bytes;
use tokio::time::Instant;

use super::allowance::Allowance;
use super::audience::{Place, Placed};
use super::close_frames::{CLOSE_BYTES, close_frames};
use super::deadlines::{Deadlines, slow_viewer};
use super::flushed::Flushed;
use super::heartbeat::HeartbeatTerms;
use super::held_batches::HeldBatches;
use super::held_lines::HeldLines;
use super::marks::Marks;
use super::{Outbox, frame_of};
use crate::config::GatewayConfig;
use crate::room::{Room, SeatKind, SharedBatch};
use crate::socket::{Encoding, Socket, Wake, encode};

/// Bytes queued for a viewer beyond which mail waits: it never makes a queue long that gifts are behind.
const MAIL_BEFORE_BYTES_MAX: usize = 16 * 1024;

/// Bytes of one line of the processor's cache.
const LINE_BYTES: usize = 64;

/// Viewer of one room at a time, owned by one shard.
///
/// The fields are ordered by use, because each line of cache is missed once for each viewer: first
/// one line with all that a delivery to a fast viewer touches, then the fields of the sweep.
#[repr(C, align(64))]
pub(crate) struct Viewer {
    /// Position in the chain after the messages that were queued or written.
    position: Cell<Sequence>,
    pub(crate) socket: Socket,
    /// Lines to which a batch may refer.
    held_lines: HeldLines,
    /// Code of the first refusal that ends the connection.
    pub(crate) closing: Cell<Option<Code>>,
    pub(crate) encoding: Encoding,
    marks: Marks,
    outbox: RefCell<Outbox>,
    held: HeldBatches,
    pub(crate) deadlines: Deadlines,
    pub(crate) user: RefCell<Option<UserId>>,
    /// Place among the room's viewers of the shard.
    place: Cell<Place>,
    /// Wakes the viewer's task: something is queued, or the viewer must close.
    pub(crate) wake: Wake,
    queue_hard_bytes: usize,
    /// Room of the viewer; `None` before its join.
    pub(crate) room: RefCell<Option<Arc<Room>>>,
    pub(crate) allowance: Allowance,
    /// Version of the frames, by the subprotocol.
    pub(crate) version: FrameVersion,
    /// Type of the network that the client stated.
    pub(crate) network: Cell<NetworkType>,
    /// Kind of its seats: what the online count leaves out.
    pub(crate) kind: Cell<SeatKind>,
    /// Terms of the heartbeat that the client was sent last; `None` before the hello.
    pub(crate) heartbeat: Cell<Option<HeartbeatTerms>>,
    /// Whether the viewer gets the mail of its user.
    pub(crate) is_attached: Cell<bool>,
}

const _: () = assert!(align_of::<Viewer>() == LINE_BYTES && offset_of!(Viewer, outbox) <= LINE_BYTES);

impl Placed for Viewer {
    fn place(&self) -> &Cell<Place> {
        &self.place
    }
}

/// Returns the key of a viewer on its shard: unique among the viewers that live.
pub(crate) fn address(viewer: &Viewer) -> usize {
    std::ptr::from_ref(viewer).addr()
}

impl Viewer {
    /// Creates a viewer that has not joined.
    pub(crate) fn new(
        socket: Socket,
        encoding: Encoding,
        version: FrameVersion,
        queue_hard_bytes: usize,
    ) -> Self {
        Viewer {
            position: Cell::default(),
            socket,
            held_lines: HeldLines::new(),
            closing: Cell::default(),
            encoding,
            marks: Marks::new(),
            outbox: RefCell::default(),
            held: HeldBatches::default(),
            deadlines: Deadlines::new(Instant::now()),
            user: RefCell::default(),
            place: Cell::default(),
            wake: Wake::default(),
            queue_hard_bytes,
            room: RefCell::default(),
            allowance: Allowance::new(steady_ms()),
            version,
            network: Cell::default(),
            kind: Cell::default(),
            heartbeat: Cell::default(),
            is_attached: Cell::default(),
        }
    }

    pub(crate) fn is_of(&self, user: &UserId) -> bool {
        self.user.borrow().as_ref() == Some(user)
    }

    /// Notes whether the user sees what arrives.
    pub(crate) fn set_hidden(&self, is_hidden: bool) {
        self.marks.set_hidden(is_hidden);
    }

    pub(crate) fn set_position(&self, position: Sequence) {
        self.position.set(position);
        self.held_lines.forget();
    }

    /// Holds batches back until the join is answered.
    pub(crate) fn hold(&self) {
        self.held.start();
        self.marks.set_clear(false);
    }

    /// Ends the holding; returns the held batches, which the caller delivers.
    pub(crate) fn release(&self) -> Vec<Arc<SharedBatch>> {
        let held = self.held.end();
        self.update_clear();
        held
    }

    /// Reads from the line of cache that [`Viewer::deliver`] needs. The processor makes such reads
    /// for several viewers at the same time, where `deliver` would wait for one after the other.
    pub(crate) fn touch(&self) -> u64 {
        self.position.get().0
    }

    fn queued_bytes(&self) -> usize {
        self.outbox.borrow().bytes()
    }

    /// Messages in the viewer's queue, by class; held batches are not counted.
    pub(crate) fn queued(&self) -> Counts {
        self.outbox.borrow().holds()
    }

    /// Removes the queue, at the end of the connection.
    pub(crate) fn take_outbox(&self) -> Outbox {
        let outbox = std::mem::take(&mut *self.outbox.borrow_mut());
        self.update_clear();
        outbox
    }

    fn update_clear(&self) {
        self.marks.set_clear(self.outbox.borrow().is_empty() && !self.held.is_on());
    }

    /// Whether queued or encrypted bytes wait for the socket.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.outbox.borrow().is_empty() || self.socket.is_behind()
    }

    /// Closes a viewer that reads too slowly; its resume brings the messages that it lacks.
    pub(crate) fn close_as_slow(&self) {
        self.close(slow_viewer());
    }

    /// Closes the viewer when its heartbeat, its reading, its move or its token is overdue. The
    /// shard calls this once a second.
    /// `paused` is the time for which the shard did not run before.
    pub(crate) fn check(&self, now: Instant, paused: Duration, config: &GatewayConfig) {
        if self.closing.get().is_some() {
            return;
        }
        if !paused.is_zero() {
            self.deadlines.forgive(paused, now);
        }
        let silence_max = HeartbeatTerms::silence_max(self.version, config);
        if let Some(refusal) = self.deadlines.overdue(now, unix_ms() / 1000, silence_max, config) {
            self.close(refusal);
        }
    }

    /// Queues a frame of the protocol. A frame beyond the hard bound closes the viewer as slow.
    pub(crate) fn send(&self, frame: &ServerFrame) {
        let json = serde_json::to_vec(frame).expect("frames are plain data");
        self.send_json(&json);
    }

    /// Queues a frame's JSON in the viewer's encoding, within the bounds of [`Viewer::send_bytes`].
    pub(crate) fn send_json(&self, json: &[u8]) {
        self.send_bytes(encode(json, self.encoding));
    }

    /// Queues an encoded frame. A frame beyond the hard bound closes the viewer as slow.
    pub(crate) fn send_bytes(&self, frame: Bytes) {
        if self.closing.get().is_some() {
            return;
        }
        if self.queued_bytes() + frame.len() > self.queue_hard_bytes.saturating_sub(CLOSE_BYTES) {
            self.close_as_slow();
        } else {
            self.push(frame);
        }
    }

    /// Queues a frame of mail if little is queued before it; returns whether it did. Mail never closes a viewer.
    pub(crate) fn send_mail(&self, frame: Bytes) -> bool {
        let queued = self.queued_bytes();
        let has_room = queued + frame.len() <= self.queue_hard_bytes.saturating_sub(CLOSE_BYTES);
        let takes = self.closing.get().is_none() && queued <= MAIL_BEFORE_BYTES_MAX && has_room;
        if takes {
            self.push(frame);
        }
        takes
    }

    fn push(&self, frame: Bytes) {
        self.outbox.borrow_mut().push_frame(frame, Counts::default());
        self.marks.set_clear(false);
        self.fall_behind();
    }

    /// Queues a notice for the viewer's user.
    pub(crate) fn send_notice(&self, message: &Message) {
        if let Some(notice) = frame_of(message) {
            self.send(&ServerFrame::Notice(notice));
        }
    }

    /// Queues the refusal and a close frame; the viewer's task ends once they are written. Only
    /// the first refusal counts.
    pub(crate) fn close(&self, refusal: Refusal) {
        if self.closing.get().is_some() {
            return;
        }
        let code = refusal.code;
        for frame in close_frames(refusal, self.encoding) {
            self.push(frame);
        }
        self.closing.set(Some(code));
        self.wake.wake();
    }

    /// Refuses a frame; the viewer stays connected unless too many of its frames were refused.
    pub(crate) fn refuse_frame(&self, refusal: Refusal, config: &GatewayConfig) {
        if self.allowance.count_refused(config) {
            self.close(refusal);
        } else {
            self.send(&ServerFrame::Error(refusal));
        }
    }

    /// Writes queued frames until the socket is full.
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
            self.deadlines.behind_since.set(None);
        }
        let queued_change = outbox.report();
        drop(outbox);
        self.update_clear();
        Flushed { bytes: bytes_written, queued_change, messages, result: pushed.and(result) }
    }
}

#[cfg(test)]
pub(crate) mod tests;
