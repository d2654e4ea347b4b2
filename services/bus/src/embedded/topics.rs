//! All topics of the embedded engine: recent messages and subscribers of each.

use std::collections::HashMap;
use std::sync::Arc;

use barrage_protocol::Sequence;
use parking_lot::{Mutex, RwLock};

use super::journal::{Journal, Loss};
use crate::config::BusConfig;
use crate::events::EventSender;
use crate::log::Topic;
use crate::log_clock::LogClock;
use crate::topic_log::{DedupKey, Seen, TopicLog};

pub(crate) struct TopicState {
    pub(crate) log: Mutex<TopicLog>,
    pub(crate) events: EventSender,
}

/// All topics. Bounded by [`BusConfig::rooms_max`]: roles publish and subscribe only to rooms
/// that exist.
pub(crate) struct Topics {
    map: RwLock<HashMap<Topic, Arc<TopicState>>>,
    lag_max: usize,
    /// Start of each chain that the log does not hold: zero, unless the log has lost its end.
    base: Sequence,
}

impl Topics {
    /// Loads the messages that can still be repaired or recognised as duplicates.
    pub(crate) fn load(
        journal: &Journal,
        config: &BusConfig,
        clock: &LogClock,
        loss: Option<Loss>,
    ) -> rusqlite::Result<Self> {
        let base = loss.map_or(Sequence::ZERO, |loss| loss.goes_on_after);
        let topics = Topics { map: RwLock::default(), lag_max: config.subscriber_lag_max, base };
        let now_ms = clock.now_ms();
        let mut lasts: HashMap<Topic, Sequence> = journal.topics()?.into_iter().collect();
        let kept_secs = config.retention_secs.max(config.dedup_secs);
        let kept_from_ms = now_ms.saturating_sub(kept_secs.saturating_mul(1_000));
        journal.recent(kept_from_ms, |entry| {
            let state = topics.get(&entry.topic).unwrap_or_else(|| {
                topics.insert(entry.topic.clone(), TopicLog::starting_at(entry.message.previous))
            });
            lasts.remove(&entry.topic);
            state.log.lock().push(entry.message, entry.fingerprint, entry.clock_ms, config);
        })?;
        for (topic, last) in lasts {
            topics.insert(topic, TopicLog::starting_at(last));
        }
        topics.expire(now_ms, config);
        topics.break_at(base);
        Ok(topics)
    }

    /// Returns the start of each chain that the log does not hold.
    pub(crate) fn base(&self) -> Sequence {
        self.base
    }

    pub(crate) fn get(&self, topic: &Topic) -> Option<Arc<TopicState>> {
        self.map.read().get(topic).cloned()
    }

    pub(crate) fn get_or_create(&self, topic: &Topic) -> Arc<TopicState> {
        self.get(topic).unwrap_or_else(|| self.insert(topic.clone(), TopicLog::starting_at(self.base)))
    }

    fn insert(&self, topic: Topic, log: TopicLog) -> Arc<TopicState> {
        let fresh = || Arc::new(TopicState { log: Mutex::new(log), events: EventSender::new(self.lag_max) });
        Arc::clone(self.map.write().entry(topic).or_insert_with(fresh))
    }

    /// Returns the newest position of a topic.
    pub(crate) fn last(&self, topic: &Topic) -> Sequence {
        self.get(topic).map_or(self.base, |state| state.log.lock().last())
    }

    /// Returns the message that was accepted under an id, while the id is remembered.
    pub(crate) fn seen(&self, topic: &Topic, key: &DedupKey) -> Option<Seen> {
        self.get(topic)?.log.lock().seen(key)
    }

    /// Continues every chain after `base`: positions up to it may have been given and lost.
    fn break_at(&self, base: Sequence) {
        for state in self.map.read().values() {
            state.log.lock().break_at(base);
        }
    }

    /// Drops messages and ids that are older than their windows, by the log's clock.
    pub(crate) fn expire(&self, now_ms: u64, config: &BusConfig) {
        let all: Vec<_> = self.map.read().values().cloned().collect();
        for state in all {
            state.log.lock().expire(now_ms, config);
        }
    }
}
