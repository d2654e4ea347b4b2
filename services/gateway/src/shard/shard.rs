use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use barrage_class::Counts;
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{CLIENT_FRAME_BYTES_MAX, ServerFrame};
use barrage_protocol::{Code, RoomId, Sequence, TraceId};
use tokio::time::Instant;

use super::books::Books;
use super::drain::ShardDrain;
use super::mail::MailBoxes;
use super::members::Members;
use super::trace_acks::TraceAcks;
use crate::context::Context;
use crate::dispatch::Command;
use crate::drain::{Drain, reconnect_frame, time_left};
use crate::room::{BatchTrace, Delivery, FanOut, Room, SharedBatch, Tally, Trigger};
use crate::viewer::{self, Viewer};

/// Time between two checks of heartbeats and stalls.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Viewers whose lines of cache are fetched together, before the first of them is written to. With
/// the memory that a send touches, so many fit the nearest caches.
const TOUCHED_TOGETHER: usize = 16;
/// Time between two sweeps beyond which the shard did not run: the process was stopped, or the
/// machine had no processor for it.
const SWEEP_LATE: Duration = Duration::from_secs(3);

/// State of one shard, shared by its tasks.
pub(super) struct Shard {
    pub(super) index: usize,
    pub(super) context: Arc<Context>,
    members: RefCell<Members>,
    books: RefCell<Books>,
    /// Acknowledgements of sampled messages.
    trace_acks: RefCell<TraceAcks>,
    /// Drain in which this shard still has viewers to notify.
    drain: RefCell<Option<ShardDrain<Viewer>>>,
    /// Mail of the attached viewers.
    pub(super) mail: RefCell<MailBoxes>,
    /// Buffer that sockets are read into before frames are cut out.
    pub(super) scratch: RefCell<Vec<u8>>,
    swept_at: Cell<Instant>,
}

impl Shard {
    pub(super) fn new(index: usize, context: Arc<Context>) -> Rc<Self> {
        Rc::new(Shard {
            index,
            members: RefCell::default(),
            books: RefCell::new(Books::new(&context.metrics)),
            trace_acks: RefCell::default(),
            drain: RefCell::default(),
            mail: RefCell::new(MailBoxes::new(&context.metrics)),
            scratch: RefCell::new(vec![0; CLIENT_FRAME_BYTES_MAX * 2]),
            swept_at: Cell::new(Instant::now()),
            context,
        })
    }

    /// Carries out a command, except those that the shard's loop handles by itself.
    pub(super) fn handle(&self, command: Command) {
        match command {
            Command::Deliver(delivery, fan_out) => self.deliver(delivery, fan_out.as_deref()),
            Command::Notice { address, user, message } => {
                if let Some(viewer) = self.members.borrow().device(address, &user) {
                    viewer.send_notice(&message);
                }
            }
            Command::Mail(items) => self.deliver_mail(items),
            Command::RingAttached => self.ring_attached(),
            Command::Evict(eviction) => self.members.borrow().evict(&eviction),
            Command::EvictAt { address, eviction } => self.members.borrow().evict_at(address, &eviction),
            Command::EvictOne { address, refusal } => {
                if let Some(viewer) = self.members.borrow().by_address(address) {
                    viewer.close(refusal);
                }
            }
            Command::StartDrain(drain) => self.start_drain(drain),
            Command::CancelDrain => self.cancel_drain(),
            Command::Adopt(_) | Command::Shutdown => {}
            #[cfg(test)]
            #[allow(clippy::disallowed_methods, reason = "stands for a process that is stopped")]
            Command::Stall(time) => std::thread::sleep(time),
            #[cfg(test)]
            Command::Panic => panic!("a test ends this shard"),
        }
    }

    /// Adds a connection that has not joined.
    pub(super) fn add(&self, viewer: &Rc<Viewer>) {
        self.members.borrow_mut().add(viewer);
    }

    /// Removes a connection that has left its room. The viewer's resume brings the messages of its
    /// queue, if it comes back.
    pub(super) fn remove(&self, viewer: &Viewer) {
        self.detach(viewer);
        let outbox = viewer.take_outbox();
        self.books.borrow_mut().count_gone(outbox.reported(), &outbox.holds());
        if self.members.borrow_mut().remove(viewer) {
            self.context.metrics.inbox_connections("ws").dec();
        }
    }

    /// Joins a connection that is for the inbox alone. Sweeps, drains and evictions reach it from here on.
    pub(super) fn enter_inbox(&self, viewer: &Viewer) {
        self.members.borrow_mut().enter_inbox(viewer);
        self.context.metrics.inbox_connections("ws").inc();
    }

    /// Adds a viewer to a room; batches reach it from here on.
    pub(super) fn enter(&self, room: &Room, viewer: Rc<Viewer>) {
        self.members.borrow_mut().enter(self.index, room, viewer, self.wave_viewers());
    }

    pub(super) fn leave(&self, room: &Room, viewer: &Rc<Viewer>) {
        self.members.borrow_mut().leave(self.index, room, viewer);
    }

    /// Whether no viewer has joined.
    pub(super) fn is_empty(&self) -> bool {
        self.members.borrow().is_empty()
    }

    /// Viewers of one wave, by the costs that this shard has measured.
    fn wave_viewers(&self) -> usize {
        self.context.load.costs.wave_viewers(self.index, self.context.config.wave_viewers_max)
    }

    /// Delivers a batch to one wave of its room's viewers.
    fn deliver(&self, delivery: Delivery, fan_out: Option<&FanOut>) {
        let (context, batch) = (&*self.context, &delivery.batch);
        let tally = self.write(&delivery);
        self.count(&delivery, &tally);
        if let Some(fan_out) = fan_out {
            fan_out.add(&tally);
        }
        if let Some(trace) = &delivery.trace {
            trace.add(&tally);
            self.trace_acks.borrow_mut().offer(batch, trace, context.tracer.now_ns());
        }
        context.load.record_lag(batch.due_at.elapsed());
        if tally.written > 0 {
            self.count_push(batch, tally.written, delivery.trace.as_deref());
        }
        if !context.lifecycle.ended.is_cancelled() {
            // At its end, a hub sends the batches of all waves at once.
            let mut members = self.members.borrow_mut();
            members.balance(self.index, delivery.room(), delivery.wave, self.wave_viewers());
        }
        delivery.delivered(tally.viewers);
    }

    /// Writes a batch to one wave of its room's viewers, and measures what a write costs.
    fn write(&self, delivery: &Delivery) -> Tally {
        let (context, batch) = (&*self.context, &delivery.batch);
        let mut tally = Tally::default();
        let members = self.members.borrow();
        let wave = members.wave(delivery.key(), delivery.wave);
        if let Some(first) = wave.first() {
            // Encoded before the first write, because an encoding is part of the turn. Most of a wave get the
            // frame of its first viewer.
            std::hint::black_box(first.frame(batch));
        }
        let started = barrage_clock::now();
        for viewers in wave.chunks(TOUCHED_TOGETHER) {
            let touched = viewers.iter().map(|viewer| viewer.touch());
            std::hint::black_box(touched.fold(0, u64::wrapping_add));
            for viewer in viewers {
                viewer.deliver(batch, &context.config, &mut tally);
            }
        }
        let costs = &context.load.costs;
        costs.turned(self.index, batch.counts.total(), started.duration_since(delivery.started_at));
        costs.wrote(self.index, tally.writes, tally.bytes, started.elapsed());
        if delivery.trigger == Trigger::Window {
            costs.wrote_windowed(self.index, tally.writes);
        }
        tally
    }

    /// Counts the times from acceptance to the sockets of the viewers that were written to.
    fn count_push(&self, batch: &SharedBatch, written: u64, trace: Option<&BatchTrace>) {
        let took = batch.made_at.elapsed();
        for (class, waited_ms) in batch.waited_ms.iter() {
            if let Some(waited_ms) = waited_ms {
                let after = Duration::from_millis(*waited_ms).saturating_add(took);
                let trace = trace.and_then(|trace| trace.of_class(batch, class));
                self.context.metrics.pushed(class, after, trace.map(TraceId::number));
            }
        }
        if let Some(oldest_ms) = batch.oldest_ms() {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.context.push_times.add(oldest_ms.saturating_add(took_ms), written);
        }
    }

    /// Lets a viewer acknowledge sampled messages, where messages are traced at all.
    pub(super) fn acknowledges_traces(&self, viewer: &Rc<Viewer>) {
        if self.context.tracer.is_on() {
            self.trace_acks.borrow_mut().add(viewer);
        }
    }

    /// Records a viewer's acknowledgement of a sampled message.
    pub(super) fn acknowledge_trace(&self, room: &RoomId, sequence: Sequence) {
        self.trace_acks.borrow_mut().acknowledge(&self.context.tracer, room, sequence);
    }

    /// Delivers the batches to a viewer that were held until its join was answered.
    pub(super) fn release(&self, viewer: &Viewer) {
        for batch in viewer.release() {
            let mut tally = Tally::default();
            viewer.deliver(&batch, &self.context.config, &mut tally);
            self.books.borrow_mut().count(&batch, &tally);
            self.count_egress(&tally);
        }
    }

    fn count(&self, delivery: &Delivery, tally: &Tally) {
        self.books.borrow_mut().count(&delivery.batch, tally);
        self.count_egress(tally);
    }

    fn count_egress(&self, tally: &Tally) {
        let queued_bytes = u64::try_from(tally.queued_bytes).unwrap_or(0);
        self.context.load.egress().count(tally.bytes + queued_bytes);
    }

    /// Writes a viewer's queue until its socket is full; an error when the socket has failed.
    pub(super) fn flush(&self, viewer: &Viewer) -> std::io::Result<()> {
        let flushed = viewer.flush();
        self.books.borrow_mut().count_flush(flushed.bytes, flushed.queued_change, &flushed.messages);
        if self.mail.borrow().has_waiting() {
            self.release_mail(viewer);
        }
        flushed.result
    }

    /// Writes a viewer's queue to its end. Gives up when the socket takes nothing for `patience`,
    /// or when the viewer closes.
    pub(super) async fn write_out(&self, viewer: &Viewer, patience: Duration) -> WriteOut {
        while viewer.has_unsent() {
            match tokio::time::timeout(patience, viewer::writable(viewer)).await {
                Err(_) => return WriteOut::Stalled,
                Ok(Ok(())) if self.flush(viewer).is_ok() => {}
                Ok(_) => return WriteOut::Gone,
            }
        }
        WriteOut::Written
    }

    /// Waits, and writes the viewer's queue meanwhile; ends early when the viewer closes.
    pub(super) async fn pause(&self, viewer: &Viewer, time: Duration) {
        let until = Instant::now() + time;
        let written = tokio::time::timeout_at(until, self.write_out(viewer, time)).await;
        if written == Ok(WriteOut::Written) {
            let _timed_out = tokio::time::timeout_at(until, viewer::closed(viewer)).await;
        }
    }

    /// Closes viewers that are overdue, and settles the books.
    pub(super) fn sweep(&self) {
        self.context.lifecycle.heartbeats.shards[self.index].beat();
        let now = Instant::now();
        let since = now.duration_since(self.swept_at.replace(now));
        let paused = if since > SWEEP_LATE { since - SWEEP_EVERY } else { Duration::ZERO };
        let members = self.members.borrow();
        for viewer in members.joined() {
            viewer.check(now, paused, &self.context.config);
        }
        let mut queued = Counts::default();
        for viewer in members.all() {
            queued += viewer.queued();
        }
        self.books.borrow_mut().settle(&queued);
        drop(members);
        self.sweep_mail();
    }

    /// Returns the connection at an address.
    pub(super) fn viewer_at(&self, address: usize) -> Option<Rc<Viewer>> {
        self.members.borrow().by_address(address).cloned()
    }

    /// Returns the connections that get the mail of their users.
    pub(super) fn attached(&self) -> Vec<Rc<Viewer>> {
        self.members.borrow().attached().cloned().collect()
    }

    /// Starts a drain in place of the one under way.
    fn start_drain(&self, drain: Arc<Drain>) {
        let started = Arc::clone(&drain);
        let is_exempt = |viewer: &Viewer| started.exempts(viewer.deadlines.resumed_at.get());
        let part = ShardDrain::start(drain, self.unnotified(), is_exempt, rand::random());
        *self.drain.borrow_mut() = Some(part);
    }

    /// Cancels the drain. Viewers that were notified may go or stay.
    fn cancel_drain(&self) {
        *self.drain.borrow_mut() = None;
        for viewer in self.members.borrow().joined() {
            viewer.deadlines.leave_by.set(None);
        }
    }

    pub(super) fn has_drain(&self) -> bool {
        self.drain.borrow().is_some()
    }

    /// Notifies the viewers whose turn has come.
    pub(super) fn notify_drained(&self) {
        let mut part = self.drain.borrow_mut();
        let Some(draining) = part.as_mut() else { return };
        let elapsed = draining.drain.started_at.elapsed();
        for viewer in draining.take_due(elapsed) {
            self.send_away(&viewer, &draining.drain);
        }
        if !draining.is_over(elapsed) {
            return;
        }
        if draining.drain.cause.is_drain() {
            // Viewers that were joining when the drain began.
            for viewer in self.unnotified() {
                self.send_away(&viewer, &draining.drain);
            }
        } else {
            *part = None;
        }
    }

    fn unnotified(&self) -> Vec<Rc<Viewer>> {
        let members = self.members.borrow();
        members.joined().filter(|viewer| viewer.deadlines.leave_by.get().is_none()).cloned().collect()
    }

    fn send_away(&self, viewer: &Viewer, drain: &Drain) {
        let now = Instant::now();
        let left = time_left(drain.ends_at().saturating_duration_since(now));
        viewer.deadlines.leave_by.set(Some(now + left));
        let endpoints = drain.targets.draw(viewer.room.borrow().as_ref().map(|room| &room.id));
        let frame = reconnect_frame(drain.cause, left, endpoints);
        viewer.send(&ServerFrame::Reconnect(frame));
        self.context.metrics.moved(drain.cause);
    }

    /// Closes all viewers, at the end of the gateway.
    pub(super) fn close_all(&self) {
        for viewer in self.members.borrow().joined() {
            viewer.close(Refusal::new(Code::Draining, "this gateway is draining; ask entry for another one"));
        }
    }
}

/// Result of the attempt to write a viewer's whole queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteOut {
    /// Nothing is queued any more: the socket took everything.
    Written,
    /// The socket took nothing for too long.
    Stalled,
    /// The socket has failed, or the viewer closes.
    Gone,
}
