//! The ids that a topic remembers for deduplication.

use std::collections::{HashMap, VecDeque};

use barrage_protocol::{Message, MessageId, Sequence, UserId};

use super::queue::{free_unused, push};

/// Ids that are searched one after the other. A topic with more has a map of them: most topics have few,
/// and thousands of them have none that is asked for.
pub(super) const SEARCHED_MAX: usize = 8;

/// Key of deduplication: an id counts for its sender within the topic.
pub(crate) type DedupKey = (Option<UserId>, MessageId);

/// The message that was accepted under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) sequence: Sequence,
    pub(crate) fingerprint: u64,
}

/// An id that is remembered.
#[derive(Debug)]
struct Remembered {
    kept_at_ms: u64,
    key: DedupKey,
    seen: Seen,
}

/// Ids of the newest messages, with the message that was accepted under each.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Ids that are remembered, oldest first.
    remembered: VecDeque<Remembered>,
    /// The same by key, while there are more than [`SEARCHED_MAX`]; else empty.
    by_key: HashMap<DedupKey, Seen>,
}

impl Ids {
    /// Returns the message that was accepted under an id; `None` for an id that is not remembered.
    pub(super) fn seen(&self, key: &DedupKey) -> Option<Seen> {
        if self.by_key.is_empty() {
            // Of two entries with one key the newer one counts.
            return self.remembered.iter().rev().find(|it| it.key == *key).map(|it| it.seen);
        }
        self.by_key.get(key).copied()
    }

    /// Remembers the message under its id, and forgets the oldest ids beyond `ids_max`.
    pub(super) fn remember(&mut self, message: &Message, fingerprint: u64, kept_at_ms: u64, ids_max: usize) {
        let Some(id) = &message.id else { return };
        let key = (message.sender.clone(), id.clone());
        let seen = Seen { sequence: message.sequence, fingerprint };
        if !self.by_key.is_empty() {
            self.by_key.insert(key.clone(), seen);
        }
        push(&mut self.remembered, Remembered { kept_at_ms, key, seen });
        while self.remembered.len() > ids_max {
            self.forget_oldest();
        }
        if self.by_key.is_empty() && self.remembered.len() > SEARCHED_MAX {
            self.by_key = self.remembered.iter().map(|it| (it.key.clone(), it.seen)).collect();
        }
    }

    /// Forgets ids that were accepted before `from_ms`, and frees unused memory.
    pub(super) fn expire(&mut self, from_ms: u64) {
        while self.remembered.front().is_some_and(|it| it.kept_at_ms < from_ms) {
            self.forget_oldest();
        }
        if self.remembered.len() <= SEARCHED_MAX {
            self.by_key = HashMap::new();
        }
        free_unused(&mut self.remembered);
    }

    fn forget_oldest(&mut self) {
        let Some(Remembered { key, seen, .. }) = self.remembered.pop_front() else { return };
        if self.by_key.get(&key) == Some(&seen) {
            self.by_key.remove(&key);
        }
    }

    /// Number of ids, and capacities of the queue and of the map.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.remembered.len(), self.remembered.capacity(), self.by_key.capacity())
    }
}
