//! The race: a resource of fixed size, and what clients measured with it.

use std::collections::HashMap;

use barrage_protocol::entry::RaceReport;
use bytes::Bytes;

/// Gateways with race times; at the bound those that have gone make room, and if none
/// has, reports of further ones are passed over.
const GATEWAYS_MAX: usize = 1_024;
/// Weight of a new time in the smoothed one: about the last ten count.
const SMOOTHING: f64 = 0.2;
/// A racer that did not arrive counts as this slow.
pub(crate) const FAILED_MS: f64 = 3_000.0;
/// Race times at this distance from the fastest halve a gateway's weight.
const HALVING_MS: f64 = 50.0;
/// The least that race times leave of a weight: anybody may report, and reports alone
/// must not take a gateway out of use.
const FACTOR_MIN: f64 = 0.05;
/// Racers in one report.
pub(crate) const RESULTS_MAX: usize = 16;

/// Bytes that no proxy can shrink.
pub(crate) fn resource(bytes: usize) -> Bytes {
    (0..bytes).map(|_| rand::random::<u8>()).collect()
}

/// Smoothed race times by gateway.
#[derive(Debug, Default)]
pub(crate) struct RaceBook {
    by_gateway: HashMap<String, f64>,
}

impl RaceBook {
    /// Takes a report over; gateways that are not `known` are passed over, so that
    /// nobody fills the book with inventions.
    pub(crate) fn take(&mut self, report: &RaceReport, known: impl Fn(&str) -> bool) {
        for result in report.results.iter().filter(|result| known(&result.gateway)) {
            let ms = result.elapsed_ms.map_or(FAILED_MS, |ms| (ms as f64).min(FAILED_MS));
            if let Some(smoothed) = self.by_gateway.get_mut(&result.gateway) {
                *smoothed += SMOOTHING * (ms - *smoothed);
                continue;
            }
            if self.by_gateway.len() >= GATEWAYS_MAX {
                self.by_gateway.retain(|gateway, _| known(gateway));
            }
            if self.by_gateway.len() < GATEWAYS_MAX {
                self.by_gateway.insert(result.gateway.clone(), ms);
            }
        }
    }

    /// What race times leave of each gateway's weight.
    pub(crate) fn factors<'a>(&self, gateways: impl Iterator<Item = &'a str>) -> Vec<f64> {
        let times: Vec<_> = gateways.map(|gateway| self.by_gateway.get(gateway).copied()).collect();
        let fastest_ms = times.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        let factor = |ms: Option<f64>| {
            let slower_ms = ms.map_or(0.0, |ms| ms - fastest_ms);
            0.5_f64.powf(slower_ms / HALVING_MS).max(FACTOR_MIN)
        };
        times.into_iter().map(factor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_protocol::entry::RaceResult;

    #[test]
    fn times_are_smoothed_and_inventions_passed_over() {
        let mut book = RaceBook::default();
        let report = |gateway: &str, elapsed_ms| RaceReport {
            results: vec![RaceResult { gateway: gateway.into(), elapsed_ms }],
        };
        for _ in 0..50 {
            book.take(&report("a", Some(40)), |g| g == "a");
            book.take(&report("invented", Some(1)), |g| g == "a");
        }
        book.take(&report("a", None), |g| g == "a");
        assert!((600.0..700.0).contains(&book.by_gateway["a"]));
        assert!(!book.by_gateway.contains_key("invented"));
    }

    #[test]
    fn a_slow_path_weighs_less_and_reports_alone_take_no_gateway_out_of_use() {
        let times = [("near", 20.0), ("middle", 70.0), ("slandered", 3_000.0)];
        let by_gateway = times.map(|(gateway, ms)| (gateway.to_owned(), ms)).into();
        let book = RaceBook { by_gateway };
        let factors = book.factors(["near", "middle", "slandered", "unknown"].into_iter());
        assert_eq!(factors, [1.0, 0.5, FACTOR_MIN, 1.0]);
    }

    #[test]
    fn gateways_that_have_gone_make_room() {
        let mut book = RaceBook::default();
        let report =
            |gateway: String| RaceReport { results: vec![RaceResult { gateway, elapsed_ms: Some(1) }] };
        for n in 0..GATEWAYS_MAX {
            book.take(&report(format!("old-{n}")), |_| true);
        }
        book.take(&report("one-more".into()), |_| true);
        assert_eq!((book.by_gateway.len(), book.by_gateway.get("one-more")), (GATEWAYS_MAX, None));
        book.take(&report("new".into()), |gateway| gateway == "new");
        assert_eq!((book.by_gateway.len(), book.by_gateway.get("new")), (1, Some(&1.0)));
    }
}
