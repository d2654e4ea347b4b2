use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use barrage_class::{ByClass, Counts};
use barrage_handshake::{Ended, InFlight, RestFlag, Stir, Turn};
use barrage_protocol::{RoomId, Sequence, UserId};
use parking_lot::Mutex;
use tokio::sync::{Notify, SetOnce, watch};

use super::delay::View;
use super::fallback::Fallback;
use super::hide::Hides;
use super::state::StateCell;
use super::{SeatKind, Traffic};
use crate::load::Heartbeat;

/// Users that a room remembers as staff.
const STAFF_MAX: usize = 1_000;

/// Key of a room's view on this gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RoomKey {
    pub(crate) id: RoomId,
    pub(crate) view: View,
}

/// Room that the gateway is subscribed to: state that its hub, the shards and joins share.
///
/// Position, waves, batches in flight and the rest of the hub are protocols of `barrage-handshake`, of which
/// models try every order of steps. A new viewer gets the batch or has its position in the hello ([`Turn`]).
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) key: RoomKey,
    /// Delay in milliseconds that the hub applies; 0 for none.
    delay_ms: AtomicU64,
    /// Hiding signals, while the room has or had a delay.
    pub(crate) hides: Hides,
    /// Users that joined with a token of a moderator or above, or in the view of moderators, so that they can
    /// be moved to another view.
    staff: Mutex<BTreeSet<UserId>>,
    /// Position in the chain after the messages that were given to waves, and the waves on each shard.
    turn: Turn,
    viewers: AtomicUsize,
    /// Those of the viewers that are pages over a stream.
    overlays: AtomicUsize,
    /// Viewers on other gateways, as of the last exchange of counts.
    viewers_elsewhere: AtomicU64,
    /// Those of the viewers that read lines.
    line_readers: AtomicUsize,
    /// Viewers that joined since the last entry pulse.
    entries: AtomicU64,
    /// Shards that have not yet written the newest batch.
    in_flight: InFlight,
    /// Messages that shards have delivered, by class.
    delivered: ByClass<AtomicU64>,
    /// Traffic since rooms were ranked last.
    pub(crate) traffic: Traffic,
    /// State for newcomers; at least as new as the position.
    pub(crate) state: StateCell,
    /// Wakes the hub when no batch is in flight any more.
    pub(crate) completed: Notify,
    /// Whether the hub measures the room less often, because nothing happens in it.
    is_at_rest: RestFlag,
    /// Wakes a hub at rest when viewers come or go.
    pub(crate) stirred: Notify,
    /// Queue of batches for event streams.
    pub(crate) fallback: Fallback,
    /// Newest position, whose changes wake long polls.
    pub(crate) changed: watch::Sender<Sequence>,
    /// Set once the hub has subscribed and the position is valid.
    pub(crate) ready: SetOnce<()>,
    /// Heartbeat of the hub, whose age `/healthz` reports.
    pub(crate) heartbeat: Heartbeat,
}

impl Room {
    #[cfg(test)]
    pub(crate) fn new(id: RoomId, shards: usize) -> Self {
        Room::of_view(RoomKey { id, view: View::Everyone }, shards)
    }

    pub(crate) fn of_view(key: RoomKey, shards: usize) -> Self {
        Room {
            id: key.id.clone(),
            key,
            delay_ms: AtomicU64::new(0),
            hides: Hides::default(),
            staff: Mutex::default(),
            turn: Turn::new(shards),
            viewers: AtomicUsize::new(0),
            overlays: AtomicUsize::new(0),
            viewers_elsewhere: AtomicU64::new(0),
            line_readers: AtomicUsize::new(0),
            entries: AtomicU64::new(0),
            in_flight: InFlight::none(),
            delivered: ByClass::default(),
            traffic: Traffic::default(),
            state: StateCell::default(),
            completed: Notify::new(),
            is_at_rest: RestFlag::awake(),
            stirred: Notify::new(),
            fallback: Fallback::default(),
            changed: watch::Sender::new(Sequence::ZERO),
            ready: SetOnce::new(),
            heartbeat: Heartbeat::new(),
        }
    }

    /// Whether viewers get the room later than moderators.
    pub(crate) fn is_delayed(&self) -> bool {
        self.delay_ms() > 0
    }

    /// Delay in milliseconds that the hub applies; 0 for none.
    pub(crate) fn delay_ms(&self) -> u64 {
        self.delay_ms.load(Ordering::SeqCst)
    }

    pub(crate) fn set_delay_ms(&self, delay_ms: u64) {
        self.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// Remembers a user that may need another view when a delay begins. Beyond the maximum the user gets it
    /// with the next connection.
    pub(crate) fn add_staff(&self, user: &UserId) {
        let mut staff = self.staff.lock();
        if staff.len() < STAFF_MAX {
            staff.insert(user.clone());
        }
    }

    /// Returns the users that [`Room::add_staff`] remembered.
    pub(crate) fn staff(&self) -> BTreeSet<UserId> {
        self.staff.lock().clone()
    }

    pub(crate) fn position(&self) -> Sequence {
        Sequence(self.turn.position())
    }

    /// Moves the position; the hub calls this before it reads the wave counts.
    pub(crate) fn set_position(&self, position: Sequence) {
        self.turn.set_position(position.0);
    }

    /// Viewers of the room on this gateway, over all transports, overlays included.
    pub(crate) fn viewers(&self) -> u64 {
        self.viewers.load(Ordering::SeqCst) as u64
    }

    /// Viewers of the room on this gateway without overlays: what the online count says.
    pub(crate) fn audience(&self) -> u64 {
        self.viewers().saturating_sub(self.overlays())
    }

    /// Overlays of the room on this gateway.
    pub(crate) fn overlays(&self) -> u64 {
        self.overlays.load(Ordering::SeqCst) as u64
    }

    pub(super) fn add_viewer(&self, kind: SeatKind) {
        if kind == SeatKind::Overlay {
            self.overlays.fetch_add(1, Ordering::SeqCst);
        }
        self.viewers.fetch_add(1, Ordering::SeqCst);
        self.stir();
    }

    pub(super) fn remove_viewer(&self, kind: SeatKind) {
        self.viewers.fetch_sub(1, Ordering::SeqCst);
        if kind == SeatKind::Overlay {
            self.overlays.fetch_sub(1, Ordering::SeqCst);
        }
        self.stir();
    }

    /// Sets whether the hub measures the room less often. The hub sets it before it reads the room's figures.
    pub(crate) fn set_at_rest(&self, is_at_rest: bool) {
        self.is_at_rest.set(is_at_rest);
    }

    /// Wakes the hub if it is at rest. Called after a change of a figure that the hub measures.
    fn stir(&self) {
        if self.is_at_rest.stir() == Stir::Wake {
            self.stirred.notify_one();
        }
    }

    /// Viewers of the room on all gateways without overlays. The counts of the others are some seconds old.
    pub(crate) fn online(&self) -> u64 {
        self.audience() + self.viewers_elsewhere.load(Ordering::SeqCst)
    }

    pub(crate) fn set_viewers_elsewhere(&self, viewers: u64) {
        if self.viewers_elsewhere.swap(viewers, Ordering::SeqCst) != viewers {
            self.stir();
        }
    }

    /// Whether a viewer of the room on this gateway reads lines.
    pub(crate) fn has_line_readers(&self) -> bool {
        self.line_readers.load(Ordering::Relaxed) > 0
    }

    /// Counts a viewer that reads lines; a shard calls this when it enters.
    pub(crate) fn add_line_reader(&self) {
        self.line_readers.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes back [`Room::add_line_reader`], when the viewer leaves.
    pub(crate) fn remove_line_reader(&self) {
        self.line_readers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a join for the next entry pulse.
    pub(crate) fn count_entry(&self) {
        self.entries.fetch_add(1, Ordering::SeqCst);
        self.stir();
    }

    pub(crate) fn take_entries(&self) -> u64 {
        self.entries.swap(0, Ordering::SeqCst)
    }

    /// Whether a shard has not yet written the newest batch.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight.any()
    }

    pub(super) fn start_delivery(&self) {
        self.in_flight.start();
    }

    pub(super) fn end_delivery(&self) {
        if self.in_flight.end() == Ended::All {
            self.completed.notify_one();
        }
    }

    /// Counts messages that one shard has delivered.
    pub(super) fn count_delivered(&self, messages: &Counts) {
        for (_, (sum, messages)) in self.delivered.as_ref().zip(*messages).iter() {
            sum.fetch_add(*messages, Ordering::SeqCst);
        }
    }

    /// Messages that shards have delivered so far.
    pub(crate) fn delivered(&self) -> Counts {
        self.delivered.as_ref().map(|sum| sum.load(Ordering::SeqCst))
    }

    /// Sets the number of waves on a shard; the shard calls this before a new viewer reads the
    /// position.
    pub(crate) fn set_waves(&self, shard: usize, waves: usize) {
        self.turn.set_waves(shard, waves);
    }

    /// Waves of the shard that has most of them.
    pub(crate) fn waves(&self) -> usize {
        self.turn.waves()
    }

    pub(crate) fn has_wave_on(&self, shard: usize, wave: usize) -> bool {
        self.turn.has_wave_on(shard, wave)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_room_has_the_waves_of_its_largest_shard() {
        let room = Room::new("demo".parse().unwrap(), 2);
        assert_eq!(room.waves(), 0);
        room.set_waves(0, 1);
        room.set_waves(1, 3);
        assert_eq!(room.waves(), 3);
        assert!(room.has_wave_on(1, 2) && !room.has_wave_on(0, 1));
    }

    #[test]
    fn viewers_of_other_gateways_count_as_online() {
        let room = Room::new("demo".parse().unwrap(), 1);
        room.add_viewer(SeatKind::Viewer);
        room.set_viewers_elsewhere(4);
        assert_eq!((room.viewers(), room.online()), (1, 5));
    }

    #[tokio::test]
    async fn viewers_who_come_or_go_wake_a_hub_at_rest_once() {
        let room = Room::new("demo".parse().unwrap(), 1);
        let is_stirred = || room.stirred.notified().now_or_never().is_some();
        room.add_viewer(SeatKind::Viewer);
        assert!(!is_stirred(), "the hub is awake");
        let changes: [&dyn Fn(); 4] = [
            &|| room.count_entry(),
            &|| room.set_viewers_elsewhere(room.online() + 1),
            &|| room.add_viewer(SeatKind::Overlay),
            &|| room.remove_viewer(SeatKind::Overlay),
        ];
        for change in changes {
            room.set_at_rest(true);
            change();
            assert!(is_stirred());
            change();
            assert!(!is_stirred(), "awake since the first change");
            room.add_viewer(SeatKind::Overlay);
        }
        room.set_viewers_elsewhere(4);
        room.set_at_rest(true);
        room.set_viewers_elsewhere(4);
        assert!(!is_stirred(), "nothing changed");
    }

    #[test]
    fn overlays_hold_a_seat_and_do_not_count_as_online() {
        let room = Room::new("demo".parse().unwrap(), 1);
        room.add_viewer(SeatKind::Viewer);
        room.add_viewer(SeatKind::Overlay);
        assert_eq!((room.viewers(), room.audience(), room.online(), room.overlays()), (2, 1, 1, 1));
        room.remove_viewer(SeatKind::Viewer);
        assert_eq!((room.viewers(), room.online()), (1, 0));
        room.remove_viewer(SeatKind::Overlay);
        assert_eq!((room.viewers(), room.overlays()), (0, 0));
    }
}
