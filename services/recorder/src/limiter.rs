//! Limits how often a room in trouble writes a file. Pure: time is passed in.

use std::collections::HashMap;

/// Shortest time between two files of one room.
const INTERVAL_MS: u64 = 300_000;
/// Maximum number of remembered rooms. At the maximum, rooms whose interval is over are forgotten;
/// when there are none, further rooms write no file.
const ROOMS_MAX: usize = 1_024;

/// Admits at most one file of a room in five minutes.
#[derive(Debug, Default)]
pub(crate) struct FileLimiter {
    written_ms: HashMap<u64, u64>,
}

impl FileLimiter {
    /// Returns whether the room may write a file now, and counts it.
    pub(crate) fn admit(&mut self, room: u64, now_ms: u64) -> bool {
        let is_over = |at_ms: u64| now_ms >= at_ms.saturating_add(INTERVAL_MS);
        if self.written_ms.get(&room).is_some_and(|at_ms| !is_over(*at_ms)) {
            return false;
        }
        if self.written_ms.len() >= ROOMS_MAX && !self.written_ms.contains_key(&room) {
            self.written_ms.retain(|_, at_ms| !is_over(*at_ms));
            if self.written_ms.len() >= ROOMS_MAX {
                return false;
            }
        }
        self.written_ms.insert(room, now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_writes_one_file_in_five_minutes() {
        let mut limiter = FileLimiter::default();
        assert!(limiter.admit(1, 1_000) && limiter.admit(2, 1_000));
        assert!(!limiter.admit(1, 1_000 + INTERVAL_MS - 1));
        assert!(limiter.admit(1, 1_000 + INTERVAL_MS));
    }

    #[test]
    fn remembered_rooms_are_bounded_and_freed_after_their_interval() {
        let mut limiter = FileLimiter::default();
        assert!((0..ROOMS_MAX as u64).all(|room| limiter.admit(room, room)));
        assert!(!limiter.admit(9_999_999, 5_000));
        assert!(limiter.admit(9_999_999, INTERVAL_MS + 10));
        assert!(limiter.written_ms.len() <= ROOMS_MAX);
    }
}
