//! The Prometheus metrics of the courier: events by outcome, batches, lag and failures.

use barrage_inbox::Outcome;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

/// Upper bounds of a batch's time, in seconds.
const SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
/// Labels of the outcomes, in the order of counting.
const OUTCOMES: [&str; 5] = ["sent", "duplicate", "done", "unchanged", "refused"];

/// Prometheus handles of the courier, registered once per process.
#[derive(Debug, Clone)]
pub struct CourierMetrics {
    events: IntCounterVec,
    lag_seconds: GaugeVec,
    pub(crate) batch_seconds: Histogram,
    pub(crate) fenced: IntCounter,
    pub(crate) unreadable: IntCounter,
    pub(crate) store_failures: IntCounter,
    pub(crate) lane_failures: IntCounter,
    pub(crate) envelopes: IntCounter,
    pub(crate) mail_frames: IntCounter,
    pub(crate) mail_bytes: IntCounter,
    pub(crate) mail_lost: IntCounter,
    pub(crate) attaches_ignored: IntCounter,
    pub(crate) attached: IntGauge,
    pub(crate) rows: IntCounter,
    pub(crate) trimmed: IntCounter,
    pub(crate) recounted: IntCounter,
    pub(crate) unread_errors: IntCounter,
}

impl CourierMetrics {
    /// Registers the metrics on `registry`; fails when it has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name, help| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let events = IntCounterVec::new(
            Opts::new("barrage_courier_events_total", "Inbox events taken, by outcome."),
            &["outcome"],
        )?;
        let batch_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "barrage_courier_batch_duration_seconds",
                "Time of one transaction of the inbox with its reads.",
            )
            .buckets(SECONDS.to_vec()),
        )?;
        let lag_seconds = GaugeVec::new(
            Opts::new(
                "barrage_courier_lag_seconds",
                "Age of the oldest event of a lane that this courier has seen and the inbox has not, in seconds.",
            ),
            &["lane"],
        )?;
        registry.register(Box::new(lag_seconds.clone()))?;
        registry.register(Box::new(events.clone()))?;
        registry.register(Box::new(batch_seconds.clone()))?;
        for outcome in OUTCOMES {
            events.with_label_values(&[outcome]).inc_by(0);
        }
        let attached = IntGauge::new(
            "barrage_courier_attached_users",
            "Users who are attached to gateways, and devices in their hands, as the courier knows them.",
        )?;
        registry.register(Box::new(attached.clone()))?;
        Ok(CourierMetrics {
            attached,
            envelopes: counter(
                "barrage_courier_mail_envelopes_total",
                "Envelopes of mail sent to gateways, empty ones included.",
            )?,
            mail_frames: counter(
                "barrage_courier_mail_frames_total",
                "Frames of mail sent to gateways, one for each user.",
            )?,
            mail_bytes: counter(
                "barrage_courier_mail_bytes_total",
                "Bytes of mail sent to gateways: frames and their recipients.",
            )?,
            mail_lost: counter(
                "barrage_courier_mail_lost_total",
                "Batches whose changes were not told live; users synchronise instead.",
            )?,
            attaches_ignored: counter(
                "barrage_courier_attaches_ignored_total",
                "Attached users whom the courier does not know, because there are too many.",
            )?,
            events,
            lag_seconds,
            batch_seconds,
            fenced: counter(
                "barrage_courier_fenced_total",
                "Batches without an effect, because another courier had moved the lane on.",
            )?,
            unreadable: counter(
                "barrage_courier_unreadable_total",
                "Events of a lane that could not be read and were skipped.",
            )?,
            store_failures: counter(
                "barrage_courier_store_failures_total",
                "Calls of the inbox's database that failed and were retried.",
            )?,
            rows: counter(
                "barrage_courier_rows_total",
                "Rows that the events of the lanes wrote into the tables of the inbox, without the lanes' positions.",
            )?,
            trimmed: counter(
                "barrage_inbox_items_removed_total",
                "Items that were removed because they were older than the configuration keeps them.",
            )?,
            recounted: counter("barrage_inbox_recounts_total", "Users whose unread numbers were recounted.")?,
            unread_errors: counter(
                "barrage_inbox_unread_error_total",
                "Unread numbers that differed from a recount of the items: 0, or somebody must act.",
            )?,
            lane_failures: counter(
                "barrage_courier_lane_failures_total",
                "Reads of a lane that failed and were retried.",
            )?,
        })
    }

    /// Returns the gauge of a lane's lag.
    pub(crate) fn lag_of(&self, lane: u16) -> Gauge {
        self.lag_seconds.with_label_values(&[&lane.to_string()])
    }

    /// Counts the outcomes of a batch.
    pub(crate) fn count(&self, outcomes: &[Outcome]) {
        let mut counts = [0_u64; OUTCOMES.len()];
        for outcome in outcomes {
            let place = match outcome {
                Outcome::Sent(..) => 0,
                Outcome::Duplicate(..) => 1,
                Outcome::Done => 2,
                Outcome::Unchanged => 3,
                Outcome::Refused(_) => 4,
            };
            counts[place] += 1;
        }
        for (label, count) in OUTCOMES.iter().zip(counts) {
            self.events.with_label_values(&[label]).inc_by(count);
        }
    }
}
