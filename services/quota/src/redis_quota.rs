//! The cluster engine of quotas: counts in Redis, spent by lease on this instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use barrage_counters::{LocalQuota, LocalQuotaConfig, LocalQuotaMetrics, Quota, QuotaKey};
use barrage_flow::{BreakerState, LeaseRequest, Rule, Verdict};
use barrage_guarded::{BreakerMetrics, CallError, Guarded};
use prometheus::Registry;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use crate::config::RedisQuotaConfig;
use crate::error::QuotaError;
use crate::key::redis_key;
use crate::key_states::{Decision, KeyStates, PendingRequest};
use crate::metrics::{By, QuotaMetrics};
use crate::redis_counts::{Answer, RedisCounts};
use crate::refusal::{Refusal, limit_of};
use crate::share::share_of;

/// Counts in Redis, shared by all instances that use the same server. See the crate documentation.
#[derive(Clone)]
pub struct RedisQuota {
    inner: Arc<Inner>,
}

struct Inner {
    states: KeyStates,
    counts: RedisCounts,
    guarded: Arc<Guarded>,
    /// This instance's share of each limit. Grants of Redis are charged to it, so that a failed call
    /// gives no second burst.
    share: LocalQuota,
    /// Number of instances that share the limits, this one included.
    instances: watch::Receiver<usize>,
    deadline: Duration,
    is_away: AtomicBool,
    metrics: QuotaMetrics,
}

impl RedisQuota {
    /// Connects in the background; Redis may be unreachable. `instances` is the number by which a
    /// limit is divided then. Must be called within a Tokio runtime.
    pub fn new(
        config: &RedisQuotaConfig,
        instances: watch::Receiver<usize>,
        metrics: QuotaMetrics,
        breakers: &BreakerMetrics,
    ) -> Result<Self, QuotaError> {
        if !(1..=500).contains(&config.deadline_ms) {
            return Err(QuotaError::Deadline(config.deadline_ms));
        }
        let deadline = config.deadline();
        let inner = Inner {
            states: KeyStates::new(config, &metrics.keys),
            counts: RedisCounts::connect(config, deadline)?,
            guarded: Arc::new(Guarded::new("quota", config.breaker.clone(), deadline, breakers)),
            share: share(config),
            instances,
            deadline,
            is_away: AtomicBool::new(false),
            metrics,
        };
        Ok(RedisQuota { inner: Arc::new(inner) })
    }

    /// Returns the breaker, for the switch that forces it.
    #[must_use]
    pub fn breaker(&self) -> Arc<Guarded> {
        Arc::clone(&self.inner.guarded)
    }

    /// Decides without waiting, for callers that cannot; `None` when Redis must be asked. Sends the
    /// request for the next batch when it is due. Must be called within a Tokio runtime.
    #[must_use]
    pub fn decide_here(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Option<Verdict> {
        match self.decide(key, cost, rule, now) {
            Decision::Decided(verdict, _) => Some(verdict),
            Decision::Wait(..) | Decision::RequestExactly | Decision::Unavailable => None,
        }
    }

    /// Decides by the state of the key, and sends the pending request, if any.
    fn decide(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Decision {
        let mut decision = self.inner.states.decide(key, cost, rule, now);
        if let Decision::Decided(verdict, _) = &decision {
            self.inner.metrics.decided(By::Lease, verdict);
        }
        if let Decision::Decided(_, pending) | Decision::Wait(_, pending) = &mut decision
            && let Some(pending) = pending.take()
        {
            self.send(key, rule, pending, now);
        }
        decision
    }

    /// Sends a request in a task of its own, so that no caller waits for it. The deadline bounds its
    /// time, and each key has at most one.
    fn send(&self, key: &QuotaKey, rule: &Rule, pending: PendingRequest, now: Duration) {
        let (inner, key, rule) = (Arc::clone(&self.inner), key.clone(), *rule);
        let sending = async move {
            let answer = inner.call(&key, &rule, pending.request).await;
            if let Ok(Answer::Granted(grant)) = &answer {
                inner.charge_share(&key, grant.units, &rule, now);
            }
            inner.states.answered(&key, &rule, &answer, now);
            drop(pending);
        };
        tokio::spawn(sending.in_current_span());
    }

    /// Waits for a lease up to the deadline; `None` when none came.
    async fn wait_for_lease(
        &self,
        key: &QuotaKey,
        cost: u32,
        rule: &Rule,
        now: Duration,
        mut answered: watch::Receiver<()>,
    ) -> Option<Verdict> {
        let began = Instant::now();
        let waiting = async {
            loop {
                // Nothing is ever sent: the end of the sender is the signal.
                drop(answered.changed().await);
                match self.decide(key, cost, rule, now + began.elapsed()) {
                    Decision::Decided(verdict, _) => return Some(verdict),
                    Decision::Wait(next, _) => answered = next,
                    Decision::RequestExactly | Decision::Unavailable => return None,
                }
            }
        };
        tokio::time::timeout(self.inner.deadline, waiting).await.ok().flatten()
    }
}

impl Inner {
    async fn call(&self, key: &QuotaKey, rule: &Rule, request: LeaseRequest) -> Result<Answer, CallError> {
        let name = redis_key(key, rule);
        let terms = self.states.terms(rule);
        let began = Instant::now();
        let answer = self.guarded.call(self.counts.request(&name, rule, terms.as_ref(), request)).await;
        if !matches!(answer, Err(CallError::Open { .. })) {
            self.metrics.redis.called(began.elapsed());
        }
        match &answer {
            Ok(Answer::Granted(grant)) if grant.units >= request.want => self.metrics.granted.inc(),
            Ok(Answer::Granted(_)) => self.metrics.short.inc(),
            Ok(Answer::Refused { .. }) => self.metrics.refused.inc(),
            // The call was not made.
            Err(CallError::Open { .. }) => {}
            Err(error) => {
                tracing::debug!(%error, "Redis did not answer");
                self.metrics.failed.inc();
            }
        }
        self.log_change();
        answer
    }

    /// Logs one line and sets one metric for each change, however many keys there are.
    fn log_change(&self) {
        let is_away = self.guarded.state() != BreakerState::Closed;
        if self.is_away.swap(is_away, Ordering::Relaxed) == is_away {
            return;
        }
        self.metrics.fallback.set(i64::from(is_away));
        let instances = *self.instances.borrow();
        if is_away {
            tracing::warn!(instances, "Redis is away: this instance spends its share of the limits");
        } else {
            tracing::info!("Redis is back: limits are shared again");
        }
    }

    /// Lets Redis decide; `None` when it does not answer within the deadline.
    async fn request_exactly(
        &self,
        key: &QuotaKey,
        cost: u32,
        rule: &Rule,
        now: Duration,
    ) -> Option<Verdict> {
        let request = LeaseRequest { need: cost, want: cost, give_back: 0, mark: 0, debt: 0 };
        let verdict = match self.call(key, rule, request).await.ok()? {
            Answer::Granted(_) => {
                self.charge_share(key, cost, rule, now);
                Verdict::Admit
            }
            Answer::Refused { fits, .. } if cost > limit_of(rule) => {
                Verdict::Refuse { retry_after: Duration::MAX, limit: limit_of(rule), remaining: fits }
            }
            Answer::Refused { retry_after, fits } => {
                let refusal = Refusal::new(limit_of(rule), retry_after, fits, now);
                self.states.refused(key, rule, refusal);
                refusal.verdict(retry_after)
            }
        };
        self.metrics.decided(By::Redis, &verdict);
        Some(verdict)
    }

    fn spend_share(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Verdict {
        let instances = *self.instances.borrow();
        let verdict = self.share.decide(key, cost, &share_of(rule, instances), now);
        if verdict.is_admit() {
            self.states.spent_by_share(key, cost, rule);
        }
        self.metrics.decided(By::Share, &verdict);
        verdict
    }

    /// Charges granted units to the share, or as many as it has.
    fn charge_share(&self, key: &QuotaKey, units: u32, rule: &Rule, now: Duration) {
        let share = share_of(rule, *self.instances.borrow());
        if let Verdict::Refuse { remaining, .. } = self.share.decide(key, units, &share, now) {
            self.share.decide(key, remaining, &share, now);
        }
    }
}

/// Creates the share. Its own metrics are not exported: [`QuotaMetrics`] counts its decisions.
fn share(config: &RedisQuotaConfig) -> LocalQuota {
    let bounds = LocalQuotaConfig { keys_max: config.keys_max, shards: config.shards };
    let metrics = LocalQuotaMetrics::new(&Registry::new()).expect("an empty registry accepts every name");
    LocalQuota::new(&bounds, metrics)
}

#[async_trait]
impl Quota for RedisQuota {
    async fn take(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Verdict {
        if cost == 0 {
            return Verdict::Admit;
        }
        let shared = match self.decide(key, cost, rule, now) {
            Decision::Decided(verdict, _) => return verdict,
            Decision::Wait(answered, _) => self.wait_for_lease(key, cost, rule, now, answered).await,
            Decision::RequestExactly => self.inner.request_exactly(key, cost, rule, now).await,
            Decision::Unavailable => None,
        };
        shared.unwrap_or_else(|| self.inner.spend_share(key, cost, rule, now))
    }

    async fn give_back(&self, key: &QuotaKey, units: u32, rule: &Rule, age: Duration, now: Duration) -> u32 {
        self.inner.share.return_units(key, units, &share_of(rule, *self.inner.instances.borrow()), age, now);
        let Rule::Window(window) = rule else { return 0 };
        let name = redis_key(key, rule);
        let given = self.inner.guarded.call(self.inner.counts.give_back(&name, window, units, age)).await;
        self.inner.log_change();
        given.unwrap_or_else(|error| {
            tracing::debug!(%error, units, "Redis takes no units back now; they stay counted");
            0
        })
    }
}
