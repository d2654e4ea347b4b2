//! The recent messages of one topic: chain, deduplication, retention, range reads. Pure.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Message, MessageId, Sequence, UserId};

use crate::config::BusConfig;
use crate::log::{Range, RangeLimits};

/// Evicted chat positions that are remembered, so that a repair can count skipped chat. Beyond
/// it, the count is a lower bound.
const EVICTED_MAX: usize = 65_536;

/// Key of deduplication: an id counts for its sender within the topic.
pub(crate) type DedupKey = (Option<UserId>, MessageId);

/// The message that was accepted under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) sequence: Sequence,
    pub(crate) fingerprint: u64,
}

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
    seen: HashMap<DedupKey, Seen>,
    seen_order: VecDeque<(u64, DedupKey, Sequence)>,
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

    pub(crate) fn seen(&self, key: &DedupKey) -> Option<Seen> {
        self.seen.get(key).copied()
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
        self.remember(&message, fingerprint, kept_at_ms, config);
        if message.class.is_precious() {
            self.precious.push_back(Kept { kept_at_ms, message });
        } else {
            self.chat.push_back(Kept { kept_at_ms, message });
        }
        while self.chat.len() > config.chat_per_room_max {
            self.evict_chat();
        }
        while self.precious.len() > config.precious_per_room_max {
            self.evict_precious();
        }
    }

    /// Remembers the message under its id, and forgets the oldest ids beyond `dedup_per_room_max`.
    fn remember(&mut self, message: &Message, fingerprint: u64, kept_at_ms: u64, config: &BusConfig) {
        let Some(id) = &message.id else { return };
        let key = (message.sender.clone(), id.clone());
        self.seen.insert(key.clone(), Seen { sequence: message.sequence, fingerprint });
        self.seen_order.push_back((kept_at_ms, key, message.sequence));
        while self.seen_order.len() > config.dedup_per_room_max {
            self.forget_oldest();
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
        while self.seen_order.front().is_some_and(|(kept_at_ms, ..)| *kept_at_ms < known_from) {
            self.forget_oldest();
        }
        free_unused(&mut self.chat);
        free_unused(&mut self.precious);
        free_unused(&mut self.seen_order);
        if self.seen.is_empty() && self.seen.capacity() > 0 {
            self.seen = HashMap::new();
        }
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

    fn forget_oldest(&mut self) {
        let Some((_, key, sequence)) = self.seen_order.pop_front() else { return };
        if self.seen.get(&key).is_some_and(|seen| seen.sequence == sequence) {
            self.seen.remove(&key);
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

/// Frees capacity of a queue that was long and has become short, so that a room that was hot once
/// does not keep its memory.
fn free_unused<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > 8 * queue.len().max(8) {
        queue.shrink_to(2 * queue.len());
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(sequence: u64, previous: u64, class: Class) -> Arc<Message> {
        Arc::new(Message {
            room: "r".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence(previous),
            class,
            sender: Some("u".parse().unwrap()),
            id: Some(format!("m{sequence}").parse().unwrap()),
            to: None,
            at_ms: 0,
            trace: None,
            body: "{}".into(),
        })
    }

    fn config() -> BusConfig {
        BusConfig {
            chat_per_room_max: 8,
            precious_per_room_max: 8,
            dedup_per_room_max: 10,
            ..BusConfig::default()
        }
    }

    proptest! {
        /// Over any history, a range accounts for each message: it is returned, counted as skipped,
        /// or the range is answered `gone`.
        #[test]
        fn a_range_accounts_for_every_message(classes in prop::collection::vec(0_u8..3, 1..60), after in 0_u64..130, limit in 1_usize..10, bytes_max in 0_usize..1_000) {
            let mut log = TopicLog::default();
            let mut all = Vec::new();
            let mut previous = 0;
            for (i, class) in classes.iter().enumerate() {
                let sequence = 2 * i as u64 + 1;
                let class = if *class == 0 { Class::Gift } else { Class::Chat };
                let m = message(sequence, previous, class);
                previous = sequence;
                log.push(Arc::clone(&m), 0, 0, &config());
                all.push(m);
            }
            let limits = RangeLimits { chat_max: limit, precious_max: limit, bytes_max };
            let range = log.range(Sequence(after), None, limits);
            let due: Vec<_> = all.iter().filter(|m| m.sequence.0 > after && m.sequence <= range.covered_to).collect();
            let gifts = |list: &[Sequence]| list.len();
            let due_gifts: Vec<_> = due.iter().filter(|m| m.class == Class::Gift).map(|m| m.sequence).collect();
            let got_gifts: Vec<_> = range.messages.iter().filter(|m| m.class == Class::Gift).map(|m| m.sequence).collect();
            if after <= previous {
                let due_chat = due.len() - gifts(&due_gifts);
                let got_chat = range.messages.len() - gifts(&got_gifts);
                prop_assert_eq!(due_chat as u64, got_chat as u64 + range.skipped);
                if range.outcome != RepairOutcome::Gone {
                    prop_assert_eq!(due_gifts, got_gifts);
                }
                prop_assert_eq!(range.outcome == RepairOutcome::Partial, range.skipped > 0 && range.outcome != RepairOutcome::Gone);
            } else {
                prop_assert_eq!(range.outcome, RepairOutcome::Gone);
            }
            let bytes: usize = range.messages.iter().map(|m| m.body.len() + RangeLimits::OVERHEAD_BYTES).sum();
            prop_assert!(bytes <= bytes_max || range.messages.len() == 1);
            prop_assert!(range.messages.windows(2).all(|w| w[0].sequence < w[1].sequence));
        }
    }

    #[test]
    fn a_range_is_cut_at_bytes_max_and_the_next_one_continues() {
        let mut log = TopicLog::default();
        for n in 1..=8 {
            log.push(message(n, n - 1, Class::Chat), 0, 0, &config());
        }
        let each = 2 + RangeLimits::OVERHEAD_BYTES;
        let limits = RangeLimits { chat_max: 6, bytes_max: 4 * each, ..RangeLimits::default() };
        let first = log.range(Sequence(0), None, limits);
        assert_eq!((first.messages.len(), first.skipped, first.covered_to), (4, 2, Sequence(6)));
        let second = log.range(first.covered_to, None, limits);
        assert_eq!((second.messages.len(), second.skipped, second.covered_to), (2, 0, Sequence(8)));
        let none = RangeLimits { bytes_max: 0, ..limits };
        assert_eq!(log.range(Sequence(6), None, none).covered_to, Sequence(7), "at least one message");
    }

    #[test]
    fn ids_are_forgotten_after_their_window_and_at_the_bound() {
        let mut log = TopicLog::default();
        let key = |n: u64| (Some("u".parse().unwrap()), format!("m{n}").parse().unwrap());
        for n in 1..=12 {
            log.push(message(n, n - 1, Class::Gift), 7, n * 1000, &config());
        }
        assert_eq!(log.seen(&key(2)), None);
        assert_eq!(log.seen(&key(3)), Some(Seen { sequence: Sequence(3), fingerprint: 7 }));
        log.expire(125_001, &config());
        assert_eq!(log.seen(&key(5)), None);
        assert!(log.seen(&key(6)).is_some());
    }

    #[test]
    fn messages_older_than_retention_are_evicted_and_ranges_over_them_are_gone() {
        let mut log = TopicLog::default();
        log.push(message(1, 0, Class::Gift), 0, 1_000, &config());
        log.push(message(2, 1, Class::Chat), 0, 1_000, &config());
        log.push(message(3, 2, Class::Gift), 0, 900_000_000, &config());
        log.expire(900_000_000, &config());
        let gone = log.range(Sequence(0), None, RangeLimits::default());
        assert_eq!((gone.outcome, gone.messages.len()), (RepairOutcome::Gone, 1));
        let partial = log.range(Sequence(1), None, RangeLimits::default());
        assert_eq!((partial.outcome, partial.skipped), (RepairOutcome::Partial, 1));
        assert_eq!(log.range(Sequence(2), None, RangeLimits::default()).outcome, RepairOutcome::Complete);
        assert_eq!(log.range(Sequence(3), None, RangeLimits::default()).outcome, RepairOutcome::Complete);
    }
}
