//! The quota's metrics.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::verdict::Verdict;

/// Handles, resolved once.
#[derive(Debug, Clone)]
pub struct FlowMetrics {
    admitted: IntCounter,
    refused: IntCounter,
    pub(crate) forgotten_idle: IntCounter,
    pub(crate) forgotten_live: IntCounter,
    pub(crate) keys: IntGauge,
}

impl FlowMetrics {
    /// Registers on `registry`.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let decisions = IntCounterVec::new(
            Opts::new("barrage_flow_quota_decisions_total", "Quota decisions by verdict."),
            &["verdict"],
        )?;
        let forgotten = IntCounterVec::new(
            Opts::new(
                "barrage_flow_quota_forgotten_total",
                "Keys forgotten at the bound: idle ones lose nothing, live ones a count.",
            ),
            &["state"],
        )?;
        let keys = IntGauge::new("barrage_flow_quota_keys", "Keys with a count.")?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(forgotten.clone()))?;
        registry.register(Box::new(keys.clone()))?;
        Ok(FlowMetrics {
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
