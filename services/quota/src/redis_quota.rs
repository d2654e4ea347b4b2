//! The cluster's engine: counts in Redis, spent here by lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use barrage_flow::metrics::FlowMetrics;
use barrage_flow::{
    Ask, BreakerMetrics, BreakerState, CallError, Guarded, LocalQuota, LocalQuotaConfig, Quota, QuotaKey,
    Rule, Verdict,
};
use prometheus::Registry;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::book::{Book, Errand, Look};
use crate::config::RedisQuotaConfig;
use crate::error::QuotaError;
use crate::keeper::{Answer, Keeper};
use crate::key::redis_key;
use crate::metrics::{By, QuotaMetrics};
use crate::refusal::{Refusal, limit_of};
use crate::share::share_of;

/// Counts in Redis, shared by all instances that name the same one. See the crate.
#[derive(Clone)]
pub struct RedisQuota {
    inner: Arc<Inner>,
}

struct Inner {
    book: Book,
    keeper: Keeper,
    guarded: Arc<Guarded>,
    /// This instance's share of each limit. What Redis grants is charged to it, so that
    /// a call that fails wins nobody a second burst.
    share: LocalQuota,
    /// How many instances share the limits, this one included.
    instances: watch::Receiver<usize>,
    deadline: Duration,
    is_away: AtomicBool,
    metrics: QuotaMetrics,
}

impl RedisQuota {
    /// Connects in the background; Redis may be away. `instances` says among how many a
    /// limit is then divided. Must be called within a Tokio runtime.
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
            book: Book::new(config, &metrics.keys),
            keeper: Keeper::connect(config, deadline)?,
            guarded: Arc::new(Guarded::new("quota", config.breaker.clone(), deadline, breakers)),
            share: share(config),
            instances,
            deadline,
            is_away: AtomicBool::new(false),
            metrics,
        };
        Ok(RedisQuota { inner: Arc::new(inner) })
    }

    /// Its breaker, for the switch that forces it.
    #[must_use]
    pub fn breaker(&self) -> Arc<Guarded> {
        Arc::clone(&self.inner.guarded)
    }

    /// The decision, if it can be made without waiting; an ask for the next batch is
    /// sent off if it is due. Must be called within a Tokio runtime.
    #[must_use]
    pub fn decide_here(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Option<Verdict> {
        match self.look(key, cost, rule, now) {
            Look::Decided(verdict, _) => Some(verdict),
            Look::Wait(..) | Look::AskExactly | Look::Away => None,
        }
    }

    /// Looks, and sends off what errand there is.
    fn look(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Look {
        let mut look = self.inner.book.look(key, cost, rule, now);
        if let Look::Decided(verdict, _) = &look {
            self.inner.metrics.decided(By::Lease, verdict);
        }
        if let Look::Decided(_, errand) | Look::Wait(_, errand) = &mut look
            && let Some(errand) = errand.take()
        {
            self.send(key, rule, errand, now);
        }
        look
    }

    /// Off the request's path. Its time is bounded by the deadline, and there is one per
    /// key at most.
    fn send(&self, key: &QuotaKey, rule: &Rule, errand: Errand, now: Duration) {
        let (inner, key, rule) = (Arc::clone(&self.inner), key.clone(), *rule);
        tokio::spawn(async move {
            let answer = inner.call(&key, &rule, errand.ask).await;
            if let Ok(Answer::Granted(grant)) = &answer {
                inner.charge_share(&key, grant.units, &rule, now);
            }
            inner.book.answered(&key, &rule, &answer, now);
            drop(errand);
        });
    }

    /// `None`: no lease came within the deadline.
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
                // Nothing is ever sent: its end is the news.
                drop(answered.changed().await);
                match self.look(key, cost, rule, now + began.elapsed()) {
                    Look::Decided(verdict, _) => return Some(verdict),
                    Look::Wait(next, _) => answered = next,
                    Look::AskExactly | Look::Away => return None,
                }
            }
        };
        tokio::time::timeout(self.inner.deadline, waiting).await.ok().flatten()
    }
}

impl Inner {
    async fn call(&self, key: &QuotaKey, rule: &Rule, ask: Ask) -> Result<Answer, CallError> {
        let name = redis_key(key, rule);
        let terms = self.book.terms(rule);
        let answer = self.guarded.call(self.keeper.ask(&name, rule, terms.as_ref(), ask)).await;
        match &answer {
            Ok(Answer::Granted(grant)) if grant.units >= ask.want => self.metrics.granted.inc(),
            Ok(Answer::Granted(_)) => self.metrics.short.inc(),
            Ok(Answer::Refused { .. }) => self.metrics.refused.inc(),
            // It was not made.
            Err(CallError::Open { .. }) => {}
            Err(error) => {
                tracing::debug!(%error, "Redis did not answer");
                self.metrics.failed.inc();
            }
        }
        self.tell_change();
        answer
    }

    /// One line and one metric per change, however many keys there are.
    fn tell_change(&self) {
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

    /// Waits for Redis as long as its breaker does; `None` if it does not answer.
    async fn ask_exactly(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Option<Verdict> {
        let ask = Ask { need: cost, want: cost, give_back: 0, mark: 0, debt: 0 };
        let verdict = match self.call(key, rule, ask).await.ok()? {
            Answer::Granted(_) => {
                self.charge_share(key, cost, rule, now);
                Verdict::Admit
            }
            Answer::Refused { fits, .. } if cost > limit_of(rule) => {
                Verdict::Refuse { retry_after: Duration::MAX, limit: limit_of(rule), remaining: fits }
            }
            Answer::Refused { retry_after, fits } => {
                let refusal = Refusal::new(limit_of(rule), retry_after, fits, now);
                self.book.refused(key, rule, refusal);
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
            self.book.spent_by_share(key, cost, rule);
        }
        self.metrics.decided(By::Share, &verdict);
        verdict
    }

    /// All of it, or what there is.
    fn charge_share(&self, key: &QuotaKey, units: u32, rule: &Rule, now: Duration) {
        let share = share_of(rule, *self.instances.borrow());
        if let Verdict::Refuse { remaining, .. } = self.share.decide(key, units, &share, now) {
            self.share.decide(key, remaining, &share, now);
        }
    }
}

/// Its own metrics are nobody's: what it decides is counted here.
fn share(config: &RedisQuotaConfig) -> LocalQuota {
    let bounds = LocalQuotaConfig { keys_max: config.keys_max, shards: config.shards };
    let metrics = FlowMetrics::new(&Registry::new()).expect("a new registry takes every name");
    LocalQuota::new(&bounds, metrics)
}

#[async_trait]
impl Quota for RedisQuota {
    async fn take(&self, key: &QuotaKey, cost: u32, rule: &Rule, now: Duration) -> Verdict {
        if cost == 0 {
            return Verdict::Admit;
        }
        let shared = match self.look(key, cost, rule, now) {
            Look::Decided(verdict, _) => return verdict,
            Look::Wait(answered, _) => self.wait_for_lease(key, cost, rule, now, answered).await,
            Look::AskExactly => self.inner.ask_exactly(key, cost, rule, now).await,
            Look::Away => None,
        };
        shared.unwrap_or_else(|| self.inner.spend_share(key, cost, rule, now))
    }
}
