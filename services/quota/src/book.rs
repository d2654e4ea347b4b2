//! What this instance knows of each key: its lease, or its last refusal.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barrage_flow::{Ask, CallError, Lease, LeaseConfig, LeaseTerms, QuotaKey, Rule, Step, Verdict};
use prometheus::IntGauge;
use tokio::sync::watch;

use crate::config::RedisQuotaConfig;
use crate::generations::Generations;
use crate::keeper::Answer;
use crate::refusal::Refusal;

/// An ask to be made, once; dropping it wakes those who wait for its answer.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) ask: Ask,
    _answered: watch::Sender<()>,
}

/// What one look at a key comes to. An errand is to be sent off at once.
#[derive(Debug)]
pub(crate) enum Look {
    /// Decided here.
    Decided(Verdict, Option<Errand>),
    /// Look again when the receiver's other end has gone.
    Wait(watch::Receiver<()>, Option<Errand>),
    /// It is not leased: Redis decides.
    AskExactly,
    /// Redis did not answer a moment ago.
    Away,
}

#[derive(Debug)]
struct Entry {
    rule: Rule,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The receiver ends when the ask under way is answered.
    Leased(Lease, watch::Receiver<()>),
    Refused(Refusal),
}

/// A sharded, bounded map of keys.
#[derive(Debug)]
pub(crate) struct Book {
    shards: Box<[Mutex<Generations<QuotaKey, Entry>>]>,
    hasher: RandomState,
    lease: LeaseConfig,
}

impl Book {
    /// `keys` shows how many there are.
    pub(crate) fn new(config: &RedisQuotaConfig, keys: &IntGauge) -> Self {
        let shards = config.shards.clamp(1, 1024);
        let shard = || Mutex::new(Generations::new(config.keys_max / shards, keys.clone()));
        Book {
            shards: (0..shards).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            lease: config.lease.clone(),
        }
    }

    /// What a lease of this rule may be; `None` when it is not leased.
    pub(crate) fn terms(&self, rule: &Rule) -> Option<LeaseTerms> {
        LeaseTerms::of(rule, &self.lease)
    }

    fn shard(&self, key: &QuotaKey) -> MutexGuard<'_, Generations<QuotaKey, Entry>> {
        let shard = self.hasher.hash_one(key) % self.shards.len() as u64;
        // A panic cannot leave a lease half spent; what it left is as good as any.
        self.shards[shard as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A rule that differs from the last one starts with nothing leased.
    pub(crate) fn look(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Look {
        let mut shard = self.shard(key);
        let entry = match shard.get(key) {
            Some(entry) if entry.rule == *rule => entry,
            _ => {
                let Some(terms) = self.terms(rule) else { return Look::AskExactly };
                let state = State::Leased(Lease::new(terms, now), watch::channel(()).1);
                shard.insert(key.clone(), Entry { rule: *rule, state })
            }
        };
        let (lease, answered) = match &mut entry.state {
            State::Leased(lease, answered) => (lease, answered),
            State::Refused(refusal) => {
                return match refusal.repeat(cost, now) {
                    Some(verdict) => Look::Decided(verdict, None),
                    None => Look::AskExactly,
                };
            }
        };
        let mut errand = |ask| {
            let (_answered, receiver) = watch::channel(());
            *answered = receiver;
            Errand { ask, _answered }
        };
        match lease.take(cost, now) {
            Step::Decided(verdict, ask) => Look::Decided(verdict, ask.map(errand)),
            Step::Ask(ask) => {
                let errand = errand(ask);
                Look::Wait(answered.clone(), Some(errand))
            }
            Step::Wait => Look::Wait(answered.clone(), None),
            Step::Away => Look::Away,
        }
    }

    /// What became of an errand. For a key forgotten since, or whose rule changed, it
    /// lapses.
    pub(crate) fn answered(
        &self,
        key: &QuotaKey,
        rule: &Rule,
        answer: &Result<Answer, CallError>,
        now: Duration,
    ) {
        let mut shard = self.shard(key);
        let Some(entry) = shard.get(key).filter(|entry| entry.rule == *rule) else { return };
        let State::Leased(lease, _) = &mut entry.state else { return };
        match answer {
            Ok(Answer::Granted(grant)) => lease.granted(*grant, now),
            Ok(Answer::Refused { retry_after, fits }) => lease.refused(*retry_after, *fits),
            Err(CallError::Open { .. }) => lease.not_asked(),
            Err(CallError::Late | CallError::Failed(_)) => lease.failed(),
        }
    }

    /// Units that were admitted by this instance's share: a lease tells Redis of them
    /// when it is back. What is not leased is small, and is not told.
    pub(crate) fn spent_by_share(&self, key: &QuotaKey, cost: u32, rule: &Rule) {
        if let Some(Entry { rule: leased, state: State::Leased(lease, _) }) = self.shard(key).get(key)
            && leased == rule
        {
            lease.spent_elsewhere(cost);
        }
    }

    /// Remembers the refusal of a limit that is not leased.
    pub(crate) fn refused(&self, key: &QuotaKey, rule: &Rule, refusal: Refusal) {
        let entry = Entry { rule: *rule, state: State::Refused(refusal) };
        self.shard(key).insert(key.clone(), entry);
    }
}

#[cfg(test)]
mod tests {
    use barrage_flow::{Grant, Rate, Subject};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn book(keys_max: usize) -> Book {
        let config = RedisQuotaConfig { keys_max, shards: 1, ..RedisQuotaConfig::default() };
        Book::new(&config, &IntGauge::new("keys", "Keys.").unwrap())
    }

    fn key(n: u32) -> QuotaKey {
        QuotaKey { purpose: "post", subject: Subject::address(std::net::Ipv4Addr::from(n).into()) }
    }

    fn rule(per_s: u32) -> Rule {
        Rule::Rate(Rate::per_sec(per_s, per_s * 3).unwrap())
    }

    #[test]
    fn one_errand_at_a_time_and_its_end_wakes_who_waits() {
        let book = book(10);
        let Look::Wait(first, Some(errand)) = book.look(&key(1), 1, &rule(1_000), MS) else { panic!() };
        let Look::Wait(second, None) = book.look(&key(1), 1, &rule(1_000), MS) else { panic!() };
        let grant = Grant { units: 2, length: 100 * MS, mark: 0 };
        book.answered(&key(1), &rule(1_000), &Ok(Answer::Granted(grant)), MS);
        assert!(first.has_changed().is_ok());
        drop(errand);
        assert!(first.has_changed().is_err() && second.has_changed().is_err());
        for _ in 0..2 {
            let decided = book.look(&key(1), 1, &rule(1_000), 2 * MS);
            assert!(matches!(decided, Look::Decided(Verdict::Admit, None)), "{decided:?}");
        }
        let another_rule = book.look(&key(1), 1, &rule(2_000), 2 * MS);
        assert!(matches!(another_rule, Look::Wait(_, Some(_))), "{another_rule:?}");
    }

    #[test]
    fn a_forgotten_key_s_answer_lapses() {
        let book = book(4);
        for n in 0..100 {
            assert!(matches!(book.look(&key(n), 1, &rule(1_000), MS), Look::Wait(_, Some(_))));
        }
        let grant = Grant { units: 50, length: 100 * MS, mark: 0 };
        book.answered(&key(0), &rule(1_000), &Ok(Answer::Granted(grant)), MS);
        assert!(matches!(book.look(&key(0), 1, &rule(1_000), MS), Look::Wait(_, Some(_))));
    }

    #[test]
    fn a_small_limit_is_asked_for_until_it_is_refused() {
        let book = book(10);
        assert!(matches!(book.look(&key(1), 1, &rule(10), MS), Look::AskExactly));
        book.refused(&key(1), &rule(10), Refusal::new(30, 100 * MS, 0, MS));
        let repeated = book.look(&key(1), 1, &rule(10), 2 * MS);
        assert!(matches!(repeated, Look::Decided(Verdict::Refuse { .. }, None)), "{repeated:?}");
        assert!(matches!(book.look(&key(1), 1, &rule(20), 2 * MS), Look::AskExactly));
        assert!(matches!(book.look(&key(1), 1, &rule(10), 101 * MS), Look::AskExactly));
    }
}
