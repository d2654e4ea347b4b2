//! The state of one followed topic: what memory holds of it, and its subscribers.

use barrage_protocol::Sequence;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::events::EventSender;
use crate::log::Subscription;
use crate::topic_log::TopicLog;

/// One topic as far as this process has followed it.
pub(crate) struct Followed {
    pub(crate) kept: Mutex<Kept>,
    pub(crate) events: EventSender,
    /// Newest position that is stored on the servers, as far as this process has learnt.
    pub(crate) stored: watch::Sender<Sequence>,
    /// Held while the stream is read for a range, which others that wait then find in memory.
    /// Holds the time of the last read if that failed.
    pub(crate) reading: tokio::sync::Mutex<Option<Instant>>,
}

impl Followed {
    /// Creates the state of a topic that is followed after a position.
    pub(crate) fn new(start: Sequence, lag_max: usize) -> Self {
        Followed {
            kept: Mutex::new(Kept::from(start)),
            events: EventSender::new(lag_max),
            stored: watch::Sender::new(start),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Subscribes after the newest message in memory: messages are stored and sent under one lock.
    pub(crate) fn subscribe(&self) -> Subscription {
        let kept = self.kept.lock();
        Subscription { start: kept.log.last(), events: self.events.subscribe() }
    }

    /// Returns the newest position that has arrived.
    pub(crate) fn last(&self) -> Sequence {
        self.kept.lock().log.last()
    }

    /// Makes the topic's task read up to a position, unless the message arrives before.
    pub(crate) fn expect(&self, stored: Sequence) {
        self.stored.send_if_modified(|newest| {
            let is_newer = stored > *newest;
            *newest = stored.max(*newest);
            is_newer
        });
    }
}

/// The part of a topic that memory holds.
pub(crate) struct Kept {
    /// All messages after this position are in the log.
    pub(crate) base: Sequence,
    pub(crate) log: TopicLog,
}

impl Kept {
    pub(crate) fn from(base: Sequence) -> Self {
        Kept { base, log: TopicLog::starting_at(base) }
    }
}
