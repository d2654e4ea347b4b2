//! One topic as far as this process has followed it.

use std::sync::Mutex;

use barrage_protocol::Sequence;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::bus::Subscription;
use crate::embedded::lock;
use crate::embedded::topic_log::TopicLog;
use crate::events::EventSender;

/// One topic as far as it has been followed.
pub(crate) struct Followed {
    pub(crate) kept: Mutex<Kept>,
    pub(crate) events: EventSender,
    /// A position that is stored, though it may not have arrived.
    pub(crate) stored: watch::Sender<Sequence>,
    /// Held while the stream is read for a range: who waits may find it in memory. It says
    /// when such a read has last failed.
    pub(crate) reading: tokio::sync::Mutex<Option<Instant>>,
}

impl Followed {
    /// Begins after a position.
    pub(crate) fn new(start: Sequence, lag_max: usize) -> Self {
        Followed {
            kept: Mutex::new(Kept::from(start)),
            events: EventSender::new(lag_max),
            stored: watch::Sender::new(start),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Subscribes after what has arrived: messages are kept and sent under one lock.
    pub(crate) fn subscribe(&self) -> Subscription {
        let kept = lock(&self.kept);
        Subscription { start: kept.log.last(), events: self.events.subscribe() }
    }

    /// The newest position that has arrived.
    pub(crate) fn last(&self) -> Sequence {
        lock(&self.kept).log.last()
    }

    /// Has the topic read up to a position, unless it arrives before.
    pub(crate) fn expect(&self, stored: Sequence) {
        self.stored.send_if_modified(|newest| {
            let is_newer = stored > *newest;
            *newest = stored.max(*newest);
            is_newer
        });
    }
}

/// What memory holds of it.
pub(crate) struct Kept {
    /// Everything after this position is in the log.
    pub(crate) base: Sequence,
    pub(crate) log: TopicLog,
}

impl Kept {
    pub(crate) fn from(base: Sequence) -> Self {
        Kept { base, log: TopicLog::starting_at(base) }
    }
}
