//! What a client's report says: times of endpoints that exist, each once. Pure.

use std::collections::HashSet;

use barrage_protocol::entry::RaceReport;

/// Milliseconds that count for a racer that did not arrive, and for every slower one.
pub(crate) const FAILED_MS: f64 = 3_000.0;
/// Maximum racers in one report, uplinks included. A longer report is refused.
pub(crate) const RESULTS_MAX: usize = 16;

/// Role of an endpoint in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Gateway,
    Uplink,
}

/// Time of one endpoint, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) ms: f64,
}

/// Why a result of a report counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// No gateway or uplink has the name or URL.
    Unknown,
    /// The report has an earlier result of the endpoint.
    Repeated,
    /// No racer of the report arrived, so that the fault is in the client's own network.
    AllFailed,
    /// The bound of the remembered times is reached.
    TableFull,
}

impl Ignored {
    /// All reasons, in the order of the declaration.
    pub(crate) const ALL: [Ignored; 4] =
        [Ignored::Unknown, Ignored::Repeated, Ignored::AllFailed, Ignored::TableFull];

    /// Returns the value of the label `reason`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Ignored::Unknown => "unknown",
            Ignored::Repeated => "repeated",
            Ignored::AllFailed => "all_failed",
            Ignored::TableFull => "table_full",
        }
    }
}

/// The usable results of a report, and the reasons why others are not.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) measured: Vec<Measured>,
    /// Racers that did not arrive.
    pub(crate) failures: u64,
    pub(crate) ignored: Vec<Ignored>,
}

impl Reading {
    /// Reads a report. `gateway` and `uplink` return the id of an instance by the name or URL of a
    /// result.
    pub(crate) fn of(
        report: &RaceReport,
        gateway: impl Fn(&str) -> Option<String>,
        uplink: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let gateways = report.results.iter();
        let gateways = gateways.map(|one| (Kind::Gateway, gateway(&one.gateway), one.elapsed_ms));
        let uplinks = report.uplinks.iter().map(|one| (Kind::Uplink, uplink(&one.url), one.elapsed_ms));
        let (mut reading, mut seen, mut has_arrived) = (Reading::default(), HashSet::new(), false);
        for (kind, id, elapsed_ms) in gateways.chain(uplinks) {
            let Some(id) = id else {
                reading.ignored.push(Ignored::Unknown);
                continue;
            };
            if !seen.insert((kind, id.clone())) {
                reading.ignored.push(Ignored::Repeated);
                continue;
            }
            has_arrived |= elapsed_ms.is_some();
            reading.failures += u64::from(elapsed_ms.is_none());
            let ms = elapsed_ms.map_or(FAILED_MS, |ms| (ms as f64).min(FAILED_MS));
            reading.measured.push(Measured { kind, id, ms });
        }
        if !has_arrived {
            let failed = reading.measured.drain(..);
            reading.ignored.extend(failed.map(|_| Ignored::AllFailed));
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::entry::{RaceResult, UplinkRaceResult};

    use super::*;

    fn read(gateways: &[(&str, Option<u64>)], uplinks: &[(&str, Option<u64>)]) -> Reading {
        let result = |(gateway, elapsed_ms): &(&str, _)| RaceResult {
            gateway: (*gateway).into(),
            elapsed_ms: *elapsed_ms,
        };
        let uplink =
            |(url, elapsed_ms): &(&str, _)| UplinkRaceResult { url: (*url).into(), elapsed_ms: *elapsed_ms };
        let report = RaceReport {
            results: gateways.iter().map(result).collect(),
            uplinks: uplinks.iter().map(uplink).collect(),
        };
        let gateway = |name: &str| name.starts_with('g').then(|| name.to_owned());
        Reading::of(&report, gateway, |url| (url == "http://u").then(|| "u".to_owned()))
    }

    #[test]
    fn unknown_and_repeated_endpoints_are_ignored_with_their_reason() {
        let reading = read(
            &[("g1", Some(20)), ("invented", Some(1)), ("g1", Some(1)), ("g2", None)],
            &[("http://u", Some(u64::MAX)), ("http://elsewhere", Some(1))],
        );
        let measured = |kind, id: &str, ms| Measured { kind, id: id.into(), ms };
        assert_eq!(
            reading.measured,
            [
                measured(Kind::Gateway, "g1", 20.0),
                measured(Kind::Gateway, "g2", FAILED_MS),
                measured(Kind::Uplink, "u", FAILED_MS),
            ]
        );
        assert_eq!(reading.ignored, [Ignored::Unknown, Ignored::Repeated, Ignored::Unknown]);
        assert_eq!(reading.failures, 1);
    }

    #[test]
    fn report_without_an_arrival_says_nothing() {
        let reading = read(&[("g1", None), ("g2", None)], &[("http://u", None)]);
        assert_eq!((reading.measured.len(), reading.failures), (0, 3));
        assert_eq!(reading.ignored, [Ignored::AllFailed; 3]);
    }
}
