//! The order of rooms that move between partitions: what is in a former partition is archived first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, Settings, Stored};
use barrage_protocol::Sequence;
use tokio::sync::watch;

/// Longest wait of one partition for another one.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Positions that the loops of a run have reached, by partition.
///
/// A recall that is archived before its message would hide nothing, and a reader of the ledger that continues
/// after a position would pass over a gift. Loops never wait for one another in a circle: a room was closed in
/// one partition before its first message in the next one.
#[derive(Debug, Clone)]
pub(crate) struct Order(Arc<watch::Sender<BTreeMap<u16, Sequence>>>);

impl Order {
    pub(crate) fn new() -> Self {
        Order(Arc::new(watch::Sender::new(BTreeMap::new())))
    }

    /// Notes that the messages of a partition up to a position are archived, or have left the bus.
    pub(crate) fn reach(&self, partition: u16, position: Sequence) {
        self.0.send_if_modified(|reached| {
            let known = reached.entry(partition).or_default();
            let is_newer = position > *known;
            *known = position.max(*known);
            is_newer
        });
    }

    /// Waits until the first message of a batch may be archived. Returns the number of those that may; all of
    /// them when the wait takes too long.
    pub(crate) async fn ready(&self, partition: u16, batch: &[Stored], bus: &dyn Bus) -> usize {
        let mut changes = self.0.subscribe();
        let waited = async {
            loop {
                drop(changes.borrow_and_update());
                let settings = Arc::clone(&bus.settings().borrow());
                let count = self.count(partition, batch, &settings);
                if count > 0 || changes.changed().await.is_err() {
                    return count;
                }
            }
        };
        if let Ok(count) = tokio::time::timeout(WAIT_MAX, waited).await {
            return count;
        }
        tracing::warn!(
            partition,
            "messages of a former partition are not archived yet; newer ones of their rooms are archived before them"
        );
        batch.len()
    }

    /// Returns the number of messages of a batch that may be archived now.
    fn count(&self, partition: u16, batch: &[Stored], settings: &Settings) -> usize {
        if settings.places.is_empty() {
            return batch.len();
        }
        let reached = self.0.borrow();
        let is_early = |stored: &Stored| {
            let place = settings.places.get(&stored.message.room);
            place.is_some_and(|place| place.is_early(stored.message.sequence, partition, &reached))
        };
        batch.iter().position(is_early).unwrap_or(batch.len())
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::{Class, Message, RoomId};
    use serde_json::json;

    use super::*;

    fn stored(room: &str, sequence: u64) -> Stored {
        let message = Message {
            room: room.parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence::ZERO,
            class: Class::Chat,
            sender: None,
            id: None,
            to: None,
            at_ms: 1,
            trace: None,
            body: "{}".into(),
        };
        Stored { at: Sequence(sequence), message: Arc::new(message) }
    }

    #[test]
    fn messages_of_a_moved_room_wait_for_those_in_its_former_partition() {
        let moved: RoomId = "moved".parse().unwrap();
        let stay = |partition: u16, epoch: u64, above: u64, previous: u64| {
            json!({
                "partition": partition, "epoch": epoch, "lift": 0, "above": above, "previous": previous,
                "since_ms": 0,
            })
        };
        let place = json!({ "segments": [stay(0, 0, 0, 0), stay(1, 1, 100, 90)] });
        let mut settings = Settings::default();
        let batch = [stored("other", 101), stored("moved", 102), stored("other", 103)];
        let order = Order::new();
        assert_eq!(order.count(1, &batch, &settings), 3, "no room has moved");
        settings.places.insert(moved, serde_json::from_value(place).unwrap());
        assert_eq!(order.count(1, &batch, &settings), 1);
        order.reach(0, Sequence(89));
        assert_eq!(order.count(1, &batch, &settings), 1);
        assert_eq!(order.count(1, &batch[1..], &settings), 0);
        order.reach(0, Sequence(90));
        order.reach(0, Sequence(5));
        assert_eq!(order.count(1, &batch, &settings), 3);
        assert_eq!(Order::new().count(0, &[stored("moved", 90)], &settings), 1, "of the former stay");
    }
}
