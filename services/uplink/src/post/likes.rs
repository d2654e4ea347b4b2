//! Likes: each counts once, and a room's likes travel as sums.

use std::collections::HashMap;
use std::time::Duration;

use barrage_bus::{Bus, PulseDraft};
use barrage_protocol::post::{Outcome, PostAnswer};
use barrage_protocol::{MessageId, RoomId, UserId};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::recent::Recent;

/// Rooms with a waiting sum. At the bound the likes of a further room are published at once.
const ROOMS_MAX: usize = 100_000;
/// Milliseconds for which the id of a like is remembered.
const ID_WINDOW_MS: u64 = 120_000;

/// Sums likes by room until a timer or a count publishes them, whichever comes first.
#[derive(Debug)]
pub(super) struct Likes {
    ids: Mutex<Recent<(RoomId, UserId, MessageId)>>,
    sums: Mutex<HashMap<RoomId, u64>>,
    /// Likes at which a sum is published before the timer.
    sum_max: u64,
}

impl Likes {
    pub(super) fn new(ids_max: usize, sum_max: u64) -> Self {
        Likes { ids: Mutex::new(Recent::new(ids_max)), sums: Mutex::default(), sum_max }
    }

    /// Counts `count` likes under an id, once, and publishes the room's sum when it is full.
    pub(super) fn post(
        &self,
        bus: &dyn Bus,
        (room, user, id): (&RoomId, &UserId, &MessageId),
        count: u32,
        now_ms: u64,
    ) -> PostAnswer {
        let key = (room.clone(), user.clone(), id.clone());
        let outcome = match self.ids.lock().take(key, ID_WINDOW_MS, now_ms) {
            Ok(()) => {
                if let Some(likes) = self.add(room, u64::from(count)) {
                    bus.pulse(room, PulseDraft { likes, ..PulseDraft::default() });
                }
                Outcome::Broadcast
            }
            Err(_) => Outcome::Duplicate,
        };
        PostAnswer { outcome, sequence: None, limit: None, trace: None }
    }

    /// Adds likes to the room's sum. Returns the sum when it is to be published now.
    fn add(&self, room: &RoomId, likes: u64) -> Option<u64> {
        let mut sums = self.sums.lock();
        if !sums.contains_key(room) && sums.len() >= ROOMS_MAX {
            return Some(likes);
        }
        let sum = sums.entry(room.clone()).or_default();
        *sum += likes;
        if *sum < self.sum_max {
            return None;
        }
        sums.remove(room)
    }

    fn take_sums(&self) -> HashMap<RoomId, u64> {
        std::mem::take(&mut *self.sums.lock())
    }

    /// Publishes the waiting sums every `period` until the shutdown, and then once more.
    pub(super) async fn run(&self, bus: &dyn Bus, period: Duration, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(period);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => {}
            }
            for (room, likes) in self.take_sums() {
                bus.pulse(&room, PulseDraft { likes, ..PulseDraft::default() });
            }
            if shutdown.is_cancelled() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_is_due_at_its_maximum_and_the_rest_waits() {
        let likes = Likes::new(10, 100);
        let room: RoomId = "r".parse().unwrap();
        assert_eq!(likes.add(&room, 60), None);
        assert_eq!(likes.add(&room, 60), Some(120));
        assert_eq!(likes.add(&room, 1), None);
        assert_eq!(likes.take_sums().get(&room), Some(&1));
    }
}
