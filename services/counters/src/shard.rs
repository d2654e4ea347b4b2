//! One shard of the local quota: a bounded map in order of use.
//!
//! Slots are in one vector and linked by index, most recently used first; the map finds a slot by
//! key. A full shard allocates no more memory.

use std::collections::HashMap;
use std::hash::RandomState;
use std::time::Duration;

use barrage_flow::{Rule, SlidingWindow, TokenBucket, Verdict};

use crate::quota::QuotaKey;

/// Maximum number of least recently used keys that are searched for an idle one when a slot is
/// needed. They are the likeliest to be idle, and the maximum keeps the cost of a decision constant.
const SEARCHED_MAX: usize = 16;

const NONE: u32 = u32::MAX;

/// A count under either kind of rule.
#[derive(Debug, Clone, Copy)]
enum Count {
    Rate(TokenBucket),
    Window(SlidingWindow),
}

impl Count {
    fn new(rule: &Rule, now: Duration) -> Self {
        match rule {
            Rule::Rate(rate) => Count::Rate(TokenBucket::full(*rate, now)),
            Rule::Window(window) => Count::Window(SlidingWindow::empty(*window, now)),
        }
    }

    fn take(&mut self, cost: u32, rule: &Rule, now: Duration) -> Verdict {
        match (&mut *self, rule) {
            (Count::Rate(bucket), Rule::Rate(rate)) => {
                bucket.set_rate(*rate, now);
                bucket.take(cost, now)
            }
            (Count::Window(sliding), Rule::Window(window)) => {
                sliding.set_window(*window, now);
                sliding.take(cost, now)
            }
            (Count::Rate(_), Rule::Window(_)) | (Count::Window(_), Rule::Rate(_)) => {
                *self = Count::new(rule, now);
                self.take(cost, rule, now)
            }
        }
    }

    fn give_back(&mut self, units: u32, rule: &Rule, taken: Duration, now: Duration) -> u32 {
        match (self, rule) {
            (Count::Window(sliding), Rule::Window(window)) if sliding.window() == *window => {
                sliding.give_back(units, taken, now)
            }
            _ => 0,
        }
    }

    fn is_idle(&self, now: Duration) -> bool {
        match self {
            Count::Rate(bucket) => bucket.is_full(now),
            Count::Window(sliding) => sliding.is_empty(now),
        }
    }
}

#[derive(Debug)]
struct Slot {
    key: QuotaKey,
    count: Count,
    newer: u32,
    older: u32,
}

/// Change of the map by a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// None: the map held the key already.
    Known,
    /// The key was added to a free slot.
    Added,
    /// The key replaced an idle one, whose count was empty.
    ReplacedIdle,
    /// The key replaced one that still had a count.
    ReplacedLive,
}

#[derive(Debug)]
pub(crate) struct Shard {
    index: HashMap<QuotaKey, u32, RandomState>,
    slots: Vec<Slot>,
    keys_max: usize,
    newest: u32,
    oldest: u32,
}

impl Shard {
    pub(crate) fn new(keys_max: usize) -> Self {
        assert!(keys_max > 0 && keys_max < NONE as usize, "validated by the configuration");
        Shard { index: HashMap::default(), slots: Vec::new(), keys_max, newest: NONE, oldest: NONE }
    }

    pub(crate) fn take(
        &mut self,
        key: &QuotaKey,
        cost: u32,
        rule: &Rule,
        now: Duration,
    ) -> (Verdict, Change) {
        let (at, change) = match self.index.get(key) {
            Some(at) => (*at, Change::Known),
            None => self.place(key, rule, now),
        };
        self.use_now(at);
        (self.slots[at as usize].count.take(cost, rule, now), change)
    }

    /// Gives back units of a key that has a count; see [`crate::Quota::give_back`].
    pub(crate) fn give_back(
        &mut self,
        key: &QuotaKey,
        units: u32,
        rule: &Rule,
        taken: Duration,
        now: Duration,
    ) -> u32 {
        let Some(at) = self.index.get(key) else { return 0 };
        self.slots[*at as usize].count.give_back(units, rule, taken, now)
    }

    fn place(&mut self, key: &QuotaKey, rule: &Rule, now: Duration) -> (u32, Change) {
        let count = Count::new(rule, now);
        let (at, change) = if self.slots.len() < self.keys_max {
            let at = u32::try_from(self.slots.len()).expect("keys_max is below u32::MAX");
            self.slots.push(Slot { key: key.clone(), count, newer: NONE, older: NONE });
            self.link_newest(at);
            (at, Change::Added)
        } else {
            let (at, change) = self.victim(now);
            let slot = &mut self.slots[at as usize];
            self.index.remove(&slot.key);
            slot.key = key.clone();
            slot.count = count;
            (at, change)
        };
        self.index.insert(key.clone(), at);
        (at, change)
    }

    /// Returns an idle slot among the least recently used, else the least recently used.
    fn victim(&self, now: Duration) -> (u32, Change) {
        let mut at = self.oldest;
        for _ in 0..SEARCHED_MAX {
            if at == NONE {
                break;
            }
            let slot = &self.slots[at as usize];
            if slot.count.is_idle(now) {
                return (at, Change::ReplacedIdle);
            }
            at = slot.newer;
        }
        (self.oldest, Change::ReplacedLive)
    }

    fn use_now(&mut self, at: u32) {
        if self.newest != at {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    fn unlink(&mut self, at: u32) {
        let Slot { newer, older, .. } = self.slots[at as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let next = std::mem::replace(&mut self.newest, at);
        let slot = &mut self.slots[at as usize];
        slot.newer = NONE;
        slot.older = next;
        match next {
            NONE => self.oldest = at,
            next => self.slots[next as usize].newer = at,
        }
    }
}

#[cfg(test)]
mod tests {
    use barrage_flow::{Rate, Window};
    use barrage_protocol::UserId;

    use super::*;
    use crate::quota::Subject;

    fn key(n: usize) -> QuotaKey {
        let user = UserId::parse(&format!("u{n}")).unwrap();
        QuotaKey { purpose: "test", subject: Subject::User(user) }
    }

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn an_idle_key_is_replaced_first_and_a_live_one_only_when_all_are_live() {
        let rule = Rule::Rate(Rate::per_sec(1, 2).unwrap());
        let mut shard = Shard::new(3);
        for n in 0..3 {
            assert_eq!(shard.take(&key(n), 1, &rule, NOW), (Verdict::Admit, Change::Added));
        }
        // Key 1 is idle since its bucket became full: 0 and 2 stay.
        let later = Duration::from_secs(1);
        assert_eq!(shard.take(&key(0), 2, &rule, later).1, Change::Known);
        assert_eq!(shard.take(&key(2), 2, &rule, later).1, Change::Known);
        assert_eq!(shard.take(&key(3), 2, &rule, later), (Verdict::Admit, Change::ReplacedIdle));
        assert!(!shard.take(&key(0), 1, &rule, later).0.is_admit());
        assert_eq!(shard.take(&key(4), 2, &rule, later), (Verdict::Admit, Change::ReplacedLive));
        // Key 2 was the least recently used: it starts with a full bucket, 0 does not.
        assert!(!shard.take(&key(0), 1, &rule, later).0.is_admit());
        assert_eq!(shard.take(&key(2), 1, &rule, later), (Verdict::Admit, Change::ReplacedLive));
    }

    #[test]
    fn order_of_use_is_consistent_after_ten_thousand_keys() {
        let rule = Rule::Window(Window::new(1, Duration::from_secs(1)).unwrap());
        let mut shard = Shard::new(64);
        for n in 0..10_000 {
            shard.take(&key(n * 7 % 300), 1, &rule, NOW);
        }
        assert_eq!((shard.slots.len(), shard.index.len()), (64, 64));
        let mut seen = 0;
        let mut at = shard.newest;
        while at != NONE {
            let slot = &shard.slots[at as usize];
            assert_eq!(shard.index.get(&slot.key), Some(&at));
            seen += 1;
            at = slot.older;
        }
        assert_eq!(seen, 64);
    }

    #[test]
    fn a_rule_of_another_kind_starts_with_an_empty_count() {
        let mut shard = Shard::new(1);
        let rate = Rule::Rate(Rate::per_sec(1, 1).unwrap());
        let window = Rule::Window(Window::new(1, Duration::from_secs(1)).unwrap());
        assert!(shard.take(&key(0), 1, &rate, NOW).0.is_admit());
        assert!(!shard.take(&key(0), 1, &rate, NOW).0.is_admit());
        assert!(shard.take(&key(0), 1, &window, NOW).0.is_admit());
        assert!(!shard.take(&key(0), 1, &window, NOW).0.is_admit());
    }
}
