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

/// Ids that are searched one after the other. A topic with more has a map of them: most topics have few,
/// and thousands of them have none that is asked for.
const SEARCHED_MAX: usize = 8;
/// Queues up to this length grow by one entry at a time: most rooms are quiet.
const EXACT_MAX: usize = 4;

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

/// An id that is remembered.
#[derive(Debug)]
struct Remembered {
    kept_at_ms: u64,
    key: DedupKey,
    seen: Seen,
}

#[derive(Debug, Default)]
pub(crate) struct TopicLog {
    last: Sequence,
    chat: VecDeque<Kept>,
    precious: VecDeque<Kept>,
    evicted_chat: VecDeque<Sequence>,
    /// Highest position of a gift or signal that was evicted.
    evicted_precious: Sequence,
    /// Ids that are remembered, oldest first.
    remembered: VecDeque<Remembered>,
    /// The same by key, while there are more than [`SEARCHED_MAX`]; else empty.
    seen: HashMap<DedupKey, Seen>,
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
        if self.seen.is_empty() {
            // Of two entries with one key the newer one counts.
            return self.remembered.iter().rev().find(|it| it.key == *key).map(|it| it.seen);
        }
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

    /// Remembers the message under its id, and forgets the oldest ids beyond `dedup_per_room_max`.
    fn remember(&mut self, message: &Message, fingerprint: u64, kept_at_ms: u64, config: &BusConfig) {
        let Some(id) = &message.id else { return };
        let key = (message.sender.clone(), id.clone());
        let seen = Seen { sequence: message.sequence, fingerprint };
        if !self.seen.is_empty() {
            self.seen.insert(key.clone(), seen);
        }
        push(&mut self.remembered, Remembered { kept_at_ms, key, seen });
        while self.remembered.len() > config.dedup_per_room_max {
            self.forget_oldest();
        }
        if self.seen.is_empty() && self.remembered.len() > SEARCHED_MAX {
            self.seen = self.remembered.iter().map(|it| (it.key.clone(), it.seen)).collect();
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
        while self.remembered.front().is_some_and(|it| it.kept_at_ms < known_from) {
            self.forget_oldest();
        }
        if self.remembered.len() <= SEARCHED_MAX {
            self.seen = HashMap::new();
        }
        free_unused(&mut self.chat);
        free_unused(&mut self.precious);
        free_unused(&mut self.remembered);
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

    fn forget_oldest(&mut self) {
        let Some(Remembered { key, seen, .. }) = self.remembered.pop_front() else { return };
        if self.seen.get(&key) == Some(&seen) {
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

/// Adds an entry to a queue. A short queue gets memory for this entry alone, and no spare places.
fn push<T>(queue: &mut VecDeque<T>, entry: T) {
    if queue.len() == queue.capacity() && queue.len() < EXACT_MAX {
        queue.reserve_exact(1);
    }
    queue.push_back(entry);
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
    fn ids_are_found_alike_in_topics_with_few_and_with_many() {
        let config = BusConfig { dedup_per_room_max: 1_000, ..BusConfig::default() };
        let key = |n: u64| (Some("u".parse().unwrap()), format!("m{n}").parse().unwrap());
        let mut log = TopicLog::default();
        for n in 1..=3 * SEARCHED_MAX as u64 {
            log.push(message(n, n - 1, Class::Chat), n, n * 1_000, &config);
            for known in 1..=n {
                let seen = Some(Seen { sequence: Sequence(known), fingerprint: known });
                assert_eq!(log.seen(&key(known)), seen);
            }
            assert_eq!(log.seen(&key(n + 1)), None);
        }
        assert!(log.seen.len() > SEARCHED_MAX);
        // All but the newest three are older than the window.
        let left = 3 * SEARCHED_MAX as u64 - 2;
        log.expire(left * 1_000 + config.dedup_secs * 1_000, &config);
        assert_eq!((log.remembered.len(), log.seen.capacity()), (3, 0));
        for n in 1..=3 * SEARCHED_MAX as u64 {
            assert_eq!(log.seen(&key(n)).is_some(), n >= left, "{n}");
        }
    }

    #[test]
    fn quiet_topic_holds_memory_for_its_one_message_alone() {
        let mut log = TopicLog::default();
        log.push(message(1, 0, Class::Chat), 0, 0, &BusConfig::default());
        let capacities = (log.chat.capacity(), log.remembered.capacity(), log.seen.capacity());
        assert_eq!(capacities, (1, 1, 0));
        assert_eq!((log.precious.capacity(), log.evicted_chat.capacity()), (0, 0));
    }

    #[test]
    fn topic_that_was_busy_frees_its_memory_after_the_retention() {
        let config = config();
        let mut log = TopicLog::default();
        for n in 1..=5_000 {
            log.push(message(n, n - 1, Class::Chat), 0, 0, &config);
        }
        log.expire(config.retention_secs * 1_000 + 1, &config);
        let capacity = log.chat.capacity() + log.remembered.capacity() + log.evicted_chat.capacity();
        assert!(capacity <= 64 && log.seen.capacity() == 0, "{capacity}");
        let range = log.range(Sequence(10), None, RangeLimits::default());
        assert_eq!((range.outcome, range.skipped), (RepairOutcome::Partial, 1), "at least one was skipped");
        let up_to_date = log.range(Sequence(5_000), None, RangeLimits::default());
        assert_eq!(up_to_date.outcome, RepairOutcome::Complete);
        log.push(message(5_001, 5_000, Class::Chat), 0, 0, &config);
        assert_eq!(log.last(), Sequence(5_001), "the chain goes on");
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
