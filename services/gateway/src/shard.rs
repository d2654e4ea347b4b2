//! A shard: one thread, one single-threaded runtime, and the connections that it
//! owns. No lock and no task wake per delivery: a batch is written to each viewer's
//! socket in a plain loop.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use barrage_flow::{Book, Counts, Fate};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Class, Code, Message, RoomId, UserId};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::audience::Audience;
use crate::batch::SharedBatch;
use crate::drain::Leaving;
use crate::eviction::Eviction;
use crate::fan_out::FanOut;
use crate::gateway::Shared;
use crate::join::Arrival;
use crate::room::{Delivery, Room};
use crate::session;
use crate::tell::{TELL_EVERY, Telling};
use crate::viewer::Viewer;

/// How often heartbeats and stalls are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Viewers whose lines of cache are fetched at the same time, before any of them is written
/// to. With what a send touches, so many fit the nearest caches.
const TOUCHED_TOGETHER: usize = 16;
/// Between two sweeps that are further apart than this, the shard did not run: the process was
/// stopped, or the machine had no processor for it.
const SWEEP_LATE: Duration = Duration::from_secs(3);
/// For close frames to be written, before the end of the thread.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a shard is told.
pub(crate) enum Command {
    /// Own this connection.
    Adopt(Box<Arrival>),
    /// Send this to a wave of the room's viewers.
    Deliver(Delivery, Option<Arc<FanOut>>),
    /// Send this to the user's connections.
    Notice { user: UserId, message: Arc<Message> },
    /// Close the connections concerned.
    Evict(Arc<Eviction>),
    /// Close one connection, by its viewer's address.
    EvictOne { address: usize, refusal: Refusal },
    /// Tell viewers to go elsewhere.
    Depart(Arc<Leaving>),
    /// Tell nobody else.
    Stay,
    /// Close whoever is left, then end.
    End,
    /// Stop the thread for a while, as a stopped process does.
    #[cfg(test)]
    Stall(Duration),
    /// End the thread by a panic.
    #[cfg(test)]
    Panic,
}

/// What the tasks of one shard share.
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    /// Where hubs are spawned.
    pub(crate) main: tokio::runtime::Handle,
    /// Viewers by room.
    pub(crate) rooms: RefCell<HashMap<RoomId, Audience<Viewer>>>,
    /// Every connection, in a room or on its way into one or out.
    /// By address, see [`address`].
    pub(crate) everybody: RefCell<HashMap<usize, Rc<Viewer>>>,
    /// What became of the messages that were due to viewers.
    book: RefCell<Book>,
    /// Who is to be told to go elsewhere, if anybody is.
    pub(crate) telling: RefCell<Option<Telling>>,
    /// Where sockets are read into before frames are cut out.
    pub(crate) scratch: RefCell<Vec<u8>>,
    swept_at: Cell<Instant>,
}

impl Shard {
    pub(crate) fn enter(&self, room: &Room, viewer: Rc<Viewer>) {
        let mut rooms = self.rooms.borrow_mut();
        let audience = rooms.entry(room.id.clone()).or_default();
        audience.enter(viewer, self.shared.config.wave_viewers_max);
        room.set_waves(self.index, audience.waves());
    }

    pub(crate) fn leave(&self, room: &Room, viewer: &Rc<Viewer>) {
        let mut rooms = self.rooms.borrow_mut();
        if let Some(audience) = rooms.get_mut(&room.id) {
            audience.leave(viewer);
            room.set_waves(self.index, audience.waves());
            if audience.waves() == 0 {
                rooms.remove(&room.id);
            }
        }
    }

    /// Delivers to a wave of a room's viewers.
    fn deliver(&self, delivery: Delivery, fan_out: Option<&FanOut>) {
        let batch = &delivery.batch;
        let mut tally = Tally::default();
        if let Some(audience) = self.rooms.borrow().get(&batch.room) {
            for viewers in audience.wave(delivery.wave).chunks(TOUCHED_TOGETHER) {
                let touched = viewers.iter().map(|viewer| viewer.touch());
                std::hint::black_box(touched.fold(0, u64::wrapping_add));
                for viewer in viewers {
                    viewer.deliver(batch, &self.shared.config, &mut tally);
                }
            }
        }
        self.tallied(batch, &tally);
        if let Some(fan_out) = fan_out {
            fan_out.add(&tally);
        }
        self.shared.strain.delivered_after(batch.due_at.elapsed());
        if let Some(waited_ms) = batch.waited_ms {
            let took_ms = u64::try_from(batch.made_at.elapsed().as_millis()).unwrap_or(u64::MAX);
            let push_ms = waited_ms.saturating_add(took_ms);
            self.shared.pushes.add(push_ms, tally.written);
            self.shared.metrics.push_seconds.observe(push_ms as f64 / 1_000.0);
        }
        delivery.arrived();
    }

    /// Delivers to one viewer what was held for it.
    pub(crate) fn release(&self, viewer: &Viewer) {
        for batch in viewer.release() {
            let mut tally = Tally::default();
            viewer.deliver(&batch, &self.shared.config, &mut tally);
            self.tallied(&batch, &tally);
        }
    }

    fn tallied(&self, batch: &SharedBatch, tally: &Tally) {
        let metrics = &self.shared.metrics;
        for class in [Class::Signal, Class::Gift, Class::Chat] {
            metrics.delivered(class, batch.counts[class as usize] * tally.viewers);
        }
        metrics.writes.inc_by(tally.writes);
        metrics.sent_bytes.inc_by(tally.bytes);
        metrics.backlog_bytes.add(tally.queued_bytes);
        let queued_bytes = u64::try_from(tally.queued_bytes).unwrap_or(0);
        self.shared.strain.sent(tally.bytes + queued_bytes);
        let mut book = self.book.borrow_mut();
        book.took(&batch.counts, tally.viewers);
        book.became(Fate::PassedOn, &batch.counts, tally.written);
        drop(book);
        if tally.gone > 0 {
            self.left_out("gone", &batch.counts, tally.gone);
        }
        if tally.left_out > 0 {
            self.left_out("slow", &barrage_flow::ledger::one(Class::Chat), tally.left_out);
        }
        if tally.overflowed > 0 {
            // Their chat was left out before.
            let precious = [batch.counts[0], batch.counts[1], 0];
            self.left_out("slow", &precious, tally.overflowed);
        }
    }

    fn left_out(&self, reason: &'static str, messages: &Counts, times: u64) {
        self.book.borrow_mut().became(Fate::LeftOut, messages, times);
        for class in [Class::Signal, Class::Gift, Class::Chat] {
            let messages = messages[class as usize] * times;
            if messages > 0 {
                self.shared.metrics.left_out(class, "viewer", reason, messages);
            }
        }
    }

    /// Writes what is queued for a viewer, as far as its socket takes it.
    pub(crate) fn flush(&self, viewer: &Viewer) -> std::io::Result<()> {
        let flushed = viewer.flush();
        self.shared.metrics.sent_bytes.inc_by(flushed.bytes);
        self.shared.metrics.backlog_bytes.add(flushed.queued_change);
        self.book.borrow_mut().became(Fate::PassedOn, &flushed.messages, 1);
        flushed.result
    }

    /// Writes until nothing is queued, the socket takes nothing for the time given, or the
    /// viewer closes.
    pub(crate) async fn settle(&self, viewer: &Viewer, patience: Duration) -> Settled {
        while viewer.has_unsent() {
            match tokio::time::timeout(patience, viewer.writable()).await {
                Err(_) => return Settled::Stalled,
                Ok(Ok(())) if self.flush(viewer).is_ok() => {}
                Ok(_) => return Settled::Gone,
            }
        }
        Settled::Written
    }

    /// Waits, and writes meanwhile; ends early when the viewer closes.
    pub(crate) async fn pause(&self, viewer: &Viewer, time: Duration) {
        let until = Instant::now() + time;
        let unsent = self.settle(viewer, time);
        if tokio::time::timeout_at(until, unsent).await == Ok(Settled::Written) {
            drop(tokio::time::timeout_at(until, viewer.closed()).await);
        }
    }

    /// The viewer has gone: what was queued for it reaches it by its resume, if it
    /// comes back.
    pub(crate) fn part(&self, viewer: &Viewer) {
        let outbox = viewer.take_outbox();
        self.shared.metrics.backlog_bytes.sub(outbox.reported());
        self.left_out("gone", &outbox.holds(), 1);
        self.everybody.borrow_mut().remove(&address(viewer));
    }

    fn sweep(&self) {
        self.shared.parts.shards[self.index].beat();
        let now = Instant::now();
        let since = now.duration_since(self.swept_at.replace(now));
        let paused = if since > SWEEP_LATE { since - SWEEP_EVERY } else { Duration::ZERO };
        for viewer in self.rooms.borrow().values().flat_map(Audience::iter) {
            viewer.check(now, paused, &self.shared.config);
        }
        let mut holds = Counts::default();
        for viewer in self.everybody.borrow().values() {
            for (sum, messages) in holds.iter_mut().zip(viewer.queued()) {
                *sum += messages;
            }
        }
        self.book.borrow_mut().settle(&holds);
    }

    fn notice(&self, user: &UserId, message: &Message) {
        for viewer in self.rooms.borrow().values().flat_map(Audience::iter).filter(|v| v.is(user)) {
            viewer.send_notice(message);
        }
    }

    fn evict(&self, eviction: &Eviction) {
        let concerns = |viewer: &Viewer| {
            let room = viewer.room.borrow();
            eviction.concerns(room.as_ref().map(|room| &room.id), viewer.user.borrow().as_ref())
        };
        let close = |viewer: &Rc<Viewer>| viewer.close(eviction.refusal.clone());
        if let Some(room) = &eviction.room {
            let rooms = self.rooms.borrow();
            let audience = rooms.get(room).into_iter().flat_map(Audience::iter);
            audience.filter(|viewer| concerns(viewer)).for_each(close);
        } else {
            let everybody = self.everybody.borrow();
            everybody.values().filter(|viewer| concerns(viewer)).for_each(close);
        }
    }

    fn evict_one(&self, address: usize, refusal: Refusal) {
        let everybody = self.everybody.borrow();
        if let Some(viewer) = everybody.get(&address) {
            viewer.close(refusal);
        }
    }

    fn close_all(&self) {
        for viewer in self.rooms.borrow().values().flat_map(Audience::iter) {
            viewer.close(Refusal::new(Code::Draining, "this gateway is leaving; ask entry for another"));
        }
    }
}

/// How a wait for a viewer's socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nothing is queued.
    Written,
    /// The socket took nothing for too long.
    Stalled,
    /// The socket has failed, or the viewer closes.
    Gone,
}

/// What a viewer is found by: unique among the viewers that live.
pub(crate) fn address(viewer: &Viewer) -> usize {
    std::ptr::from_ref(viewer).addr()
}

/// What one batch did to one shard.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Viewers that it was due to; each of them is one of the next three.
    pub(crate) viewers: u64,
    /// Their sockets took it whole.
    pub(crate) written: u64,
    /// It is queued, wholly or in part.
    pub(crate) queued: u64,
    /// Their sockets have failed.
    pub(crate) gone: u64,
    pub(crate) writes: u64,
    pub(crate) bytes: u64,
    /// Change of what is queued.
    pub(crate) queued_bytes: i64,
    /// Chat left out of what is queued.
    pub(crate) left_out: u64,
    /// Viewers whose queue had no room for the batch; they are among the queued.
    pub(crate) overflowed: u64,
}

/// Notes the end of a shard's thread, however it ends.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.shard_ended();
    }
}

/// Builds a shard's runtime, on which [`run`] runs its thread.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The shard's thread.
pub(crate) fn run(
    index: usize,
    shared: &Arc<Shared>,
    runtime: &Runtime,
    commands: mpsc::Receiver<Command>,
    main: &tokio::runtime::Handle,
) {
    let _ending = Ending(Arc::clone(shared));
    shared.strain.worker(runtime.handle().clone());
    let shard = Rc::new(Shard {
        index,
        shared: Arc::clone(shared),
        main: main.clone(),
        rooms: RefCell::default(),
        everybody: RefCell::default(),
        book: RefCell::new(shared.metrics.ledger.book("viewers")),
        telling: RefCell::default(),
        scratch: RefCell::new(vec![0; barrage_protocol::frame::CLIENT_FRAME_BYTES_MAX * 2]),
        swept_at: Cell::new(Instant::now()),
    });
    let local = LocalSet::new();
    local.block_on(runtime, turn(shard, commands));
}

async fn turn(shard: Rc<Shard>, mut commands: mpsc::Receiver<Command>) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tell = tokio::time::interval(TELL_EVERY);
    tell.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut deadline: Option<Instant> = None;
    loop {
        tokio::select! {
            // Deliveries before sweeps: under load the sweep waits, not the viewers.
            biased;
            command = commands.recv() => match command {
                None => return,
                Some(Command::Adopt(arrival)) => session::adopt(&shard, *arrival),
                Some(Command::Deliver(delivery, fan_out)) => shard.deliver(delivery, fan_out.as_deref()),
                Some(Command::Notice { user, message }) => shard.notice(&user, &message),
                Some(Command::Evict(eviction)) => shard.evict(&eviction),
                Some(Command::EvictOne { address, refusal }) => shard.evict_one(address, refusal),
                Some(Command::Depart(leaving)) => shard.depart(leaving),
                Some(Command::Stay) => shard.stay(),
                Some(Command::End) => {
                    shard.close_all();
                    deadline = Some(Instant::now() + LAST_WORDS);
                }
                #[cfg(test)]
                #[allow(clippy::disallowed_methods, reason = "stands for a process that is stopped")]
                Some(Command::Stall(time)) => std::thread::sleep(time),
                #[cfg(test)]
                Some(Command::Panic) => panic!("a test ends this shard"),
            },
            _ = tell.tick(), if shard.telling.borrow().is_some() => shard.tell(),
            _ = sweep.tick() => shard.sweep(),
            () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => return,
        }
        // Everybody has gone already: no need to wait for the deadline.
        if deadline.is_some() && shard.rooms.borrow().is_empty() && commands.is_empty() {
            return;
        }
    }
}
