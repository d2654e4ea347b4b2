//! The Prometheus metrics of notifications, by service.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Upper ends of the buckets of requests, in seconds.
const BUCKETS_S: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What came of a request, as values of the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The service has taken the notification.
    Taken,
    /// The token was of no use any more, and the device is forgotten.
    Gone,
    /// The service, or its breaker, takes nothing now.
    Later,
    /// No answer came within the deadline.
    Unanswered,
    /// The service refuses this notification.
    Refused,
    /// The service refuses this sender.
    Misconfigured,
}

/// What became of a row of the queue, as values of the label `fate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Each device that was to get it has it, or is of no use any more.
    Sent,
    /// The user has read it, wants no notification, or sees it on a visible device.
    Dropped,
    /// It waits for another attempt.
    Again,
    /// No attempt is left.
    Exhausted,
}

impl Outcome {
    const ALL: [(Outcome, &'static str); 6] = [
        (Outcome::Taken, "taken"),
        (Outcome::Gone, "gone"),
        (Outcome::Later, "later"),
        (Outcome::Unanswered, "unanswered"),
        (Outcome::Refused, "refused"),
        (Outcome::Misconfigured, "misconfigured"),
    ];
}

impl Fate {
    const ALL: [(Fate, &'static str); 4] = [
        (Fate::Sent, "sent"),
        (Fate::Dropped, "dropped"),
        (Fate::Again, "again"),
        (Fate::Exhausted, "exhausted"),
    ];
}

/// Prometheus handles of notifications, registered once per process.
#[derive(Debug, Clone)]
pub struct NotifierMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    misconfigured: IntGaugeVec,
    rows: [IntCounter; Fate::ALL.len()],
    pub(crate) waiting: IntGauge,
    pub(crate) late_seconds: IntGauge,
    pub(crate) live_told: IntCounter,
    pub(crate) badges_lowered: IntCounter,
    pub(crate) failures: IntCounter,
    pub(crate) forgotten: IntCounter,
}

/// Handles of one service.
#[derive(Debug, Clone)]
pub(crate) struct ServiceMetrics {
    requests: [IntCounter; Outcome::ALL.len()],
    pub(crate) duration: Histogram,
    pub(crate) misconfigured: IntGauge,
}

impl NotifierMetrics {
    /// Registers the metrics on `registry`.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let help = "Time of a request to a push service, up to the end of its answer or its failure.";
        let opts = HistogramOpts::new("barrage_push_request_duration_seconds", help);
        let durations = HistogramVec::new(opts.buckets(BUCKETS_S.to_vec()), &["service"])?;
        registry.register(Box::new(durations.clone()))?;
        let misconfigured = Opts::new(
            "barrage_push_misconfigured",
            "1 while a push service refuses this sender: a key, a topic or the clock is wrong.",
        );
        let misconfigured = IntGaugeVec::new(misconfigured, &["service"])?;
        registry.register(Box::new(misconfigured.clone()))?;
        let help = "Notifications that were looked at, by what became of them.";
        let rows = counters("barrage_push_notifications_total", help, &["fate"])?;
        Ok(NotifierMetrics {
            requests: counters(
                "barrage_push_requests_total",
                "Requests to a push service by outcome; those that a breaker holds back count as `later`.",
                &["service", "outcome"],
            )?,
            durations,
            misconfigured,
            rows: Fate::ALL.map(|(_, label)| rows.with_label_values(&[label])),
            waiting: gauge("barrage_push_waiting", "Notifications in the queue, counted up to 100,000.")?,
            late_seconds: gauge(
                "barrage_push_late_seconds",
                "Time for which the oldest notification of the queue is due.",
            )?,
            live_told: counter(
                "barrage_push_live_followers_total",
                "Followers with a device to whom a host who is live was announced.",
            )?,
            badges_lowered: counter(
                "barrage_push_badges_lowered_total",
                "Badges that were lowered without a sound, after their user had read on another device.",
            )?,
            failures: counter(
                "barrage_push_failures_total",
                "Calls of the inbox for notifications that failed and were retried.",
            )?,
            forgotten: counter(
                "barrage_push_devices_forgotten_total",
                "Devices that were forgotten: their service says so, or they did not register for long.",
            )?,
        })
    }

    pub(crate) fn of(&self, service: &str) -> ServiceMetrics {
        ServiceMetrics {
            requests: Outcome::ALL.map(|(_, outcome)| self.requests.with_label_values(&[service, outcome])),
            duration: self.durations.with_label_values(&[service]),
            misconfigured: self.misconfigured.with_label_values(&[service]),
        }
    }

    pub(crate) fn row(&self, fate: Fate) {
        self.rows[fate as usize].inc();
    }
}

impl ServiceMetrics {
    pub(crate) fn count(&self, outcome: Outcome) {
        self.requests[outcome as usize].inc();
    }
}
