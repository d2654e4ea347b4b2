//! Display samples of the rooms that viewers offer chat to.

use std::collections::HashMap;
use std::time::Duration;

use barrage_flow::{DisplaySample, RuleError, Sampled};
use barrage_protocol::RoomId;
use schemars::JsonSchema;
use serde::Serialize;

/// Chat that viewers offer to one room at one uplink, before the display quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct OfferedRate {
    /// Room to which the messages were offered.
    pub(crate) room: RoomId,
    /// Messages offered in the last second.
    pub(crate) offered_per_s: u32,
    /// Display quota of the room, in messages a second.
    pub(crate) shown_per_s_max: u32,
}

/// Display sample of each room with chat within the last seconds. Pure.
///
/// A sample equals a new one once its burst is earned again. Such samples are dropped before the table grows, and
/// its memory follows the rooms that are busy at a time, not those that ever had a message.
#[derive(Debug)]
pub(super) struct Samples {
    by_room: HashMap<RoomId, DisplaySample>,
    shown_per_s: u32,
    rooms_max: usize,
}

impl Samples {
    /// Creates samples that show `shown_per_s` messages a second in each of at most `rooms_max` rooms.
    ///
    /// # Errors
    /// When a sample cannot have this rate.
    pub(super) fn new(shown_per_s: u32, rooms_max: usize) -> Result<Self, RuleError> {
        DisplaySample::new(shown_per_s, Duration::ZERO)?;
        Ok(Samples { by_room: HashMap::new(), shown_per_s, rooms_max })
    }

    /// Offers a message with this hash to a room's sample. Returns `None` when `rooms_max` rooms are
    /// measured and none is idle.
    pub(super) fn offer(&mut self, room: &RoomId, hash: u64, now: Duration) -> Option<Sampled> {
        let is_full = self.by_room.len() >= self.by_room.capacity().min(self.rooms_max);
        if is_full && !self.by_room.contains_key(room) {
            self.drop_idle(now);
            if self.by_room.len() >= self.rooms_max {
                return None;
            }
        }
        let sample = self.by_room.entry(room.clone()).or_insert_with(|| {
            DisplaySample::new(self.shown_per_s, now).expect("the same figures were accepted at start")
        });
        Some(sample.offer(hash, 1, now))
    }

    /// Drops the samples that equal new ones. A table that stays more than half full then grows, so that the cost
    /// of the next walk is shared by as many new rooms.
    fn drop_idle(&mut self, now: Duration) {
        self.by_room.retain(|_, sample| !sample.is_as_new(now));
        let capacity = self.by_room.capacity();
        if self.by_room.len() > capacity / 2 {
            self.by_room.reserve(capacity);
        }
    }

    /// Returns the rooms with the highest offered rate of chat, highest first.
    pub(super) fn most_offered(&self, rooms_max: usize, now: Duration) -> Vec<OfferedRate> {
        let shown_per_s_max = self.shown_per_s;
        let live = self.by_room.iter().filter(|(room, sample)| !room.is_probe() && !sample.is_idle(now));
        let mut rates: Vec<_> = live.map(|(room, sample)| (sample.offered_per_s_at(now), room)).collect();
        rates.sort_unstable_by(|a, b| b.cmp(a));
        rates.truncate(rooms_max);
        let view = |(offered_per_s, room): (u32, &RoomId)| OfferedRate {
            room: room.clone(),
            offered_per_s,
            shown_per_s_max,
        };
        rates.into_iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(n: u64) -> RoomId {
        format!("r{n}").parse().unwrap()
    }

    #[test]
    fn memory_follows_the_rooms_that_are_busy_at_a_time() {
        let mut samples = Samples::new(50, 100_000).unwrap();
        for n in 0..20_000 {
            // Two hundred rooms a second get their one message.
            let now = Duration::from_millis(5 * n);
            assert_eq!(samples.offer(&room(n), n, now), Some(Sampled::Shown));
        }
        let capacity = samples.by_room.capacity();
        assert!(capacity < 4_000, "a table for {capacity} rooms");
        let now = Duration::from_millis(5 * 20_000);
        let newest = samples.most_offered(3, now);
        assert_eq!((newest.len(), newest[0].offered_per_s), (3, 1));
    }

    /// A room that waits for exactly one second while others come would else get a second burst.
    #[test]
    fn room_that_pauses_for_a_second_gets_no_new_burst() {
        let mut samples = Samples::new(50, 100_000).unwrap();
        let shown = |samples: &mut Samples, now| {
            (0..200).filter(|_| samples.offer(&room(0), 0, now) == Some(Sampled::Shown)).count()
        };
        assert_eq!(shown(&mut samples, Duration::ZERO), 100);
        for n in 1..1_000 {
            samples.offer(&room(n), n, Duration::from_secs(1));
        }
        assert_eq!(shown(&mut samples, Duration::from_secs(1)), 50);
    }

    #[test]
    fn busy_rooms_keep_their_samples_and_are_bounded() {
        let mut samples = Samples::new(1, 100).unwrap();
        for n in 0..100 {
            samples.offer(&room(n), n, Duration::ZERO);
        }
        assert_eq!(samples.offer(&room(100), 0, Duration::ZERO), None, "no room is idle");
        for n in 0..100 {
            samples.offer(&room(0), n, Duration::from_millis(1));
        }
        let held = samples.offer(&room(0), u64::MAX, Duration::from_millis(2));
        assert!(matches!(held, Some(Sampled::Held { offered_per_s }) if offered_per_s > 50), "{held:?}");
        let later = Duration::from_secs(60);
        assert_eq!(samples.offer(&room(100), 0, later), Some(Sampled::Shown), "idle rooms make place");
    }
}
