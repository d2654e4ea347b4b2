//! The shared quota's metrics.

use barrage_flow::Verdict;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Handles, resolved once.
#[derive(Debug, Clone)]
pub struct QuotaMetrics {
    by_lease: [IntCounter; 2],
    by_redis: [IntCounter; 2],
    by_share: [IntCounter; 2],
    pub(crate) granted: IntCounter,
    pub(crate) short: IntCounter,
    pub(crate) refused: IntCounter,
    pub(crate) failed: IntCounter,
    /// 1 while Redis is away and this instance spends its share of the limits.
    pub(crate) fallback: IntGauge,
    pub(crate) keys: IntGauge,
}

/// Where a decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Here: units of a lease, or a refusal that still holds.
    Lease,
    /// By Redis, for a limit too small to lease.
    Redis,
    /// By this instance's share: Redis did not answer.
    Share,
}

impl QuotaMetrics {
    /// Registers on `registry`.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let decisions = Opts::new("barrage_quota_decisions_total", "Decisions on shared limits.");
        let decisions = IntCounterVec::new(decisions, &["by", "verdict"])?;
        let calls = Opts::new(
            "barrage_quota_redis_calls_total",
            "Calls to Redis: granted in full, granted short, refused, failed (or late, or not made).",
        );
        let calls = IntCounterVec::new(calls, &["outcome"])?;
        let fallback =
            IntGauge::new("barrage_quota_fallback", "1 while Redis is away and shares are spent.")?;
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

    /// Calls that Redis was to answer so far, whatever became of them.
    #[must_use]
    pub fn redis_calls(&self) -> u64 {
        self.granted.get() + self.short.get() + self.refused.get() + self.failed.get()
    }
}
