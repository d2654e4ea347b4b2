//! The channel from a topic to its subscribers. Each subscriber has a queue of its own, which
//! is empty, and takes no memory, while nothing waits in it: there are thousands of quiet rooms.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::bus::Event;

/// Queues with more places than this give them back when they are read empty.
const PLACES_KEPT: usize = 64;

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// Events were dropped since the subscriber last looked.
    lagged: bool,
    /// The topic is gone.
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
    /// Tells of the last subscriber's end.
    left: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sending side; its end closes the subscriptions.
#[derive(Debug)]
pub(crate) struct EventSender {
    topic: Arc<Topic>,
    lag_max: usize,
}

impl EventSender {
    /// A subscriber that lags behind by more than `lag_max` events gets [`Event::Lagged`] in
    /// place of the oldest ones.
    pub(crate) fn new(lag_max: usize) -> Self {
        EventSender { topic: Arc::default(), lag_max: lag_max.max(1) }
    }

    /// Subscribes to what is sent from now on.
    pub(crate) fn subscribe(&self) -> EventReceiver {
        let queue = Arc::new(Queue::default());
        lock(&self.topic.subscribers).push(Arc::clone(&queue));
        EventReceiver { topic: Arc::clone(&self.topic), queue }
    }

    /// Hands the event to every subscriber; nothing is kept for later ones.
    pub(crate) fn send(&self, event: &Event) {
        for queue in &*lock(&self.topic.subscribers) {
            let mut waiting = lock(&queue.waiting);
            if waiting.events.len() >= self.lag_max {
                waiting.events.pop_front();
                waiting.lagged = true;
            }
            waiting.events.push_back(event.clone());
            drop(waiting);
            queue.arrived.notify_one();
        }
    }

    /// How many subscribers there are.
    pub(crate) fn receiver_count(&self) -> usize {
        lock(&self.topic.subscribers).len()
    }

    /// Waits until there is no subscriber.
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
        for queue in &*lock(&self.topic.subscribers) {
            lock(&queue.waiting).closed = true;
            queue.arrived.notify_one();
        }
    }
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct EventReceiver {
    topic: Arc<Topic>,
    queue: Arc<Queue>,
}

impl EventReceiver {
    /// The next event; `None` when the topic is gone. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            if lock(&self.queue.waiting).closed {
                return None;
            }
            // One that arrives before this line leaves its permit.
            self.queue.arrived.notified().await;
        }
    }

    /// An event that waits already.
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        let mut waiting = lock(&self.queue.waiting);
        if std::mem::take(&mut waiting.lagged) {
            return Some(Event::Lagged);
        }
        let event = waiting.events.pop_front();
        if waiting.events.is_empty() && waiting.events.capacity() > PLACES_KEPT {
            waiting.events = VecDeque::new();
        }
        event
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        let mut subscribers = lock(&self.topic.subscribers);
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
    use crate::bus::PulseDraft;

    fn event(likes: u64) -> Event {
        Event::Pulse(PulseDraft { likes, entries: 0 })
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
    fn lagging_subscriber_is_told_once_and_keeps_the_newest() {
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
    fn read_queue_gives_its_places_back() {
        let sender = EventSender::new(4_096);
        let mut receiver = sender.subscribe();
        for n in 0..4_096 {
            sender.send(&event(n));
        }
        while receiver.try_next().is_some() {}
        assert!(lock(&receiver.queue.waiting).events.capacity() <= PLACES_KEPT);
    }

    #[tokio::test]
    async fn sender_learns_that_its_last_subscriber_left() {
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
