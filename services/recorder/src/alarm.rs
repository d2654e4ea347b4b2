//! Limits how often an alarm writes a file. Pure: time is a parameter.

use std::collections::HashMap;

/// Shortest time between two files of one room.
const EVERY_MS: u64 = 300_000;
/// Rooms with a remembered alarm. Above this number, expired entries are removed; without an expired
/// entry, no further room gets a file.
const ROOMS_MAX: usize = 1_024;

/// Invariant: a room has at most one alarm in five minutes.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    rang_ms: HashMap<u64, u64>,
}

impl Alarm {
    /// Reports whether a file is due for the room now.
    pub(crate) fn rings(&mut self, room: u64, now_ms: u64) -> bool {
        let is_over = |at_ms: u64| now_ms >= at_ms.saturating_add(EVERY_MS);
        if self.rang_ms.get(&room).is_some_and(|at_ms| !is_over(*at_ms)) {
            return false;
        }
        if self.rang_ms.len() >= ROOMS_MAX && !self.rang_ms.contains_key(&room) {
            self.rang_ms.retain(|_, at_ms| !is_over(*at_ms));
            if self.rang_ms.len() >= ROOMS_MAX {
                return false;
            }
        }
        self.rang_ms.insert(room, now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_five_minutes_and_room_by_room() {
        let mut alarm = Alarm::default();
        assert!(alarm.rings(1, 1_000) && alarm.rings(2, 1_000));
        assert!(!alarm.rings(1, 1_000 + EVERY_MS - 1));
        assert!(alarm.rings(1, 1_000 + EVERY_MS));
    }

    #[test]
    fn its_memory_is_bounded_and_what_is_over_makes_room() {
        let mut alarm = Alarm::default();
        assert!((0..ROOMS_MAX as u64).all(|room| alarm.rings(room, room)));
        assert!(!alarm.rings(9_999_999, 5_000));
        assert!(alarm.rings(9_999_999, EVERY_MS + 10));
        assert!(alarm.rang_ms.len() <= ROOMS_MAX);
    }
}
