//! The channel from a topic to its subscribers.
//!
//! Each subscriber has a queue of its own. An empty queue holds no memory, because a gateway
//! subscribes to thousands of quiet rooms.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use barrage_protocol::Message;
use barrage_protocol::poll::PollCounts;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Figures of a room that travel without a sequence and may be dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PulseDraft {
    /// Likes since the last pulse; viewers see their sum only.
    pub likes: u64,
    /// Viewers that joined the room since the last pulse.
    pub entries: u64,
    /// Reactions beside the like since the last pulse, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, u64>,
    /// Votes of the running poll so far. Totals, not sums: the greatest one counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollCounts>,
    /// Chat that viewers offered since the last pulse, before the display quota.
    #[serde(skip_serializing_if = "is_zero")]
    pub offered: u64,
    /// Chat out of `offered` that the display quota let through.
    #[serde(skip_serializing_if = "is_zero")]
    pub shown: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Event that a subscriber of a topic receives from its queue.
#[derive(Debug, Clone)]
pub enum Event {
    /// A message of the topic; messages arrive in the order of the chain.
    Message(Arc<Message>),
    /// Sums of a room, without a place in the chain. One that is lost cannot be read again.
    Pulse(Arc<PulseDraft>),
    /// Events were dropped: the subscriber reads the range after the last message it has.
    Lagged,
}

/// A queue with more capacity than this is freed when it is read empty.
const CAPACITY_KEPT: usize = 64;

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// Events were dropped since the subscriber last read.
    lagged: bool,
    /// The sender was dropped: the subscriber reads what is queued, then `None`.
    closed: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Topic {
    subscribers: Mutex<Vec<Arc<Queue>>>,
    /// Notified when the last subscriber leaves; [`EventSender::closed`] waits for it.
    left: Notify,
}

/// The sending side. Dropping it closes all subscriptions.
#[derive(Debug)]
pub(crate) struct EventSender {
    topic: Arc<Topic>,
    lag_max: usize,
}

impl EventSender {
    /// Creates a channel whose queues hold `lag_max` events. A queue that is full drops its
    /// oldest event, and its subscriber receives [`Event::Lagged`].
    pub(crate) fn new(lag_max: usize) -> Self {
        EventSender { topic: Arc::default(), lag_max: lag_max.max(1) }
    }

    /// Subscribes to the events that are sent from now on.
    pub(crate) fn subscribe(&self) -> EventReceiver {
        let queue = Arc::new(Queue::default());
        self.topic.subscribers.lock().push(Arc::clone(&queue));
        EventReceiver { topic: Arc::clone(&self.topic), queue }
    }

    /// Queues the event for every current subscriber.
    pub(crate) fn send(&self, event: &Event) {
        for queue in &*self.topic.subscribers.lock() {
            let mut waiting = queue.waiting.lock();
            if waiting.events.len() >= self.lag_max {
                waiting.events.pop_front();
                waiting.lagged = true;
            }
            waiting.events.push_back(event.clone());
            drop(waiting);
            queue.arrived.notify_one();
        }
    }

    /// Returns the number of subscribers whose receivers were not dropped.
    pub(crate) fn receiver_count(&self) -> usize {
        self.topic.subscribers.lock().len()
    }

    /// Waits until there is no subscriber left.
    pub(crate) async fn closed(&self) {
        loop {
            let left = self.topic.left.notified();
            if self.receiver_count() == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        for queue in &*self.topic.subscribers.lock() {
            queue.waiting.lock().closed = true;
            queue.arrived.notify_one();
        }
    }
}

/// The receiving side of one subscriber. Dropping it unsubscribes.
#[derive(Debug)]
pub(crate) struct EventReceiver {
    topic: Arc<Topic>,
    queue: Arc<Queue>,
}

impl EventReceiver {
    /// Waits for the next event; `None` when the sender was dropped. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            if self.queue.waiting.lock().closed {
                return None;
            }
            // An event that arrives before this line leaves a permit in `arrived`.
            self.queue.arrived.notified().await;
        }
    }

    /// Returns the next event if one is queued.
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        let mut waiting = self.queue.waiting.lock();
        if std::mem::take(&mut waiting.lagged) {
            return Some(Event::Lagged);
        }
        let event = waiting.events.pop_front();
        if waiting.events.is_empty() && waiting.events.capacity() > CAPACITY_KEPT {
            waiting.events = VecDeque::new();
        }
        event
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        let mut subscribers = self.topic.subscribers.lock();
        subscribers.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        if subscribers.is_empty() {
            *subscribers = Vec::new();
            self.topic.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(likes: u64) -> Event {
        Event::Pulse(Arc::new(PulseDraft { likes, ..PulseDraft::default() }))
    }

    fn likes(event: Option<Event>) -> Option<u64> {
        match event? {
            Event::Pulse(pulse) => Some(pulse.likes),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn every_subscriber_gets_every_event_in_order() {
        let sender = EventSender::new(8);
        let (mut one, mut two) = (sender.subscribe(), sender.subscribe());
        for n in 0..5 {
            sender.send(&event(n));
        }
        let mut late = sender.subscribe();
        for n in 0..5 {
            assert_eq!((likes(one.next().await), likes(two.next().await)), (Some(n), Some(n)));
        }
        assert!(late.try_next().is_none());
        drop(sender);
        assert!(one.next().await.is_none() && late.next().await.is_none());
    }

    #[test]
    fn a_lagging_subscriber_receives_lagged_once_and_then_the_newest_events() {
        let sender = EventSender::new(3);
        let mut receiver = sender.subscribe();
        for n in 0..10 {
            sender.send(&event(n));
        }
        assert!(matches!(receiver.try_next(), Some(Event::Lagged)));
        for n in 7..10 {
            assert_eq!(likes(receiver.try_next()), Some(n));
        }
        assert!(receiver.try_next().is_none());
    }

    #[test]
    fn an_emptied_queue_frees_its_capacity() {
        let sender = EventSender::new(4_096);
        let mut receiver = sender.subscribe();
        for n in 0..4_096 {
            sender.send(&event(n));
        }
        while receiver.try_next().is_some() {}
        assert!(receiver.queue.waiting.lock().events.capacity() <= CAPACITY_KEPT);
    }

    #[tokio::test]
    async fn closed_resolves_when_the_last_subscriber_leaves() {
        let sender = Arc::new(EventSender::new(1));
        let (one, two) = (sender.subscribe(), sender.subscribe());
        let waits = tokio::spawn({
            let sender = Arc::clone(&sender);
            async move { sender.closed().await }
        });
        tokio::task::yield_now().await;
        drop(one);
        assert_eq!(sender.receiver_count(), 1);
        drop(two);
        tokio::time::timeout(std::time::Duration::from_secs(10), waits).await.unwrap().unwrap();
    }
}
