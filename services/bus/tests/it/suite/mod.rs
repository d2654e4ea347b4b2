//! The rules that every engine must keep.

pub(crate) mod attributes;
pub(crate) mod messages;
pub(crate) mod repair;
pub(crate) mod settings;

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, Draft, Event, Subscription};
use barrage_protocol::{Message, Sequence};

/// Longest wait for an event that must arrive.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(15);

pub(crate) async fn next(subscription: &mut Subscription) -> Event {
    let event = tokio::time::timeout(WAIT_MAX, subscription.next()).await;
    event.expect("nothing arrived").expect("the bus has ended")
}

pub(crate) async fn next_message(subscription: &mut Subscription) -> Arc<Message> {
    match next(subscription).await {
        Event::Message(message) => message,
        other => panic!("{other:?} in place of a message"),
    }
}

/// Room messages of all partitions from their beginning, up to `limit` of each.
pub(crate) async fn read_all(bus: &dyn Bus, limit: usize) -> Vec<Arc<Message>> {
    let mut all = Vec::new();
    for partition in 0..bus.partitions() {
        let stored = bus.read_all(partition, Sequence::ZERO, limit).await.unwrap();
        all.extend(stored.into_iter().map(|stored| stored.message));
    }
    all
}

async fn publish_one(bus: &dyn Bus, draft: Draft) -> Sequence {
    bus.publish(vec![draft]).await.unwrap()[0].sequence
}
