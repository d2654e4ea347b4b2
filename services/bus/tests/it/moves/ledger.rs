//! What was posted, what was accepted, and what arrived.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use barrage_bus::{Bus, Event, Log, NatsBus, RangeLimits, Subscription, Topic};
use barrage_protocol::{Class, RoomId, Sequence};
use futures_util::{StreamExt, stream};

use crate::drafts::{draft, topic};

/// Gifts that are posted again at a time.
const REPOSTS_AT_ONCE: usize = 32;

/// Gifts by room and id, with the position of those that were accepted.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    gifts: BTreeMap<(String, String), Option<Sequence>>,
    times: Vec<Duration>,
}

impl Ledger {
    pub(super) fn len(&self) -> usize {
        self.gifts.len()
    }

    pub(super) fn tried(&mut self, room: &str, id: &str) {
        self.gifts.entry((room.into(), id.into())).or_default();
    }

    pub(super) fn accepted(&mut self, room: &str, id: &str, sequence: Sequence) {
        let before = self.gifts.insert((room.into(), id.into()), Some(sequence));
        assert!(before.flatten().is_none_or(|before| before == sequence), "{room} {id}: two positions");
    }

    pub(super) fn took(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub(super) fn merge(&mut self, other: Ledger) {
        self.gifts.extend(other.gifts);
        self.times.extend(other.times);
    }

    /// Returns quantiles of the times of posts.
    pub(super) fn times(&self) -> String {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last()).copied();
        format!("p50 {:?}, p99 {:?}, p99.9 {:?}, longest {:?}", at(0.5), at(0.99), at(0.999), times.last())
    }

    /// Posts again, under their ids, the gifts whose process was killed before it had an answer.
    pub(super) async fn repost_unsure(&mut self, bus: &NatsBus) -> usize {
        let unsure: Vec<_> =
            self.gifts.iter().filter(|(_, at)| at.is_none()).map(|(gift, _)| gift.clone()).collect();
        let count = unsure.len();
        let mut posts = stream::iter(unsure)
            .map(|gift| async move { (repost(bus, &gift).await, gift) })
            .buffer_unordered(REPOSTS_AT_ONCE);
        while let Some((sequence, (room, id))) = posts.next().await {
            self.accepted(&room, &id, sequence);
        }
        count
    }

    /// Asserts that the partitions hold each gift once, where its receipt says.
    pub(super) async fn check(&self, bus: &dyn Bus) {
        let mut stored = HashMap::new();
        for partition in 0..bus.partitions() {
            let mut mark = Sequence::ZERO;
            loop {
                let page = bus.read_all(partition, mark, 500).await.unwrap();
                let Some(last) = page.last() else { break };
                mark = last.at;
                for it in page {
                    let gift = (it.message.room.to_string(), it.message.id.as_ref().unwrap().to_string());
                    let before = stored.insert(gift.clone(), it.message.sequence);
                    assert_eq!(before, None, "{gift:?} is stored twice");
                }
            }
        }
        let accepted: HashMap<_, _> =
            self.gifts.iter().map(|(gift, at)| (gift.clone(), at.unwrap())).collect();
        assert_eq!(stored.len(), accepted.len(), "gifts were lost, or stored without a post");
        assert_eq!(stored, accepted);
    }
}

/// Posts a gift until it has a position.
async fn repost(bus: &NatsBus, (room, id): &(String, String)) -> Sequence {
    loop {
        match bus.publish(vec![draft(room, "u", id, Class::Gift)]).await {
            Ok(receipts) => return receipts[0].sequence,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// Follows rooms as a gateway does, from their beginning.
pub(super) struct Watcher {
    rooms: Vec<(RoomId, Subscription)>,
    bus: std::sync::Arc<NatsBus>,
}

impl Watcher {
    pub(super) async fn start(bus: &std::sync::Arc<NatsBus>, rooms: &[RoomId]) -> Self {
        let mut watched = Vec::new();
        for room in rooms {
            watched.push((room.clone(), bus.subscribe(&Topic::Room(room.clone())).await.unwrap()));
        }
        Watcher { rooms: watched, bus: std::sync::Arc::clone(bus) }
    }

    /// Asserts that each accepted gift arrived once, in a closed chain of growing positions.
    pub(super) async fn check(&mut self, ledger: &Ledger) {
        let mut by_room: HashMap<&str, BTreeMap<Sequence, &str>> = HashMap::new();
        for ((room, id), at) in &ledger.gifts {
            by_room.entry(room).or_default().insert(at.unwrap(), id);
        }
        for (room, subscription) in &mut self.rooms {
            let due = by_room.remove(room.as_str()).unwrap_or_default();
            let (mut got, mut last, mut has_lagged) = (BTreeMap::new(), subscription.start, false);
            while got.len() < due.len() {
                let event = tokio::time::timeout(Duration::from_secs(15), subscription.next()).await;
                let event = event.unwrap_or_else(|_| panic!("{room}: {} of {}", got.len(), due.len()));
                let message = match event.unwrap() {
                    Event::Message(message) if message.sequence > last => message,
                    Event::Message(_) | Event::Pulse(_) => continue,
                    Event::Lagged => {
                        has_lagged = true;
                        continue;
                    }
                };
                assert!(has_lagged || message.previous == last, "{room}: a gap before {}", message.sequence);
                while last < message.previous {
                    let (topic, before) = (topic(room.as_str()), Some(message.sequence));
                    let limits = RangeLimits::default();
                    let range = self.bus.range(&topic, last, before, limits).await.unwrap();
                    for missed in &range.messages {
                        got.insert(missed.sequence, missed.id.as_ref().unwrap().to_string());
                    }
                    assert!(range.covered_to > last, "{room}: a range that leads nowhere");
                    last = range.covered_to;
                }
                (last, has_lagged) = (message.sequence, false);
                got.insert(last, message.id.as_ref().unwrap().to_string());
            }
            assert!(got.iter().map(|(at, id)| (*at, id.as_str())).eq(due), "{room}");
        }
    }
}
