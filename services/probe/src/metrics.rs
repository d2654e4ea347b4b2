//! Prometheus metrics of the probe, in the manner of blackbox_exporter.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::attempt::Times;
use crate::phase::{Failure, Phase};

/// Maximum number of gateways with a series of their own; the others share one.
pub(crate) const GATEWAYS_MAX: usize = 256;

/// Handles of the probe's metrics, registered once per process.
#[derive(Debug, Clone)]
pub struct ProbeMetrics {
    attempts: IntCounterVec,
    failures: IntCounterVec,
    phases: HistogramVec,
    end_to_end: Histogram,
    pub(crate) gateway_up: IntGaugeVec,
    pub(crate) gateways: IntGauge,
    pub(crate) site_up: IntGaugeVec,
    pub(crate) site_delay_ms: IntGaugeVec,
}

impl ProbeMetrics {
    /// Registers all metrics on `registry`.
    ///
    /// # Errors
    /// When one is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        // 2 ms to 8 s.
        let buckets = prometheus::exponential_buckets(0.002, 2.0, 13)?;
        let histogram = |name: &str, help: &str| HistogramOpts::new(name, help).buckets(buckets.clone());
        let metrics = ProbeMetrics {
            attempts: IntCounterVec::new(
                Opts::new("barrage_probe_attempts_total", "Examinations, by outcome."),
                &["outcome"],
            )?,
            failures: IntCounterVec::new(
                Opts::new("barrage_probe_failures_total", "Failed examinations, by the phase that failed."),
                &["phase"],
            )?,
            phases: HistogramVec::new(
                histogram("barrage_probe_phase_seconds", "Time of each phase that succeeded."),
                &["phase"],
            )?,
            end_to_end: Histogram::with_opts(histogram(
                "barrage_probe_end_to_end_seconds",
                "Time from the start of a post to the message at the viewer.",
            ))?,
            gateway_up: IntGaugeVec::new(
                Opts::new(
                    "barrage_probe_gateway_up",
                    "1 while the gateway delivers, 0 after probe.failures_max failures in a row.",
                ),
                &["gateway"],
            )?,
            gateways: IntGauge::new("barrage_probe_gateways", "Gateways that the probe knows.")?,
            site_up: IntGaugeVec::new(
                Opts::new(
                    "barrage_probe_site_up",
                    "1 while messages go from one site to the other, 0 after probe.failures_max failures.",
                ),
                &["from", "to"],
            )?,
            site_delay_ms: IntGaugeVec::new(
                Opts::new(
                    "barrage_probe_site_delay_milliseconds",
                    "Time of the newest message from one site to the other.",
                ),
                &["from", "to"],
            )?,
        };
        for phase in Phase::ALL {
            metrics.failures.with_label_values(&[phase.label()]);
        }
        for outcome in ["success", "failure"] {
            metrics.attempts.with_label_values(&[outcome]);
        }
        registry.register(Box::new(metrics.attempts.clone()))?;
        registry.register(Box::new(metrics.failures.clone()))?;
        registry.register(Box::new(metrics.phases.clone()))?;
        registry.register(Box::new(metrics.end_to_end.clone()))?;
        registry.register(Box::new(metrics.gateway_up.clone()))?;
        registry.register(Box::new(metrics.gateways.clone()))?;
        registry.register(Box::new(metrics.site_up.clone()))?;
        registry.register(Box::new(metrics.site_delay_ms.clone()))?;
        Ok(metrics)
    }

    /// Counts one examination, or a question to entry.
    pub(crate) fn attempted(&self, times: &Times, result: &Result<(), Failure>) {
        let outcome = if result.is_ok() { "success" } else { "failure" };
        self.attempts.with_label_values(&[outcome]).inc();
        if let Err(failure) = result {
            self.failures.with_label_values(&[failure.phase.label()]).inc();
        }
        let phases = [
            (Phase::Connect, times.connect),
            (Phase::Join, times.join),
            (Phase::Post, times.post),
            (Phase::Deliver, times.deliver),
        ];
        for (phase, time) in phases {
            if let Some(time) = time {
                self.phase(phase, time);
            }
        }
        if let Some(time) = times.end_to_end {
            self.end_to_end.observe(time.as_secs_f64());
        }
    }

    pub(crate) fn phase(&self, phase: Phase, time: Duration) {
        self.phases.with_label_values(&[phase.label()]).observe(time.as_secs_f64());
    }
}
