//! Likes, summed per room by a timer or a count, whichever comes first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use barrage_bus::{Bus, PulseDraft};
use barrage_protocol::RoomId;
use tokio_util::sync::CancellationToken;

/// Rooms with likes waiting; beyond, a further room's travel at once.
const ROOMS_MAX: usize = 100_000;

/// Sums that wait.
#[derive(Debug, Default)]
pub(crate) struct Pulses(Mutex<HashMap<RoomId, u64>>);

impl Pulses {
    /// Adds likes; returns a sum that is due by its count.
    pub(crate) fn add(&self, room: &RoomId, likes: u64, due_at: u64) -> Option<u64> {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !sums.contains_key(room) && sums.len() >= ROOMS_MAX {
            return Some(likes);
        }
        let sum = sums.entry(room.clone()).or_default();
        *sum += likes;
        if *sum < due_at {
            return None;
        }
        sums.remove(room)
    }

    fn take(&self) -> HashMap<RoomId, u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands what waits to the bus, until the shutdown; then once more.
    pub(crate) async fn run(&self, bus: &dyn Bus, every: Duration, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(every);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => {}
            }
            for (room, likes) in self.take() {
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
    fn a_count_is_due_at_its_bound_and_the_rest_waits() {
        let pulses = Pulses::default();
        let room: RoomId = "r".parse().unwrap();
        assert_eq!(pulses.add(&room, 60, 100), None);
        assert_eq!(pulses.add(&room, 60, 100), Some(120));
        assert_eq!(pulses.add(&room, 1, 100), None);
        assert_eq!(pulses.take().get(&room), Some(&1));
    }
}
