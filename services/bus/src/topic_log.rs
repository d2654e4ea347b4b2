//! The recent messages of one topic: chain, deduplication, retention, range reads. Pure.

mod ids;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Message, Sequence};

use crate::config::BusConfig;
use crate::log::{Range, RangeLimits};
use ids::Ids;
use queue::{free_unused, push};

pub(crate) use ids::{DedupKey, Seen};

/// Evicted chat positions that are remembered, so that a repair can count skipped chat. Beyond
/// it, the count is a lower bound.
const EVICTED_MAX: usize = 65_536;

/// A message and the time since which it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Milliseconds of a clock that never steps; [`Message::at_ms`] is of a wall clock, which does.
    pub(crate) kept_at_ms: u64,
    pub(crate) message: Arc<Message>,
}

#[derive(Debug, Default)]
pub(crate) struct TopicLog {
    last: Sequence,
    chat: VecDeque<Kept>,
    precious: VecDeque<Kept>,
    evicted_chat: VecDeque<Sequence>,
    /// Highest position of a gift or signal that was evicted.
    evicted_precious: Sequence,
    ids: Ids,
}

impl TopicLog {
    /// Creates a log whose messages up to `last` are not in memory.
    pub(crate) fn starting_at(last: Sequence) -> Self {
        TopicLog { last, evicted_precious: last, ..TopicLog::default() }
    }

    pub(crate) fn last(&self) -> Sequence {
        self.last
    }

    /// Returns whether a message after `base` was evicted.
    pub(crate) fn has_evicted_since(&self, base: Sequence) -> bool {
        self.evicted_precious > base || self.evicted_chat.back().is_some_and(|evicted| *evicted > base)
    }

    /// Returns all messages in memory, in chain order.
    pub(crate) fn messages(&self) -> Vec<Kept> {
        let mut messages: Vec<_> = self.precious.iter().chain(&self.chat).cloned().collect();
        messages.sort_unstable_by_key(|kept| kept.message.sequence);
        messages
    }

    /// Returns the message that was accepted under an id, while the id is remembered.
    pub(crate) fn seen(&self, key: &DedupKey) -> Option<Seen> {
        self.ids.seen(key)
    }

    /// Continues the chain after `base`. Messages in between are lost: a range over them is `gone`.
    pub(crate) fn break_at(&mut self, base: Sequence) {
        self.last = self.last.max(base);
        self.evicted_precious = self.evicted_precious.max(base);
    }

    /// Appends the next message of the chain. `kept_at_ms` and [`TopicLog::expire`] use one clock.
    pub(crate) fn push(
        &mut self,
        message: Arc<Message>,
        fingerprint: u64,
        kept_at_ms: u64,
        config: &BusConfig,
    ) {
        debug_assert!(message.sequence > self.last);
        self.last = message.sequence;
        self.ids.remember(&message, fingerprint, kept_at_ms, config.dedup_per_room_max);
        if message.class.is_precious() {
            push(&mut self.precious, Kept { kept_at_ms, message });
        } else {
            push(&mut self.chat, Kept { kept_at_ms, message });
        }
        while self.chat.len() > config.chat_per_room_max {
            self.evict_chat();
        }
        while self.precious.len() > config.precious_per_room_max {
            self.evict_precious();
        }
    }

    /// Evicts messages older than the retention window and ids older than the deduplication
    /// window, and frees unused memory.
    pub(crate) fn expire(&mut self, now_ms: u64, config: &BusConfig) {
        let kept_from = now_ms.saturating_sub(config.retention_secs.saturating_mul(1_000));
        while self.chat.front().is_some_and(|kept| kept.kept_at_ms < kept_from) {
            self.evict_chat();
        }
        while self.precious.front().is_some_and(|kept| kept.kept_at_ms < kept_from) {
            self.evict_precious();
        }
        let known_from = now_ms.saturating_sub(config.dedup_secs.saturating_mul(1_000));
        self.ids.expire(known_from);
        free_unused(&mut self.chat);
        free_unused(&mut self.precious);
        // After the retention the count of a repair is a lower bound, too: one position shows that it skips.
        if self.chat.is_empty() && self.precious.is_empty() && self.evicted_chat.len() > 1 {
            self.evicted_chat.drain(..self.evicted_chat.len() - 1);
        }
        free_unused(&mut self.evicted_chat);
    }

    fn evict_chat(&mut self) {
        let Some(kept) = self.chat.pop_front() else { return };
        self.evicted_chat.push_back(kept.message.sequence);
        if self.evicted_chat.len() > EVICTED_MAX {
            self.evicted_chat.pop_front();
        }
    }

    fn evict_precious(&mut self) {
        if let Some(kept) = self.precious.pop_front() {
            self.evicted_precious = self.evicted_precious.max(kept.message.sequence);
        }
    }

    /// Returns the messages between `after` and `before`, both excluded. Of too much chat the newest
    /// is returned.
    pub(crate) fn range(&self, after: Sequence, before: Option<Sequence>, limits: RangeLimits) -> Range {
        let end = before.unwrap_or(Sequence::MAX);
        if after > self.last {
            // This bus never gave the position: the client comes from another history.
            return Range {
                outcome: RepairOutcome::Gone,
                skipped: 0,
                messages: Vec::new(),
                covered_to: self.last,
            };
        }
        let mut covered_to = self.last.min(Sequence(end.0.saturating_sub(1))).max(after);
        let mut precious = slice(&self.precious, after, end);
        if precious.len() > limits.precious_max {
            precious.truncate(limits.precious_max);
            covered_to = precious.last().map_or(covered_to, |m| m.sequence);
        }
        let mut chat = slice(&self.chat, after, Sequence(covered_to.0 + 1));
        let over = chat.len().saturating_sub(limits.chat_max);
        let too_old: Vec<_> = chat.drain(..over).map(|m| m.sequence).collect();
        let mut messages = precious;
        messages.append(&mut chat);
        messages.sort_unstable_by_key(|m| m.sequence);
        if let Some(cut) = cut_at(&messages, limits.bytes_max) {
            messages.truncate(cut);
            covered_to = messages.last().map_or(covered_to, |m| m.sequence);
        }
        let first_evicted = self.evicted_chat.partition_point(|s| *s <= after);
        let past_evicted = self.evicted_chat.partition_point(|s| *s <= covered_to);
        let skipped = past_evicted - first_evicted + too_old.partition_point(|s| *s <= covered_to);
        let outcome = match (after < self.evicted_precious, skipped) {
            (true, _) => RepairOutcome::Gone,
            (false, 0) => RepairOutcome::Complete,
            (false, _) => RepairOutcome::Partial,
        };
        Range { outcome, skipped: skipped as u64, messages, covered_to }
    }
}

/// Returns how many messages fit into `bytes_max`, at least one; `None` when all fit.
fn cut_at(messages: &[Arc<Message>], bytes_max: usize) -> Option<usize> {
    let mut bytes = 0;
    let mut fits = |message: &Arc<Message>| {
        bytes += message.body.len() + RangeLimits::OVERHEAD_BYTES;
        bytes <= bytes_max
    };
    let count = messages.iter().take_while(|message| fits(message)).count().max(1);
    (count < messages.len()).then_some(count)
}

/// Returns the messages of a sorted queue between `after` and `end`, both excluded.
fn slice(sorted: &VecDeque<Kept>, after: Sequence, end: Sequence) -> Vec<Arc<Message>> {
    let from = sorted.partition_point(|kept| kept.message.sequence <= after);
    let to = sorted.partition_point(|kept| kept.message.sequence < end);
    sorted.range(from..to.max(from)).map(|kept| Arc::clone(&kept.message)).collect()
}

/// Returns whether messages of a class have a sequence.
pub(crate) fn is_sequenced(class: Class) -> bool {
    class != Class::Pulse
}
