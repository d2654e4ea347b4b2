//! Entry's metrics.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Reasons to turn a newcomer away, as labels.
const REASONS: [&str; 3] = ["fleet_full", "queue_full", "address"];

/// Handles, registered once per process.
#[derive(Debug, Clone)]
pub(crate) struct EntryMetrics {
    pub(crate) answers: IntCounter,
    pub(crate) empty: IntCounter,
    pub(crate) race_seconds: Histogram,
    pub(crate) race_failures: IntCounter,
    /// Counts the tickets, too.
    pub(crate) ticket_wait_seconds: Histogram,
    pub(crate) turned_away: IntCounterVec,
    pub(crate) open_gateways: IntGauge,
    pub(crate) blind: IntGauge,
    pub(crate) granted_networks: IntGauge,
}

impl EntryMetrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let answers = IntCounter::new("barrage_entry_answers_total", "Entry queries answered.")?;
        let empty = IntCounter::new("barrage_entry_empty_total", "Entry queries that found no gateway.")?;
        let race_seconds = Histogram::with_opts(
            HistogramOpts::new("barrage_entry_race_seconds", "Race times that clients reported.")
                .buckets(prometheus::exponential_buckets(0.002, 2.0, 12)?),
        )?;
        let race_failures =
            IntCounter::new("barrage_entry_race_failures_total", "Racers that did not arrive.")?;
        let ticket_wait_seconds = Histogram::with_opts(
            HistogramOpts::new("barrage_entry_ticket_wait_seconds", "Waits of the tickets given.")
                .buckets(vec![2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0]),
        )?;
        let turned_away = IntCounterVec::new(
            Opts::new("barrage_entry_turned_away_total", "Newcomers told to come back later."),
            &["reason"],
        )?;
        let open_gateways =
            IntGauge::new("barrage_entry_open_gateways", "Gateways with a weight and a seat for newcomers.")?;
        let blind = IntGauge::new(
            "barrage_entry_blind",
            "1 while most load reports are old and the last weights are kept.",
        )?;
        let granted_networks = IntGauge::new(
            "barrage_entry_granted_networks",
            "Addresses and IPv6 sites with grants that have not lapsed; at 100000 further ones are not counted.",
        )?;
        // A rate over a series that begins with its first event misses that event.
        for reason in REASONS {
            turned_away.with_label_values(&[reason]).reset();
        }
        registry.register(Box::new(granted_networks.clone()))?;
        registry.register(Box::new(open_gateways.clone()))?;
        registry.register(Box::new(blind.clone()))?;
        registry.register(Box::new(ticket_wait_seconds.clone()))?;
        registry.register(Box::new(turned_away.clone()))?;
        registry.register(Box::new(answers.clone()))?;
        registry.register(Box::new(empty.clone()))?;
        registry.register(Box::new(race_seconds.clone()))?;
        registry.register(Box::new(race_failures.clone()))?;
        Ok(EntryMetrics {
            answers,
            empty,
            race_seconds,
            race_failures,
            ticket_wait_seconds,
            turned_away,
            open_gateways,
            blind,
            granted_networks,
        })
    }
}
