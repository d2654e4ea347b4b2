//! Race times: the resource that clients race for, and the times that they report.

use std::collections::HashMap;

use barrage_protocol::entry::RaceReport;
use bytes::Bytes;

/// Maximum gateways with race times. At the bound the gateways that have left are removed; if none
/// has left, reports of further gateways are ignored.
const GATEWAYS_MAX: usize = 1_024;
/// Weight of a new time in the moving average: about the last ten times count.
const SMOOTHING: f64 = 0.2;
/// Milliseconds that count for a racer that did not arrive.
pub(crate) const FAILED_MS: f64 = 3_000.0;
/// Milliseconds over the fastest gateway that halve a gateway's weight.
const HALVING_MS: f64 = 50.0;
/// Minimum factor of a weight by race times: any client may report, and reports alone must not take
/// a gateway out of use.
const FACTOR_MIN: f64 = 0.05;
/// Maximum racers in one report. A longer report is refused.
pub(crate) const RESULTS_MAX: usize = 16;

/// Returns random bytes, which no proxy can compress.
pub(crate) fn race_resource(bytes: usize) -> Bytes {
    (0..bytes).map(|_| rand::random::<u8>()).collect()
}

/// Moving averages of race times, by gateway.
#[derive(Debug, Default)]
pub(crate) struct RaceTimes {
    ms_by_gateway: HashMap<String, f64>,
}

impl RaceTimes {
    /// Takes a report. Gateways that are not `known` are ignored, so that no client can fill the
    /// memory with made-up names.
    pub(crate) fn take(&mut self, report: &RaceReport, known: impl Fn(&str) -> bool) {
        for result in report.results.iter().filter(|result| known(&result.gateway)) {
            let ms = result.elapsed_ms.map_or(FAILED_MS, |ms| (ms as f64).min(FAILED_MS));
            if let Some(smoothed) = self.ms_by_gateway.get_mut(&result.gateway) {
                *smoothed += SMOOTHING * (ms - *smoothed);
                continue;
            }
            if self.ms_by_gateway.len() >= GATEWAYS_MAX {
                self.ms_by_gateway.retain(|gateway, _| known(gateway));
            }
            if self.ms_by_gateway.len() < GATEWAYS_MAX {
                self.ms_by_gateway.insert(result.gateway.clone(), ms);
            }
        }
    }

    /// Returns the factor of each gateway's weight by its race times, from [`FACTOR_MIN`] to 1.
    pub(crate) fn factors<'a>(&self, gateways: impl Iterator<Item = &'a str>) -> Vec<f64> {
        let times: Vec<_> = gateways.map(|gateway| self.ms_by_gateway.get(gateway).copied()).collect();
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
    fn times_are_averaged_and_unknown_gateways_ignored() {
        let mut times = RaceTimes::default();
        let report = |gateway: &str, elapsed_ms| RaceReport {
            results: vec![RaceResult { gateway: gateway.into(), elapsed_ms }],
        };
        for _ in 0..50 {
            times.take(&report("a", Some(40)), |g| g == "a");
            times.take(&report("invented", Some(1)), |g| g == "a");
        }
        times.take(&report("a", None), |g| g == "a");
        assert!((600.0..700.0).contains(&times.ms_by_gateway["a"]));
        assert!(!times.ms_by_gateway.contains_key("invented"));
    }

    #[test]
    fn slow_path_weighs_less_but_never_zero() {
        let times = [("near", 20.0), ("middle", 70.0), ("slandered", 3_000.0)];
        let ms_by_gateway = times.map(|(gateway, ms)| (gateway.to_owned(), ms)).into();
        let race_times = RaceTimes { ms_by_gateway };
        let factors = race_times.factors(["near", "middle", "slandered", "unknown"].into_iter());
        assert_eq!(factors, [1.0, 0.5, FACTOR_MIN, 1.0]);
    }

    #[test]
    fn gateways_that_left_are_removed_at_the_bound() {
        let mut times = RaceTimes::default();
        let report =
            |gateway: String| RaceReport { results: vec![RaceResult { gateway, elapsed_ms: Some(1) }] };
        for n in 0..GATEWAYS_MAX {
            times.take(&report(format!("old-{n}")), |_| true);
        }
        times.take(&report("one-more".into()), |_| true);
        assert_eq!((times.ms_by_gateway.len(), times.ms_by_gateway.get("one-more")), (GATEWAYS_MAX, None));
        times.take(&report("new".into()), |gateway| gateway == "new");
        assert_eq!((times.ms_by_gateway.len(), times.ms_by_gateway.get("new")), (1, Some(&1.0)));
    }
}
