//! A shard: one thread, one single-threaded runtime, and the connections that it
//! owns. No lock and no task wake per delivery: a batch is written to each viewer's
//! socket in a plain loop.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{Reconnect, ServerFrame};
use barrage_protocol::{Class, Code, Message, RoomId, UserId};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::batch::SharedBatch;
use crate::gateway::Shared;
use crate::join::Arrival;
use crate::session;
use crate::viewer::Viewer;

/// How often heartbeats and stalls are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Between the last viewer's deadline and the end of the thread.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a shard is told.
pub(crate) enum Command {
    /// Own this connection.
    Adopt(Box<Arrival>),
    /// Send this to the room's viewers.
    Deliver(Arc<SharedBatch>),
    /// Send this to the user's connections.
    Notice { user: UserId, message: Arc<Message> },
    /// Close a user's connections in a room, or everybody's.
    Evict { room: RoomId, user: Option<UserId>, code: Code },
    /// Send all viewers elsewhere over this time, then end.
    Drain { within: Duration },
}

/// What the tasks of one shard share.
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    /// Viewers by room, packed so that a fan-out touches one array.
    pub(crate) rooms: RefCell<HashMap<RoomId, Vec<Rc<Viewer>>>>,
    /// Where sockets are read into before frames are cut out.
    pub(crate) scratch: RefCell<Vec<u8>>,
}

impl Shard {
    pub(crate) fn enter(&self, room: &RoomId, viewer: Rc<Viewer>) {
        self.rooms.borrow_mut().entry(room.clone()).or_default().push(viewer);
    }

    pub(crate) fn leave(&self, room: &RoomId, viewer: &Rc<Viewer>) {
        let mut rooms = self.rooms.borrow_mut();
        if let Some(viewers) = rooms.get_mut(room) {
            if let Some(at) = viewers.iter().position(|v| Rc::ptr_eq(v, viewer)) {
                viewers.swap_remove(at);
            }
            if viewers.is_empty() {
                rooms.remove(room);
            }
        }
    }

    fn deliver(&self, batch: &Arc<SharedBatch>) {
        let rooms = self.rooms.borrow();
        let Some(viewers) = rooms.get(&batch.room) else { return };
        let mut tally = Tally::default();
        for viewer in viewers {
            viewer.deliver(batch, &self.shared.config, &mut tally);
        }
        let metrics = &self.shared.metrics;
        for class in [Class::Signal, Class::Gift, Class::Chat] {
            metrics.delivered(class, batch.counts[class as usize] * tally.viewers);
        }
        metrics.writes.inc_by(tally.writes);
        metrics.sent_bytes.inc_by(tally.bytes);
        metrics.backlog_bytes.add(tally.queued);
        if tally.left_out > 0 {
            metrics.left_out(Class::Chat, "viewer", "slow", tally.left_out);
        }
    }

    fn sweep(&self) {
        let now = Instant::now();
        for viewer in self.rooms.borrow().values().flatten() {
            viewer.check(now, &self.shared.config);
        }
    }

    fn notice(&self, user: &UserId, message: &Message) {
        for viewer in self.rooms.borrow().values().flatten().filter(|v| v.is(user)) {
            viewer.send_notice(message);
        }
    }

    fn evict(&self, room: &RoomId, user: Option<&UserId>, code: Code) {
        let rooms = self.rooms.borrow();
        let chosen = rooms.get(room).into_iter().flatten().filter(|v| user.is_none_or(|user| v.is(user)));
        for viewer in chosen {
            let message = match code {
                Code::RoomClosed => "the room is closed",
                _ => "a moderator removed you from this room",
            };
            viewer.close(Refusal::new(code, message));
        }
    }

    /// Names each viewer a time of its own, so that they do not come back at once.
    fn drain(&self, within: Duration) {
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        for viewer in self.rooms.borrow().values().flatten() {
            let frame = ServerFrame::Reconnect(Reconnect {
                after_ms: rand::random_range(0..=within_ms / 2),
                deadline_ms: within_ms,
                endpoints: Vec::new(),
                message: "this gateway is leaving; open a connection elsewhere, then close this one".into(),
            });
            viewer.send(&frame);
        }
    }

    fn close_all(&self) {
        for viewer in self.rooms.borrow().values().flatten() {
            viewer.close(Refusal::new(Code::Draining, "this gateway is leaving; ask entry for another"));
        }
    }
}

/// What one batch did to one shard.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) viewers: u64,
    pub(crate) writes: u64,
    pub(crate) bytes: u64,
    pub(crate) queued: i64,
    pub(crate) left_out: u64,
}

/// The shard's thread.
pub(crate) fn run(
    index: usize,
    shared: &Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    main: &tokio::runtime::Handle,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "a shard could not start");
            return;
        }
    };
    let shard = Rc::new(Shard {
        index,
        shared: Arc::clone(shared),
        rooms: RefCell::default(),
        scratch: RefCell::new(vec![0; barrage_protocol::frame::CLIENT_FRAME_BYTES_MAX * 2]),
    });
    let local = LocalSet::new();
    local.block_on(&runtime, turn(shard, commands, main.clone()));
}

async fn turn(shard: Rc<Shard>, mut commands: mpsc::Receiver<Command>, main: tokio::runtime::Handle) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut deadline: Option<Instant> = None;
    let mut closed = false;
    loop {
        tokio::select! {
            // Deliveries before sweeps: under load the sweep waits, not the viewers.
            biased;
            command = commands.recv() => match command {
                None => return,
                Some(Command::Adopt(arrival)) => session::adopt(&shard, *arrival, &main),
                Some(Command::Deliver(batch)) => shard.deliver(&batch),
                Some(Command::Notice { user, message }) => shard.notice(&user, &message),
                Some(Command::Evict { room, user, code }) => shard.evict(&room, user.as_ref(), code),
                Some(Command::Drain { within }) => {
                    shard.drain(within);
                    deadline = Some(Instant::now() + within);
                }
            },
            _ = sweep.tick() => shard.sweep(),
            () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                if closed {
                    return;
                }
                shard.close_all();
                closed = true;
                deadline = Some(Instant::now() + LAST_WORDS);
            }
        }
        // Everybody has gone already: no need to wait for the deadline.
        if deadline.is_some() && shard.rooms.borrow().is_empty() && commands.is_empty() {
            return;
        }
    }
}
