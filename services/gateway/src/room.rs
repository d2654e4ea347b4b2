//! The rooms that this gateway is subscribed to: who asks for one, and when it is
//! left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use barrage_flow::Counts;
use barrage_protocol::{RoomId, Sequence};
use tokio::sync::{Notify, OnceCell, broadcast, watch};

use crate::batch::SharedBatch;
use crate::beats::Beat;

/// Batches that an event-stream viewer may lag behind before it has to repair.
const FALLBACK_LAG_MAX: usize = 256;

/// A subscribed room. Viewers count here; the hub's task sends to those shards
/// that have any in a wave.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    /// The chain's position after what the waves were given. Stored before a batch is
    /// handed to shards, so that who joins either sees the position or gets the batch; and
    /// before waves are counted, so that a new one's first viewer misses nothing either.
    position: AtomicU64,
    viewers: AtomicUsize,
    /// Viewers on other gateways, as far as is known.
    elsewhere: AtomicU64,
    /// Waves that each shard serves the room in.
    waves: Box<[AtomicUsize]>,
    /// Viewers that came in and were not told of yet.
    entries: AtomicU64,
    /// Shards that have not yet written the newest batch.
    in_flight: AtomicUsize,
    /// Messages that shards have handed to their viewers, by class.
    arrived: [AtomicU64; 3],
    /// Wakes the hub when nothing is in flight any more.
    pub(crate) landed: Notify,
    /// Batches for the HTTP fallbacks.
    pub(crate) fallback: broadcast::Sender<Arc<SharedBatch>>,
    /// Wakes long polls.
    pub(crate) changed: watch::Sender<Sequence>,
    /// Set once the hub's task has subscribed and knows its start.
    pub(crate) ready: OnceCell<()>,
    /// The hub's task beats here.
    pub(crate) beat: Beat,
}

impl Room {
    fn new(id: RoomId, shards: usize) -> Self {
        Room {
            id,
            position: AtomicU64::new(0),
            viewers: AtomicUsize::new(0),
            elsewhere: AtomicU64::new(0),
            waves: (0..shards).map(|_| AtomicUsize::new(0)).collect(),
            entries: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            arrived: Default::default(),
            landed: Notify::new(),
            fallback: broadcast::Sender::new(FALLBACK_LAG_MAX),
            changed: watch::Sender::new(Sequence::ZERO),
            ready: OnceCell::new(),
            beat: Beat::new(),
        }
    }

    pub(crate) fn position(&self) -> Sequence {
        Sequence(self.position.load(Ordering::SeqCst))
    }

    pub(crate) fn set_position(&self, position: Sequence) {
        self.position.store(position.0, Ordering::SeqCst);
    }

    pub(crate) fn viewers(&self) -> u64 {
        self.viewers.load(Ordering::SeqCst) as u64
    }

    /// Viewers on all gateways.
    pub(crate) fn online(&self) -> u64 {
        self.viewers() + self.elsewhere.load(Ordering::Relaxed)
    }

    pub(crate) fn set_elsewhere(&self, viewers: u64) {
        self.elsewhere.store(viewers, Ordering::Relaxed);
    }

    pub(crate) fn entered(&self) {
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn take_entries(&self) -> u64 {
        self.entries.swap(0, Ordering::Relaxed)
    }

    /// Whether a shard has not yet written the newest batch.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) > 0
    }

    /// What the shards have handed to their viewers so far.
    pub(crate) fn arrived(&self) -> Counts {
        [0, 1, 2].map(|at| self.arrived[at].load(Ordering::SeqCst))
    }

    pub(crate) fn set_waves(&self, shard: usize, waves: usize) {
        self.waves[shard].store(waves, Ordering::SeqCst);
    }

    /// Waves of the shard that has most.
    pub(crate) fn waves(&self) -> usize {
        self.waves.iter().map(|waves| waves.load(Ordering::SeqCst)).max().unwrap_or_default()
    }

    pub(crate) fn has_wave_on(&self, shard: usize, wave: usize) -> bool {
        self.waves[shard].load(Ordering::SeqCst) > wave
    }
}

/// A viewer's place in a room; leaving is dropping it.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) room: Arc<Room>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.viewers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A wave's batch on its way to one shard. A room has one batch in flight at most, so a
/// shard that is behind makes the rooms' batches larger, never its queue longer.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) batch: Arc<SharedBatch>,
    pub(crate) wave: usize,
    room: Arc<Room>,
}

impl Delivery {
    pub(crate) fn new(batch: Arc<SharedBatch>, wave: usize, room: Arc<Room>) -> Self {
        room.in_flight.fetch_add(1, Ordering::SeqCst);
        Delivery { batch, wave, room }
    }

    /// The shard handed the batch to its viewers.
    pub(crate) fn arrived(self) {
        for (sum, messages) in self.room.arrived.iter().zip(self.batch.counts) {
            sum.fetch_add(messages, Ordering::SeqCst);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.room.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.room.landed.notify_one();
        }
    }
}

/// All subscribed rooms. Bounded by the rooms that exist on the bus: joins check
/// that first.
#[derive(Debug)]
pub(crate) struct Rooms {
    map: Mutex<HashMap<RoomId, Arc<Room>>>,
    shards: usize,
}

/// Under the lock of the rooms, so that none is forgotten meanwhile.
fn seat(room: &Arc<Room>) -> Seat {
    room.viewers.fetch_add(1, Ordering::SeqCst);
    Seat { room: Arc::clone(room) }
}

/// What taking a seat found.
pub(crate) enum Taken {
    /// The room's hub runs.
    Running(Seat),
    /// The caller must start the room's hub.
    New(Seat),
}

impl Rooms {
    pub(crate) fn new(shards: usize) -> Self {
        Rooms { map: Mutex::default(), shards }
    }

    /// Takes a seat in a room whose hub has subscribed.
    pub(crate) fn take_ready(&self, id: &RoomId) -> Option<Seat> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let room = map.get(id).filter(|room| room.ready.initialized())?;
        Some(seat(room))
    }

    /// Takes a seat in a room.
    pub(crate) fn take(&self, id: &RoomId) -> Taken {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let known = map.get(id).cloned();
        let is_new = known.is_none();
        let room = known.unwrap_or_else(|| {
            let room = Arc::new(Room::new(id.clone(), self.shards));
            map.insert(id.clone(), Arc::clone(&room));
            room
        });
        let seat = seat(&room);
        if is_new { Taken::New(seat) } else { Taken::Running(seat) }
    }

    /// Forgets a room if nobody came back; under the same lock as `take`, so that
    /// nobody is left in a room that has no hub.
    pub(crate) fn leave_if_empty(&self, room: &Arc<Room>) -> bool {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = room.viewers() == 0;
        if empty {
            map.remove(&room.id);
        }
        empty
    }

    /// Forgets a room whose hub could not run.
    pub(crate) fn abandon(&self, room: &Arc<Room>) {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        if map.get(&room.id).is_some_and(|known| Arc::ptr_eq(known, room)) {
            map.remove(&room.id);
        }
    }

    /// Those of now.
    pub(crate) fn all(&self) -> Vec<Arc<Room>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.map.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
