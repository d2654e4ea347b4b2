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

    pub(crate) fn race_ms(&self, gateway: &str) -> Option<f64> {
        self.by_gateway.get(gateway).copied()
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
        assert!((600.0..700.0).contains(&book.race_ms("a").unwrap()));
        assert_eq!(book.race_ms("invented"), None);
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
        assert_eq!((book.by_gateway.len(), book.race_ms("one-more")), (GATEWAYS_MAX, None));
        book.take(&report("new".into()), |gateway| gateway == "new");
        assert_eq!((book.by_gateway.len(), book.race_ms("new")), (1, Some(1.0)));
    }
}
