//! The Prometheus metrics of an entry: answers, refusals, race times and tickets.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::place::PlaceMatch;
use crate::race::Ignored;

/// Reasons for refusing a newcomer: the values of the label `reason`.
const REASONS: [&str; 3] = ["fleet_full", "queue_full", "address"];

/// Prometheus handles of an entry, registered once per process.
#[derive(Debug, Clone)]
pub(crate) struct EntryMetrics {
    pub(crate) answers: IntCounter,
    pub(crate) empty: IntCounter,
    pub(crate) race: RaceMetrics,
    pub(crate) placed: IntCounterVec,
    /// Its count is the number of tickets.
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
        let placed = IntCounterVec::new(
            Opts::new(
                "barrage_entry_placed_total",
                "Newcomers by the place of their first gateway against their own.",
            ),
            &["place"],
        )?;
        let ticket_wait_seconds = Histogram::with_opts(
            HistogramOpts::new("barrage_entry_ticket_wait_seconds", "Waits until the slots of tickets.")
                .buckets(vec![2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0]),
        )?;
        let turned_away = IntCounterVec::new(
            Opts::new(
                "barrage_entry_turned_away_total",
                "Newcomers refused with a time to come back, by reason.",
            ),
            &["reason"],
        )?;
        let open_gateways = IntGauge::new(
            "barrage_entry_open_gateways",
            "Gateways with a weight and headroom for newcomers.",
        )?;
        let blind = IntGauge::new(
            "barrage_entry_blind",
            "1 while most load reports are old and the last weights are kept.",
        )?;
        let granted_networks = IntGauge::new(
            "barrage_entry_granted_networks",
            "Addresses and IPv6 sites with grants that have not lapsed; at 100000 further ones are not counted.",
        )?;
        // A rate misses the first event of a series that starts with it, so each exists at zero.
        for reason in REASONS {
            turned_away.with_label_values(&[reason]).reset();
        }
        for place in PlaceMatch::ALL {
            placed.with_label_values(&[place.label()]).reset();
        }
        registry.register(Box::new(placed.clone()))?;
        registry.register(Box::new(granted_networks.clone()))?;
        registry.register(Box::new(open_gateways.clone()))?;
        registry.register(Box::new(blind.clone()))?;
        registry.register(Box::new(ticket_wait_seconds.clone()))?;
        registry.register(Box::new(turned_away.clone()))?;
        registry.register(Box::new(answers.clone()))?;
        registry.register(Box::new(empty.clone()))?;
        Ok(EntryMetrics {
            answers,
            empty,
            race: RaceMetrics::new(registry)?,
            placed,
            ticket_wait_seconds,
            turned_away,
            open_gateways,
            blind,
            granted_networks,
        })
    }
}

/// Prometheus handles of the race reports.
#[derive(Debug, Clone)]
pub(crate) struct RaceMetrics {
    pub(crate) seconds: Histogram,
    pub(crate) failures: IntCounter,
    pub(crate) ignored: IntCounterVec,
    pub(crate) pairs: IntGauge,
}

impl RaceMetrics {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let seconds = Histogram::with_opts(
            HistogramOpts::new("barrage_entry_race_seconds", "Race times that clients reported.")
                .buckets(prometheus::exponential_buckets(0.002, 2.0, 12)?),
        )?;
        let failures = IntCounter::new(
            "barrage_entry_race_failures_total",
            "Racers that did not arrive, as clients reported.",
        )?;
        let ignored = IntCounterVec::new(
            Opts::new(
                "barrage_entry_race_ignored_total",
                "Results of race reports that count for nothing, by reason.",
            ),
            &["reason"],
        )?;
        let pairs = IntGauge::new(
            "barrage_entry_race_pairs",
            "Pairs of a location and an endpoint with race times; at 8192 further ones are ignored.",
        )?;
        for reason in Ignored::ALL {
            ignored.with_label_values(&[reason.label()]).reset();
        }
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(ignored.clone()))?;
        registry.register(Box::new(pairs.clone()))?;
        Ok(RaceMetrics { seconds, failures, ignored, pairs })
    }
}
