//! Rooms in which this process has hidden messages lately. Pages that were read before are not shown again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use barrage_protocol::RoomId;
use parking_lot::RwLock;

/// Time for which a room is remembered: longer than a page may be read and then be shown.
const KEPT: Duration = Duration::from_secs(15);
/// Rooms that are remembered. Those that come beyond have the bound of every page, which is a second.
const ROOMS_MAX: usize = 65_536;

/// Numbers of the last recall, purge or clear of each room. Pages are kept under the number, so that one
/// which was read before the signal is not found behind it.
#[derive(Debug, Default)]
pub(crate) struct Hidings(RwLock<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    rooms: HashMap<RoomId, (u64, Instant)>,
}

impl Hidings {
    /// Notes that a room has hidden messages. Called behind the signal.
    pub(crate) fn note(&self, room: &RoomId, now: Instant) {
        let mut numbers = self.0.write();
        numbers.last += 1;
        let number = numbers.last;
        numbers.rooms.retain(|_, (_, at)| now.saturating_duration_since(*at) < KEPT);
        if numbers.rooms.len() < ROOMS_MAX || numbers.rooms.contains_key(room) {
            numbers.rooms.insert(room.clone(), (number, now));
        }
    }

    /// Returns the number of the room's last signal that hides messages; 0 without one in the last seconds.
    pub(crate) fn number(&self, room: &RoomId) -> u64 {
        self.0.read().rooms.get(room).map_or(0, |(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_has_a_new_number_for_some_seconds() {
        let (hidings, now) = (Hidings::default(), barrage_clock::now());
        let [one, other]: [RoomId; 2] = ["a", "b"].map(|room| room.parse().unwrap());
        assert_eq!(hidings.number(&one), 0);
        hidings.note(&one, now);
        let first = hidings.number(&one);
        hidings.note(&one, now);
        assert!(first > 0 && hidings.number(&one) > first);
        assert_eq!(hidings.number(&other), 0);
        hidings.note(&other, now + KEPT);
        assert_eq!(hidings.number(&one), 0, "every page from before has ended");
    }
}
