//! Metrics of the shared quota: decisions by place, and calls to Redis.

use std::time::Duration;

use barrage_flow::Verdict;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Upper ends of the buckets of calls, in seconds. The deadline of a limit's call is 0.5 s at most, that
/// of an exchange of viewers 1 s.
const CALL_BUCKETS_S: [f64; 11] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

/// Time of the calls to Redis of one process, for limits and for the viewers of all gateways.
#[derive(Debug, Clone)]
pub struct RedisMetrics {
    call_duration: Histogram,
}

impl RedisMetrics {
    /// Registers the metric on `registry`; fails when it is registered there already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let call_duration = Histogram::with_opts(
            HistogramOpts::new(
                "barrage_quota_redis_call_duration_seconds",
                "Time of a call to Redis until its answer, its failure or its deadline.",
            )
            .buckets(CALL_BUCKETS_S.to_vec()),
        )?;
        registry.register(Box::new(call_duration.clone()))?;
        Ok(RedisMetrics { call_duration })
    }

    pub(crate) fn called(&self, took: Duration) {
        self.call_duration.observe(took.as_secs_f64());
    }
}

/// Prometheus handles of the shared quota, registered once per process.
#[derive(Debug, Clone)]
pub struct QuotaMetrics {
    by_lease: [IntCounter; 2],
    by_redis: [IntCounter; 2],
    by_share: [IntCounter; 2],
    pub(crate) granted: IntCounter,
    pub(crate) short: IntCounter,
    pub(crate) refused: IntCounter,
    pub(crate) failed: IntCounter,
    pub(crate) redis: RedisMetrics,
    /// 1 while Redis does not answer and this instance spends its share of the limits.
    pub(crate) fallback: IntGauge,
    pub(crate) keys: IntGauge,
}

/// Place at which a decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// On this instance: by units of a lease, or by a refusal that still holds.
    Lease,
    /// In Redis, for a limit too small to lease.
    Redis,
    /// On this instance, by its share of the limit: Redis did not answer.
    Share,
}

impl QuotaMetrics {
    /// Registers the metrics on `registry`; fails when they are registered there already. `redis` times
    /// the calls.
    pub fn new(registry: &Registry, redis: RedisMetrics) -> Result<Self, prometheus::Error> {
        let decisions = Opts::new(
            "barrage_quota_decisions_total",
            "Decisions on shared limits by place (lease, redis, share) and verdict.",
        );
        let decisions = IntCounterVec::new(decisions, &["by", "verdict"])?;
        let calls = Opts::new(
            "barrage_quota_redis_calls_total",
            "Calls to Redis by outcome: granted in full, granted short, refused, failed or late.",
        );
        let calls = IntCounterVec::new(calls, &["outcome"])?;
        let fallback = IntGauge::new(
            "barrage_quota_fallback",
            "1 while Redis does not answer and each instance spends its share of the limits.",
        )?;
        let keys = IntGauge::new("barrage_quota_keys", "Keys with a lease or a remembered refusal.")?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(calls.clone()))?;
        registry.register(Box::new(fallback.clone()))?;
        registry.register(Box::new(keys.clone()))?;
        let by = |by| ["admit", "refuse"].map(|verdict| decisions.with_label_values(&[by, verdict]));
        Ok(QuotaMetrics {
            by_lease: by("lease"),
            by_redis: by("redis"),
            by_share: by("share"),
            granted: calls.with_label_values(&["granted"]),
            short: calls.with_label_values(&["short"]),
            refused: calls.with_label_values(&["refused"]),
            failed: calls.with_label_values(&["failed"]),
            redis,
            fallback,
            keys,
        })
    }

    pub(crate) fn decided(&self, by: By, verdict: &Verdict) {
        let counters = match by {
            By::Lease => &self.by_lease,
            By::Redis => &self.by_redis,
            By::Share => &self.by_share,
        };
        counters[usize::from(!verdict.is_admit())].inc();
    }
}
