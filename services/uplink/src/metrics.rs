//! The Prometheus metrics of an uplink: outcomes, refusals and durations of posts.

use barrage_protocol::post::Outcome;
use barrage_protocol::{Class, Code};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

use crate::limits_config::RULES;

/// Prometheus handles of an uplink, registered once per process.
#[derive(Debug, Clone)]
pub struct UplinkMetrics {
    outcomes: IntCounterVec,
    refusals: IntCounterVec,
    pub(crate) duration: Histogram,
    pub(crate) shadowed: IntCounterVec,
    pub(crate) audit_lost: IntCounter,
}

impl UplinkMetrics {
    /// Registers the metrics on `registry`. Every label value exists from the start, so that the
    /// first increase is visible.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let outcomes = IntCounterVec::new(
            Opts::new("barrage_uplink_posts_total", "Posts answered, by class and outcome."),
            &["class", "outcome"],
        )?;
        let refusals = IntCounterVec::new(
            Opts::new("barrage_uplink_refusals_total", "Requests refused, by code."),
            &["code"],
        )?;
        let duration = Histogram::with_opts(
            HistogramOpts::new(
                "barrage_uplink_request_duration_seconds",
                "Time from the header of a post to its answer.",
            )
            .buckets(prometheus::exponential_buckets(0.000_25, 2.0, 16)?),
        )?;
        let shadowed = IntCounterVec::new(
            Opts::new(
                "barrage_uplink_shadow_total",
                "Posts that rules in shadow mode would have refused or held.",
            ),
            &["rule"],
        )?;
        let audit_lost = IntCounter::new(
            "barrage_uplink_audit_lost_total",
            "Lines of the audit log that were lost because its queue was full.",
        )?;
        for class in [Class::Gift, Class::Chat, Class::Pulse] {
            for outcome in [Outcome::Broadcast, Outcome::Held, Outcome::Duplicate] {
                outcomes.with_label_values(&[class.label(), outcome.label()]);
            }
        }
        for code in Code::ALL {
            refusals.with_label_values(&[code.label()]);
        }
        for rule in RULES {
            shadowed.with_label_values(&[rule]);
        }
        registry.register(Box::new(shadowed.clone()))?;
        registry.register(Box::new(audit_lost.clone()))?;
        registry.register(Box::new(outcomes.clone()))?;
        registry.register(Box::new(refusals.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(UplinkMetrics { outcomes, refusals, duration, shadowed, audit_lost })
    }

    pub(crate) fn answered(&self, class: Class, outcome: Outcome) {
        self.outcomes.with_label_values(&[class.label(), outcome.label()]).inc();
    }

    pub(crate) fn refused(&self, code: Code) {
        self.refusals.with_label_values(&[code.label()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_exist_at_zero_from_the_start() {
        let registry = Registry::new();
        UplinkMetrics::new(&registry).unwrap();
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            r#"barrage_uplink_refusals_total{code="muted"} 0"#,
            r#"barrage_uplink_posts_total{class="gift",outcome="held"} 0"#,
            r#"barrage_uplink_shadow_total{rule="slow_mode"} 0"#,
            "barrage_uplink_audit_lost_total 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}");
        }
    }
}
