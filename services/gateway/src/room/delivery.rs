use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{BatchTrace, Room, RoomKey, SharedBatch};

/// Reason for the time of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The first message of a quiet room went at once, or the batch has sums alone.
    Arrival,
    /// The first message waited for the end of the window.
    Window,
}

impl Trigger {
    /// Returns the reason, by the due time and the arrival of the first message.
    pub(crate) fn of(due: Option<Duration>, since: Option<Duration>) -> Self {
        if due > since { Trigger::Window } else { Trigger::Arrival }
    }
}

/// Batch of one wave on its way to one shard; dropping it completes the delivery.
///
/// A room has one batch in flight at most. So a shard that is behind makes the batches of its
/// rooms larger, and never its queue longer.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) batch: Arc<SharedBatch>,
    pub(crate) wave: usize,
    pub(crate) trigger: Trigger,
    /// Start of the turn. A batch that two waves share was made before the turn of the first one.
    pub(crate) started_at: Instant,
    /// Spans of a batch with sampled messages.
    pub(crate) trace: Option<Arc<BatchTrace>>,
    room: Arc<Room>,
}

impl Delivery {
    pub(crate) fn new(
        batch: Arc<SharedBatch>,
        wave: usize,
        trigger: Trigger,
        room: Arc<Room>,
        trace: Option<Arc<BatchTrace>>,
    ) -> Self {
        room.start_delivery();
        Delivery { batch, wave, trigger, started_at: barrage_clock::now(), trace, room }
    }

    /// Room whose viewers get the batch.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Key of the room whose viewers get the batch.
    pub(crate) fn key(&self) -> &RoomKey {
        &self.room.key
    }

    /// Records that the shard has offered the batch to so many viewers.
    pub(crate) fn delivered(self, viewers: u64) {
        self.room.count_delivered(&self.batch.counts);
        self.room.traffic.add_deliveries(self.batch.counts.total() * viewers);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.room.end_delivery();
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Class;

    use barrage_class::Counts;

    use super::*;
    use crate::room::batch_of;

    #[tokio::test]
    async fn the_hub_wakes_when_the_last_shard_has_written() {
        let room = Arc::new(Room::new("demo".parse().unwrap(), 2));
        let batch = batch_of(0, &[Class::Gift, Class::Chat]);
        let deliveries =
            [(); 2].map(|()| Delivery::new(Arc::clone(&batch), 0, Trigger::Arrival, Arc::clone(&room), None));
        let [first, second] = deliveries;
        assert!(batch.made_at <= first.started_at && first.started_at <= second.started_at);
        first.delivered(3);
        assert!(room.is_in_flight());
        // A shard that ends drops its delivery unwritten: the hub goes on all the same.
        drop(second);
        assert!(!room.is_in_flight());
        room.completed.notified().await;
        assert_eq!(room.delivered(), Counts::new(0, 1, 1));
    }

    #[test]
    fn a_batch_that_waited_for_its_window_is_told_from_one_that_went_at_once() {
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(Trigger::of(ms(50), ms(20)), Trigger::Window);
        assert_eq!(Trigger::of(ms(20), ms(20)), Trigger::Arrival);
        assert_eq!(Trigger::of(None, None), Trigger::Arrival, "a pulse");
    }
}
