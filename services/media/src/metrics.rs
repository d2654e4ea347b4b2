//! The Prometheus metrics of media: uploads, bytes, checks and deliveries.

use barrage_moderation::MediaJudgement;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Upper ends of the buckets of check times, in seconds.
const CHECK_BUCKETS_S: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($variant:ident $label:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($variant,)+ }

        impl $name {
            const ALL: &'static [$name] = &[$($name::$variant,)+];

            const fn label(self) -> &'static str {
                match self { $($name::$variant => $label,)+ }
            }
        }
    };
}

labels! {
    /// What became of a request for a new upload.
    Created {
        Whole "whole",
        Part "part",
        Joined "joined",
        Known "known",
        Refused "refused",
    }
}

labels! {
    /// How a request that added bytes ended.
    StreamEnd {
        Complete "complete",
        Cut "cut",
        Overtaken "overtaken",
        TooSlow "too_slow",
        Mismatch "mismatch",
        Draining "draining",
        Failed "failed",
    }
}

labels! {
    /// Result of a check.
    CheckEnd {
        Ready "ready",
        Waits "waits",
        Refused "refused",
        Limit "limit",
        Denied "denied",
        Failed "failed",
    }
}

labels! {
    /// Answer of the hook about a medium.
    HookAnswer {
        Allow "allow",
        Review "review",
        Deny "deny",
        Away "away",
    }
}

labels! {
    /// What became of a medium in the collection.
    Collected {
        Unused "unused",
        Removed "removed",
        Spared "spared",
        Failed "failed",
    }
}

labels! {
    /// How a request for a medium was answered.
    Delivery {
        Whole "whole",
        Range "range",
        NotModified "not_modified",
        Refused "refused",
        Missing "missing",
    }
}

/// Prometheus handles of media, registered once per process.
#[derive(Debug, Clone)]
pub(crate) struct MediaMetrics {
    uploads: IntCounterVec,
    streams: IntCounterVec,
    checks: IntCounterVec,
    deliveries: IntCounterVec,
    collected: IntCounterVec,
    hook_answers: IntCounterVec,
    pub(crate) received_bytes: IntCounter,
    pub(crate) sent_bytes: IntCounter,
    pub(crate) check_seconds: Histogram,
    pub(crate) checks_waiting: IntGauge,
    pub(crate) reviews_waiting: IntGauge,
    pub(crate) spool_uploads: IntGauge,
    pub(crate) spool_bytes: IntGauge,
}

impl MediaMetrics {
    /// Registers the metrics. Every label value exists from the start.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let vec = |name: &str, help: &str, label: &str, values: Vec<&'static str>| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            values.iter().for_each(|value| drop(counters.with_label_values(&[*value])));
            registry.register(Box::new(counters.clone()))?;
            prometheus::Result::Ok(counters)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            prometheus::Result::Ok(gauge)
        };
        let check_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "barrage_media_check_duration_seconds",
                "Time of one check of an upload, by the clock.",
            )
            .buckets(CHECK_BUCKETS_S.to_vec()),
        )?;
        registry.register(Box::new(check_seconds.clone()))?;
        Ok(MediaMetrics {
            uploads: vec(
                "barrage_media_uploads_total",
                "Requests for a new upload, by kind of upload or refusal.",
                "outcome",
                Created::ALL.iter().map(|it| it.label()).collect(),
            )?,
            streams: vec(
                "barrage_media_upload_requests_total",
                "Requests that added bytes to an upload, by how they ended.",
                "end",
                StreamEnd::ALL.iter().map(|it| it.label()).collect(),
            )?,
            checks: vec(
                "barrage_media_checks_total",
                "Checks of uploads, by their result. `limit`: the check exceeded its memory or time. \
                 `waits`: the hook or a moderator decides, and counts it once more.",
                "result",
                CheckEnd::ALL.iter().map(|it| it.label()).collect(),
            )?,
            deliveries: vec(
                "barrage_media_deliveries_total",
                "Requests for media, by their answer.",
                "answer",
                Delivery::ALL.iter().map(|it| it.label()).collect(),
            )?,
            collected: vec(
                "barrage_media_collected_total",
                "Media that were looked at for removal, by the end. `spared`: a use came in between.",
                "end",
                Collected::ALL.iter().map(|it| it.label()).collect(),
            )?,
            hook_answers: vec(
                "barrage_media_hook_answers_total",
                "Questions to the hook about media, by the answer. `away`: none came, and the fallback decides.",
                "answer",
                HookAnswer::ALL.iter().map(|it| it.label()).collect(),
            )?,
            received_bytes: counter(
                "barrage_media_received_bytes_total",
                "Bytes of uploads that were written to the spool.",
            )?,
            sent_bytes: counter(
                "barrage_media_sent_bytes_total",
                "Bytes of media that were handed to connections.",
            )?,
            check_seconds,
            checks_waiting: gauge(
                "barrage_media_checks_waiting",
                "Uploads that wait for their check or are in it.",
            )?,
            reviews_waiting: gauge(
                "barrage_media_reviews_waiting",
                "Uploads of this process that wait for the hook or a moderator.",
            )?,
            spool_uploads: gauge("barrage_media_spool_uploads", "Uploads that this process knows.")?,
            spool_bytes: gauge(
                "barrage_media_spool_bytes",
                "Bytes of unfinished and unchecked uploads on the disk.",
            )?,
        })
    }

    pub(crate) fn created(&self, outcome: Created) {
        self.uploads.with_label_values(&[outcome.label()]).inc();
    }

    pub(crate) fn streamed(&self, end: StreamEnd) {
        self.streams.with_label_values(&[end.label()]).inc();
    }

    pub(crate) fn checked(&self, end: CheckEnd) {
        self.checks.with_label_values(&[end.label()]).inc();
    }

    pub(crate) fn collected(&self, end: Collected) {
        self.collected.with_label_values(&[end.label()]).inc();
    }

    pub(crate) fn judged(&self, judgement: &MediaJudgement) {
        let answer = match judgement {
            MediaJudgement::Allow => HookAnswer::Allow,
            MediaJudgement::Review { .. } => HookAnswer::Review,
            MediaJudgement::Deny { .. } => HookAnswer::Deny,
            MediaJudgement::Away { .. } => HookAnswer::Away,
        };
        self.hook_answers.with_label_values(&[answer.label()]).inc();
    }

    pub(crate) fn delivered(&self, delivery: Delivery) {
        self.deliveries.with_label_values(&[delivery.label()]).inc();
    }
}
