//! Metrics of the quotas that this process counts.

use barrage_flow::Verdict;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Prometheus handles for the quotas of this process, registered once per process.
#[derive(Debug, Clone)]
pub struct LocalQuotaMetrics {
    admitted: IntCounter,
    refused: IntCounter,
    pub(crate) forgotten_idle: IntCounter,
    pub(crate) forgotten_live: IntCounter,
    pub(crate) keys: IntGauge,
}

impl LocalQuotaMetrics {
    /// Registers the metrics on `registry`; fails when they are registered there already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let decisions = IntCounterVec::new(
            Opts::new(
                "barrage_flow_quota_decisions_total",
                "Decisions of quotas in this process by verdict.",
            ),
            &["verdict"],
        )?;
        let forgotten = IntCounterVec::new(
            Opts::new(
                "barrage_flow_quota_forgotten_total",
                "Keys forgotten at the maximum number of keys: idle keys lose nothing, live keys lose their count.",
            ),
            &["state"],
        )?;
        let keys = IntGauge::new("barrage_flow_quota_keys", "Keys with a count in this process.")?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(forgotten.clone()))?;
        registry.register(Box::new(keys.clone()))?;
        Ok(LocalQuotaMetrics {
            admitted: decisions.with_label_values(&["admit"]),
            refused: decisions.with_label_values(&["refuse"]),
            forgotten_idle: forgotten.with_label_values(&["idle"]),
            forgotten_live: forgotten.with_label_values(&["live"]),
            keys,
        })
    }

    pub(crate) fn decided(&self, verdict: &Verdict) {
        match verdict {
            Verdict::Admit => self.admitted.inc(),
            Verdict::Refuse { .. } => self.refused.inc(),
        }
    }
}
