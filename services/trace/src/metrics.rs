//! Prometheus metrics of traces.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Prometheus handles, registered once per process.
#[derive(Debug, Clone)]
pub struct TraceMetrics {
    pub(crate) exported: IntCounter,
    pub(crate) dropped: IntCounter,
    pub(crate) failed: IntCounter,
    pub(crate) capped: IntCounter,
}

impl TraceMetrics {
    /// Registers the metrics on `registry`.
    ///
    /// # Errors
    /// When they are registered there already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let spans = IntCounterVec::new(
            Opts::new(
                "barrage_trace_spans_total",
                "Finished spans: exported, dropped at the full queue, or failed at the collector.",
            ),
            &["outcome"],
        )?;
        let capped = IntCounter::new(
            "barrage_trace_capped_total",
            "Posts that were within their share and beyond the cap, so that they were not traced.",
        )?;
        registry.register(Box::new(spans.clone()))?;
        registry.register(Box::new(capped.clone()))?;
        let of = |outcome| spans.with_label_values(&[outcome]);
        Ok(TraceMetrics { exported: of("exported"), dropped: of("dropped"), failed: of("failed"), capped })
    }
}
