use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::code::Refusal;
use barrage_protocol::facts::Platform;
use barrage_protocol::{ClientFacts, Code, RoomId};
use parking_lot::Mutex;

use super::{Room, RoomKey, View};

/// Longest wait of a join for its room's subscription. Clients give up after 5 s and then blame
/// the transport, so the refusal must come before.
const SUBSCRIBE_MAX: Duration = Duration::from_secs(3);

/// Starts the hub of a room. The gateway hands it in, because hubs stand above rooms.
pub(crate) type StartHub = Box<dyn Fn(Arc<Room>) + Send + Sync>;

/// Kind of what takes a seat, by the platform that the client stated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SeatKind {
    /// A connection that counts as online.
    #[default]
    Viewer,
    /// A page over a stream: gets everything, and is in no count of viewers that clients see.
    Overlay,
}

impl SeatKind {
    /// Returns the kind for the facts of a client. Facts that are forged can only lower the online count by
    /// the client itself.
    pub(crate) fn of(facts: Option<&ClientFacts>) -> Self {
        SeatKind::of_platform(facts.map(|facts| facts.platform).unwrap_or_default())
    }

    /// Returns the kind for a platform alone, which a client states in each of its polls.
    pub(crate) fn of_platform(platform: Platform) -> Self {
        if platform == Platform::Overlay { SeatKind::Overlay } else { SeatKind::Viewer }
    }
}

/// Seat of a viewer in a room; dropping it leaves the room.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) room: Arc<Room>,
    kind: SeatKind,
}

impl Seat {
    /// The caller holds the lock of the table, so that the room is not forgotten meanwhile.
    fn take(room: &Arc<Room>, kind: SeatKind) -> Self {
        room.add_viewer(kind);
        Seat { room: Arc::clone(room), kind }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.remove_viewer(self.kind);
    }
}

/// The bus did not take the room's subscription in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeatError;

impl From<SeatError> for Refusal {
    fn from(_: SeatError) -> Self {
        let refusal = Refusal::new(Code::Unavailable, "the room cannot be subscribed now; try again");
        refusal.retry_after_ms(1_000)
    }
}

/// Rooms that the gateway is subscribed to. Bounded by the rooms that exist on the bus, because
/// joins check that first.
pub(crate) struct Rooms {
    by_key: Mutex<HashMap<RoomKey, Arc<Room>>>,
    shards: usize,
    start_hub: StartHub,
}

impl Rooms {
    pub(crate) fn new(shards: usize, start_hub: StartHub) -> Self {
        Rooms { by_key: Mutex::default(), shards, start_hub }
    }

    /// Takes a seat, and waits until the room's hub has subscribed. The first seat starts the hub.
    pub(crate) async fn seat(&self, id: &RoomId, view: View, kind: SeatKind) -> Result<Seat, SeatError> {
        let seat = self.take(id, view, kind);
        if !seat.room.ready.initialized() {
            let subscribed = tokio::time::timeout(SUBSCRIBE_MAX, seat.room.ready.wait()).await;
            subscribed.map_err(|_| SeatError)?;
        }
        Ok(seat)
    }

    fn take(&self, id: &RoomId, view: View, kind: SeatKind) -> Seat {
        let key = RoomKey { id: id.clone(), view };
        let mut by_key = self.by_key.lock();
        if let Some(room) = by_key.get(&key) {
            return Seat::take(room, kind);
        }
        let room = Arc::new(Room::of_view(key.clone(), self.shards));
        by_key.insert(key, Arc::clone(&room));
        let seat = Seat::take(&room, kind);
        drop(by_key);
        (self.start_hub)(room);
        seat
    }

    /// Forgets a room without viewers; false when it has some. Runs under the lock of
    /// [`Rooms::seat`], so that no viewer is left in a room without a hub.
    pub(crate) fn leave_if_empty(&self, room: &Arc<Room>) -> bool {
        let mut by_key = self.by_key.lock();
        let is_empty = room.viewers() == 0;
        if is_empty {
            by_key.remove(&room.key);
        }
        is_empty
    }

    /// Forgets a room whose hub has ended; leaves a newer room of the same id alone.
    pub(crate) fn abandon(&self, room: &Arc<Room>) {
        let mut by_key = self.by_key.lock();
        if by_key.get(&room.key).is_some_and(|known| Arc::ptr_eq(known, room)) {
            by_key.remove(&room.key);
        }
    }

    /// Returns a view of a room, when the gateway is subscribed for it.
    pub(crate) fn get(&self, id: &RoomId, view: View) -> Option<Arc<Room>> {
        self.by_key.lock().get(&RoomKey { id: id.clone(), view }).cloned()
    }

    /// Returns a snapshot of the subscribed rooms, each view by itself.
    pub(crate) fn all(&self) -> Vec<Arc<Room>> {
        self.by_key.lock().values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.lock().len()
    }
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").field("rooms", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn id() -> RoomId {
        "demo".parse().unwrap()
    }

    /// A table whose hubs subscribe at once, and the number of hubs started.
    fn table() -> (Rooms, Arc<AtomicUsize>) {
        let started = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&started);
        let start_hub = move |room: Arc<Room>| {
            counter.fetch_add(1, Ordering::Relaxed);
            let _first = room.ready.set(());
        };
        (Rooms::new(1, Box::new(start_hub)), started)
    }

    #[tokio::test]
    async fn the_first_seat_starts_the_hub_and_later_ones_do_not() {
        let (rooms, started) = table();
        let first = rooms.seat(&id(), View::Everyone, SeatKind::Viewer).await.unwrap();
        let second = rooms.seat(&id(), View::Everyone, SeatKind::Overlay).await.unwrap();
        assert_eq!((started.load(Ordering::Relaxed), first.room.viewers()), (1, 2));
        assert!(Arc::ptr_eq(&first.room, &second.room));
    }

    #[tokio::test]
    async fn a_room_is_forgotten_once_its_last_seat_is_dropped() {
        let (rooms, started) = table();
        let seat = rooms.seat(&id(), View::Everyone, SeatKind::Viewer).await.unwrap();
        let room = Arc::clone(&seat.room);
        assert!(!rooms.leave_if_empty(&room));
        drop(seat);
        assert!(rooms.leave_if_empty(&room));
        assert_eq!(rooms.len(), 0);
        let newer = rooms.seat(&id(), View::Everyone, SeatKind::Viewer).await.unwrap();
        assert_eq!(started.load(Ordering::Relaxed), 2);
        rooms.abandon(&room);
        assert_eq!(rooms.len(), 1, "the newer room of the same id stays");
        rooms.abandon(&newer.room);
        assert_eq!(rooms.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_seat_is_refused_when_the_bus_does_not_answer() {
        let rooms = Rooms::new(1, Box::new(|_| ()));
        assert_eq!(rooms.seat(&id(), View::Everyone, SeatKind::Viewer).await.unwrap_err(), SeatError);
        let room = rooms.all().remove(0);
        assert_eq!(room.viewers(), 0, "the refused join leaves the room");
    }
}
