//! Sums over the run so far, and the metrics of them.

use std::sync::Arc;

use barrage_exposition::Format;
use parking_lot::Mutex;

use super::family::{Family, Series, text};
use crate::measure::interval::Interval;

/// Upper ends of the buckets of latencies, in microseconds.
const BUCKETS_US: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];
/// Values of the label `kind`, in the order of [`latencies`].
const KINDS: [&str; 7] = ["chat", "gift", "post", "join", "reconnect", "history", "timer"];

/// Sums that the run adds to once a second, and the listener reads.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Mutex<Totals>>);

impl Live {
    /// Adds a second of the run, at whose end `wanted` viewers are intended.
    pub fn add(&self, wanted: f64, second: &Interval) {
        self.0.lock().add(wanted, second);
    }

    /// Returns all metrics with their series.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        self.0.lock().families()
    }

    /// Returns all metrics as text in a format.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        text(&self.families(), format)
    }
}

/// Viewers of the newest second, and sums over all seconds.
#[derive(Debug, Default)]
pub struct Totals {
    wanted: f64,
    viewers: u64,
    waiting: u64,
    counted: Interval,
    latencies: [Histogram; KINDS.len()],
}

/// Counts of latencies below each bucket's end, over the whole run.
#[derive(Debug, Default)]
struct Histogram {
    below: [u64; BUCKETS_US.len()],
    count: u64,
    sum_secs: f64,
}

impl Totals {
    fn add(&mut self, wanted: f64, second: &Interval) {
        (self.wanted, self.viewers, self.waiting) = (wanted, second.viewers, second.waiting);
        for (total, latency) in self.latencies.iter_mut().zip(second.latencies()) {
            let (below, sum_secs) = latency.buckets(&BUCKETS_US);
            total.below.iter_mut().zip(below).for_each(|(total, more)| *total += more);
            total.count += latency.count();
            total.sum_secs += sum_secs;
        }
        self.counted.add_counts_of(second);
    }

    /// Returns all metrics with their series.
    fn families(&self) -> Vec<Family> {
        let mut families = self.counts();
        families.push(self.latencies());
        families
    }

    fn counts(&self) -> Vec<Family> {
        let counted = &self.counted;
        let plain = |value: u64| vec![Series::plain(value as f64)];
        let by = |label: &'static str, values: &[(&str, u64)]| {
            let series = |(name, value): &(&str, u64)| Series::labelled(label, name, *value as f64);
            values.iter().map(series).collect::<Vec<_>>()
        };
        let gauge = |name, help, series| Family { name, kind: "gauge", help, series };
        let counter = |name, help, series| Family { name, kind: "counter", help, series };
        let posts = &counted.posts;
        let delivered = counted.delivered;
        let classes = [("signal", delivered.signal), ("gift", delivered.gift), ("chat", delivered.chat)];
        let outcomes = [
            ("broadcast", posts.broadcast),
            ("held", posts.held),
            ("duplicate", posts.duplicate),
            ("refused", posts.refused()),
            ("failed", posts.failed()),
        ];
        let dropped = [("left_out", counted.left_out), ("skipped", counted.skipped)];
        let wanted = vec![Series::plain(self.wanted)];
        let (refusals, closes) = (counted.refusals.values().sum(), counted.closes.values().sum());
        vec![
            gauge("viewers_wanted", "Viewers that the scenario intends now.", wanted),
            gauge("viewers", "Viewers of the test that are connected.", plain(self.viewers)),
            gauge(
                "waiting",
                "Viewers of the test that wait for their slot or for a retry.",
                plain(self.waiting),
            ),
            counter("joins_total", "Viewers that received their first hello.", plain(counted.joins)),
            counter("reconnects_total", "Viewers that reconnected with a resume.", plain(counted.reconnects)),
            counter(
                "moves_total",
                "Viewers that moved to another gateway before they left the old one.",
                plain(counted.moves),
            ),
            counter("refusals_total", "Connections that could not be opened.", plain(refusals)),
            counter("closes_total", "Connections that ended without a wish of the test.", plain(closes)),
            counter("gaps_total", "Gaps in the message chains of viewers.", plain(counted.gaps)),
            counter(
                "received_bytes_total",
                "Bytes that viewers read from their sockets.",
                plain(counted.bytes),
            ),
            counter(
                "deliveries_total",
                "Messages delivered to viewers, by class; each viewer counts.",
                by("class", &classes),
            ),
            counter(
                "dropped_total",
                "Chat messages that the server reported as dropped: in batches (left_out), in repairs (skipped).",
                by("how", &dropped),
            ),
            counter("posts_total", "Posts by outcome; failed ones had no answer.", by("outcome", &outcomes)),
            counter(
                "posts_late_total",
                "Posts that left the tester more than 100 ms after their due time, or never.",
                plain(posts.late),
            ),
        ]
    }

    fn latencies(&self) -> Family {
        let mut series = Vec::new();
        for (kind, latency) in KINDS.into_iter().zip(&self.latencies) {
            let mut add = |suffix, end: Option<String>, value| {
                let kind = ("kind", kind.to_owned());
                let labels = std::iter::once(kind).chain(end.map(|end| ("le", end))).collect();
                series.push(Series { suffix, labels, value });
            };
            for (end_us, count) in BUCKETS_US.into_iter().zip(latency.below) {
                // With a decimal point, as the scrapes of the servers have it.
                add("_bucket", Some(format!("{:?}", end_us as f64 / 1e6)), count as f64);
            }
            add("_bucket", Some("+Inf".to_owned()), latency.count as f64);
            add("_sum", None, latency.sum_secs);
            add("_count", None, latency.count as f64);
        }
        Family {
            name: "latency_seconds",
            kind: "histogram",
            help: "Latencies from the intended time, by kind: chat and gift to the viewer, post to the answer, \
                   join to the hello, reconnect to the next hello, history to the whole page, timer of the tester itself.",
            series,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn live() -> Live {
        let mut second =
            Interval { viewers: 300, waiting: 2, joins: 300, left_out: 4, ..Interval::default() };
        second.delivered.chat = 3;
        second.chat.record(Duration::from_millis(30));
        second.chat.record(Duration::from_secs(20));
        second.posts.refused.insert("rate_limited".into(), 5);
        let live = Live::default();
        live.add(400.0, &second);
        live.add(310.0, &second);
        live
    }

    #[test]
    fn counts_add_up_over_seconds_and_states_are_of_the_last() {
        let text = live().text(Format::Text);
        for line in [
            "barrage_loadtest_viewers_wanted 310",
            "barrage_loadtest_viewers 300",
            "barrage_loadtest_joins_total 600",
            "barrage_loadtest_deliveries_total{class=\"chat\"} 6",
            "barrage_loadtest_dropped_total{how=\"left_out\"} 8",
            "barrage_loadtest_posts_total{outcome=\"refused\"} 10",
            "barrage_loadtest_latency_seconds_bucket{kind=\"chat\",le=\"0.025\"} 0",
            "barrage_loadtest_latency_seconds_bucket{kind=\"chat\",le=\"0.05\"} 2",
            "barrage_loadtest_latency_seconds_bucket{kind=\"chat\",le=\"10.0\"} 2",
            "barrage_loadtest_latency_seconds_bucket{kind=\"chat\",le=\"+Inf\"} 4",
            "barrage_loadtest_latency_seconds_count{kind=\"chat\"} 4",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn open_metrics_names_counters_without_total_and_ends_with_its_mark() {
        let text = live().text(Format::OpenMetrics);
        for line in [
            "# TYPE barrage_loadtest_joins counter",
            "barrage_loadtest_joins_total 600",
            "# UNIT barrage_loadtest_received_bytes bytes",
            "# UNIT barrage_loadtest_latency_seconds seconds",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
    }

    /// The queries of the dashboards are checked against this list. `WRITE_REFERENCE=1` writes it.
    #[test]
    fn list_for_the_dashboards_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards/check/loadtest.prom");
        let text = Live::default().text(Format::Text);
        if std::env::var_os("WRITE_REFERENCE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == text, "run this test with WRITE_REFERENCE=1 and commit dashboards/check");
    }
}
