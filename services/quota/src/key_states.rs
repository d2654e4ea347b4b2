//! The state of each key on this instance: its lease, or its last refusal.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use barrage_counters::QuotaKey;
use barrage_flow::{Lease, LeaseConfig, LeaseRequest, LeaseTerms, Rule, Step, Verdict};
use barrage_guarded::CallError;
use parking_lot::{Mutex, MutexGuard};
use prometheus::IntGauge;
use tokio::sync::watch;

use crate::config::RedisQuotaConfig;
use crate::generations::Generations;
use crate::redis_counts::Answer;
use crate::refusal::Refusal;

/// A request to send once. Dropping it wakes the callers that wait for its answer.
#[derive(Debug)]
pub(crate) struct PendingRequest {
    pub(crate) request: LeaseRequest,
    _answered: watch::Sender<()>,
}

/// Next step of a decision. A pending request must be sent at once.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Decided on this instance, without waiting for Redis.
    Decided(Verdict, Option<PendingRequest>),
    /// Decide again when the receiver's sender was dropped.
    Wait(watch::Receiver<()>, Option<PendingRequest>),
    /// The limit is not leased: Redis decides.
    RequestExactly,
    /// Redis failed to answer a moment ago.
    Unavailable,
}

#[derive(Debug)]
struct Entry {
    rule: Rule,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The sender of the receiver is dropped when the request in flight is answered.
    Leased(Lease, watch::Receiver<()>),
    Refused(Refusal),
}

/// A sharded, bounded map of keys; the hash of a key chooses its shard.
#[derive(Debug)]
pub(crate) struct KeyStates {
    shards: Box<[Mutex<Generations<QuotaKey, Entry>>]>,
    hasher: RandomState,
    lease: LeaseConfig,
}

impl KeyStates {
    /// Creates an empty map; `keys` exports the number of keys.
    pub(crate) fn new(config: &RedisQuotaConfig, keys: &IntGauge) -> Self {
        let shards = config.shards.clamp(1, 1024);
        let shard = || Mutex::new(Generations::new(config.keys_max / shards, keys.clone()));
        KeyStates {
            shards: (0..shards).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            lease: config.lease.clone(),
        }
    }

    /// Returns the lease terms of a rule; `None` when it is not leased.
    pub(crate) fn terms(&self, rule: &Rule) -> Option<LeaseTerms> {
        LeaseTerms::of(rule, &self.lease)
    }

    fn shard(&self, key: &QuotaKey) -> MutexGuard<'_, Generations<QuotaKey, Entry>> {
        let shard = self.hasher.hash_one(key) % self.shards.len() as u64;
        self.shards[shard as usize].lock()
    }

    /// Decides about `cost` units of a key. A rule that differs from the key's last one starts without
    /// a lease.
    pub(crate) fn decide(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Decision {
        let mut shard = self.shard(key);
        let entry = match shard.get(key) {
            Some(entry) if entry.rule == *rule => entry,
            _ => {
                let Some(terms) = self.terms(rule) else { return Decision::RequestExactly };
                let state = State::Leased(Lease::new(terms, now), watch::channel(()).1);
                shard.insert(key.clone(), Entry { rule: *rule, state })
            }
        };
        let (lease, answered) = match &mut entry.state {
            State::Leased(lease, answered) => (lease, answered),
            State::Refused(refusal) => {
                return match refusal.repeat(cost, now) {
                    Some(verdict) => Decision::Decided(verdict, None),
                    None => Decision::RequestExactly,
                };
            }
        };
        let mut pending = |request| {
            let (_answered, receiver) = watch::channel(());
            *answered = receiver;
            PendingRequest { request, _answered }
        };
        match lease.take(cost, now) {
            Step::Decided(verdict, request) => Decision::Decided(verdict, request.map(pending)),
            Step::Request(request) => {
                let pending = pending(request);
                Decision::Wait(answered.clone(), Some(pending))
            }
            Step::Wait => Decision::Wait(answered.clone(), None),
            Step::Unavailable => Decision::Unavailable,
        }
    }

    /// Records the answer to a request. It lapses for a key that was forgotten since, or whose rule
    /// changed.
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
            Err(CallError::Open { .. }) => lease.not_sent(),
            Err(CallError::Late | CallError::Failed(_)) => lease.failed(),
        }
    }

    /// Records units that were admitted by this instance's share: the lease charges them to Redis when
    /// it is back. Limits that are not leased are small, and their units are not charged.
    pub(crate) fn spent_by_share(&self, key: &QuotaKey, cost: u32, rule: &Rule) {
        if let Some(Entry { rule: leased, state: State::Leased(lease, _) }) = self.shard(key).get(key)
            && leased == rule
        {
            lease.spent_without_lease(cost);
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
    use barrage_counters::Subject;
    use barrage_flow::{LeaseGrant, Rate};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn states(keys_max: usize) -> KeyStates {
        let config = RedisQuotaConfig { keys_max, shards: 1, ..RedisQuotaConfig::default() };
        KeyStates::new(&config, &IntGauge::new("keys", "Keys.").unwrap())
    }

    fn key(n: u32) -> QuotaKey {
        QuotaKey { purpose: "post", subject: Subject::address(std::net::Ipv4Addr::from(n).into()) }
    }

    fn rule(per_s: u32) -> Rule {
        Rule::Rate(Rate::per_sec(per_s, per_s * 3).unwrap())
    }

    #[test]
    fn one_request_is_in_flight_at_a_time_and_its_end_wakes_the_waiting_callers() {
        let states = states(10);
        let Decision::Wait(first, Some(request)) = states.decide(&key(1), 1, &rule(1_000), MS) else {
            panic!()
        };
        let Decision::Wait(second, None) = states.decide(&key(1), 1, &rule(1_000), MS) else { panic!() };
        let grant = LeaseGrant { units: 2, length: 100 * MS, mark: 0 };
        states.answered(&key(1), &rule(1_000), &Ok(Answer::Granted(grant)), MS);
        assert!(first.has_changed().is_ok());
        drop(request);
        assert!(first.has_changed().is_err() && second.has_changed().is_err());
        for _ in 0..2 {
            let decided = states.decide(&key(1), 1, &rule(1_000), 2 * MS);
            assert!(matches!(decided, Decision::Decided(Verdict::Admit, None)), "{decided:?}");
        }
        let another_rule = states.decide(&key(1), 1, &rule(2_000), 2 * MS);
        assert!(matches!(another_rule, Decision::Wait(_, Some(_))), "{another_rule:?}");
    }

    #[test]
    fn the_answer_for_a_forgotten_key_lapses() {
        let states = states(4);
        for n in 0..100 {
            assert!(matches!(states.decide(&key(n), 1, &rule(1_000), MS), Decision::Wait(_, Some(_))));
        }
        let grant = LeaseGrant { units: 50, length: 100 * MS, mark: 0 };
        states.answered(&key(0), &rule(1_000), &Ok(Answer::Granted(grant)), MS);
        assert!(matches!(states.decide(&key(0), 1, &rule(1_000), MS), Decision::Wait(_, Some(_))));
    }

    #[test]
    fn a_small_limit_is_decided_by_redis_until_it_is_refused() {
        let states = states(10);
        assert!(matches!(states.decide(&key(1), 1, &rule(10), MS), Decision::RequestExactly));
        states.refused(&key(1), &rule(10), Refusal::new(30, 100 * MS, 0, MS));
        let repeated = states.decide(&key(1), 1, &rule(10), 2 * MS);
        assert!(matches!(repeated, Decision::Decided(Verdict::Refuse { .. }, None)), "{repeated:?}");
        assert!(matches!(states.decide(&key(1), 1, &rule(20), 2 * MS), Decision::RequestExactly));
        assert!(matches!(states.decide(&key(1), 1, &rule(10), 101 * MS), Decision::RequestExactly));
    }
}
