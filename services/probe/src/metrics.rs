//! Prometheus metrics of the probe: outcomes and latency.

use prometheus::{Histogram, HistogramOpts, IntCounter, Registry};

/// Handles of the probe's metrics, registered once per process.
#[derive(Debug, Clone)]
pub struct ProbeMetrics {
    pub(crate) succeeded: IntCounter,
    pub(crate) failed: IntCounter,
    pub(crate) seconds: Histogram,
}

impl ProbeMetrics {
    /// Registers all metrics on `registry`; fails when one is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let succeeded = IntCounter::new("barrage_probe_succeeded_total", "Probe messages that were shown.")?;
        let failed = IntCounter::new("barrage_probe_failed_total", "Probes that failed.")?;
        let seconds = Histogram::with_opts(
            HistogramOpts::new("barrage_probe_seconds", "From send to shown.")
                .buckets(prometheus::exponential_buckets(0.001, 2.0, 14)?),
        )?;
        registry.register(Box::new(succeeded.clone()))?;
        registry.register(Box::new(failed.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(ProbeMetrics { succeeded, failed, seconds })
    }
}
