//! The Prometheus metrics of webhooks, by receiver.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Upper ends of the buckets of requests, in seconds.
const BUCKETS_S: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// What came of an attempt, as values of the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttemptLabel {
    Delivered,
    Refused,
    Throttled,
    Unanswered,
    Gone,
    Exhausted,
}

impl AttemptLabel {
    const ALL: [AttemptLabel; 6] = [
        AttemptLabel::Delivered,
        AttemptLabel::Refused,
        AttemptLabel::Throttled,
        AttemptLabel::Unanswered,
        AttemptLabel::Gone,
        AttemptLabel::Exhausted,
    ];

    const fn label(self) -> &'static str {
        match self {
            AttemptLabel::Delivered => "delivered",
            AttemptLabel::Refused => "refused",
            AttemptLabel::Throttled => "throttled",
            AttemptLabel::Unanswered => "unanswered",
            AttemptLabel::Gone => "gone",
            AttemptLabel::Exhausted => "exhausted",
        }
    }
}

/// Prometheus handles of webhooks, registered once per process.
#[derive(Debug, Clone)]
pub struct WebhooksMetrics {
    events: IntCounterVec,
    attempts: IntCounterVec,
    dropped: IntCounterVec,
    durations: HistogramVec,
    pending: IntGaugeVec,
    oldest_seconds: IntGaugeVec,
    disabled: IntGaugeVec,
    pub(crate) failures: IntCounter,
}

/// Handles of one receiver.
#[derive(Debug, Clone)]
pub(crate) struct EndpointMetrics {
    pub(crate) events: IntCounter,
    attempts: [IntCounter; AttemptLabel::ALL.len()],
    pub(crate) dropped: IntCounter,
    pub(crate) duration: Histogram,
    pub(crate) pending: IntGauge,
    pub(crate) oldest_seconds: IntGauge,
    pub(crate) disabled: IntGauge,
    pub(crate) failures: IntCounter,
}

impl WebhooksMetrics {
    /// Registers the metrics on `registry`.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauges = |name: &str, help: &str| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &["endpoint"])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let help = "Time of a request to a receiver, up to the end of its answer or its failure.";
        let opts = HistogramOpts::new("barrage_webhooks_request_duration_seconds", help);
        let durations = HistogramVec::new(opts.buckets(BUCKETS_S.to_vec()), &["endpoint"])?;
        registry.register(Box::new(durations.clone()))?;
        let failures = IntCounter::new(
            "barrage_webhooks_failures_total",
            "Calls of the store and the bus for webhooks that failed and were retried.",
        )?;
        registry.register(Box::new(failures.clone()))?;
        Ok(WebhooksMetrics {
            events: counters(
                "barrage_webhooks_events_total",
                "Events stored for a receiver.",
                &["endpoint"],
            )?,
            attempts: counters(
                "barrage_webhooks_attempts_total",
                "Requests to a receiver by outcome. `exhausted` counts events that failed for good.",
                &["endpoint", "outcome"],
            )?,
            dropped: counters(
                "barrage_webhooks_dropped_total",
                "Chat messages that a receiver does not get, because too many events wait for it.",
                &["endpoint"],
            )?,
            durations,
            pending: gauges("barrage_webhooks_pending", "Events that wait for a receiver.")?,
            oldest_seconds: gauges(
                "barrage_webhooks_oldest_pending_seconds",
                "Age of the oldest event that waits for a receiver.",
            )?,
            disabled: gauges(
                "barrage_webhooks_disabled",
                "1 when a receiver is disabled because it answered 410.",
            )?,
            failures,
        })
    }

    pub(crate) fn of(&self, endpoint: &str) -> EndpointMetrics {
        let of = |outcome: AttemptLabel| self.attempts.with_label_values(&[endpoint, outcome.label()]);
        EndpointMetrics {
            events: self.events.with_label_values(&[endpoint]),
            attempts: AttemptLabel::ALL.map(of),
            dropped: self.dropped.with_label_values(&[endpoint]),
            duration: self.durations.with_label_values(&[endpoint]),
            pending: self.pending.with_label_values(&[endpoint]),
            oldest_seconds: self.oldest_seconds.with_label_values(&[endpoint]),
            disabled: self.disabled.with_label_values(&[endpoint]),
            failures: self.failures.clone(),
        }
    }
}

impl EndpointMetrics {
    pub(crate) fn attempt(&self, outcome: AttemptLabel) -> &IntCounter {
        &self.attempts[outcome as usize]
    }
}
