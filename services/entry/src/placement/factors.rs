//! The autoscaler's factors: the share of its weight that a gateway keeps, for a limited time. An
//! entry puts the factors that it received into its report, so that all entries apply them.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_bus::{Factor, Registered};

/// Maximum gateways with a factor at a time. Further ones are refused.
pub(crate) const FACTORS_MAX: usize = 256;
/// Maximum bytes of a gateway's name; factors with a longer name are refused.
const NAME_BYTES_MAX: usize = 253;

/// Factors that this entry received. Pure: time is an argument, in milliseconds of Unix time.
#[derive(Debug, Default)]
pub(crate) struct Factors {
    received: BTreeMap<String, Factor>,
}

impl Factors {
    /// Adds factors that lapse at `until_ms` to those that are known: all of them, or none.
    ///
    /// # Errors
    /// A sentence for the caller, when a factor or a name is not valid, or there are too many.
    pub(crate) fn take(
        &mut self,
        factors: BTreeMap<String, f64>,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<(), String> {
        if let Some((gateway, factor)) = factors.iter().find(|(_, factor)| !(0.0..=1.0).contains(*factor)) {
            return Err(format!("factors.{gateway} = {factor}: expected 0 to 1"));
        }
        if factors.keys().any(|gateway| gateway.is_empty() || gateway.len() > NAME_BYTES_MAX) {
            return Err(format!("factors: a gateway's name has 1 to {NAME_BYTES_MAX} bytes"));
        }
        self.received.retain(|_, known| known.until_ms > now_ms);
        let new = factors.keys().filter(|gateway| !self.received.contains_key(*gateway)).count();
        if self.received.len() + new > FACTORS_MAX {
            return Err(format!("factors: at most {FACTORS_MAX} gateways have one at a time"));
        }
        let factors = factors.into_iter().map(|(gateway, factor)| (gateway, Factor { factor, until_ms }));
        self.received.extend(factors);
        Ok(())
    }

    /// Returns the factors that this entry received and that have not lapsed.
    pub(crate) fn own(&self, now_ms: u64) -> BTreeMap<String, Factor> {
        let live = self.received.iter().filter(|(_, factor)| factor.until_ms > now_ms);
        live.map(|(gateway, factor)| (gateway.clone(), *factor)).collect()
    }

    /// Returns the factors of all entries. Of two factors for one gateway the newer one counts.
    pub(crate) fn all(&self, entries: &[Registered], now_ms: u64) -> BTreeMap<String, Factor> {
        let mut all = self.own(now_ms);
        let reported =
            entries.iter().filter_map(|entry| entry.report.entry.as_ref()).flat_map(|load| &load.factors);
        for (gateway, factor) in reported.filter(|(_, factor)| factor.until_ms > now_ms) {
            let newest = all.entry(gateway.clone()).or_insert(*factor);
            if factor.until_ms > newest.until_ms {
                *newest = *factor;
            }
        }
        all
    }

    /// Returns the factors of all entries for the weights, with their ends on the clock of `now`.
    pub(crate) fn advice(
        &self,
        entries: &[Registered],
        now_ms: u64,
        now: Duration,
    ) -> Vec<(String, f64, Duration)> {
        let all = self.all(entries, now_ms).into_iter();
        all.map(|(gateway, known)| {
            let left = Duration::from_millis(known.until_ms.saturating_sub(now_ms));
            (gateway, known.factor, now + left)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_bus::{EntryReport, InstanceReport, Role};

    fn one(gateway: &str, factor: f64) -> BTreeMap<String, f64> {
        [(gateway.to_owned(), factor)].into()
    }

    #[test]
    fn factors_lapse_and_the_newest_of_any_entry_counts() {
        let mut factors = Factors::default();
        factors.take(one("g1", 0.0), 30_000, 0).unwrap();
        factors.take(one("g2", 0.5), 40_000, 10_000).unwrap();
        let factors_of_other = [("g1", 0.25, 35_000), ("g2", 1.0, 20_000), ("g3", 0.0, 9_000)]
            .map(|(gateway, factor, until_ms)| (gateway.to_owned(), Factor { factor, until_ms }))
            .into();
        let load = EntryReport { factors: factors_of_other, ..EntryReport::default() };
        let other = InstanceReport { entry: Some(load), ..InstanceReport::new(Role::Entry, "entry-2") };
        let entries = [Registered { report: other, age: Duration::ZERO }];
        let advice = |now_ms| factors.advice(&entries, now_ms, Duration::from_secs(100));
        let at = |secs: u64| Duration::from_secs(100 + secs);
        assert_eq!(advice(10_000), [("g1".to_owned(), 0.25, at(25)), ("g2".to_owned(), 0.5, at(30))]);
        assert_eq!(advice(35_000), [("g2".to_owned(), 0.5, at(5))]);
        assert!(advice(40_000).is_empty() && factors.own(40_000).is_empty());
    }

    #[test]
    fn wrong_or_too_many_factors_are_refused_as_a_whole() {
        let mut factors = Factors::default();
        for wrong in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
            let two = [("g1".to_owned(), 0.5), ("g2".to_owned(), wrong)].into();
            assert!(factors.take(two, 30_000, 0).unwrap_err().contains("factors.g2"));
        }
        assert!(factors.take(one("", 0.5), 30_000, 0).is_err());
        let many = (0..FACTORS_MAX).map(|n| (format!("g{n}"), 0.5)).collect();
        factors.take(many, 30_000, 0).unwrap();
        factors.take(one("g7", 1.0), 40_000, 10_000).unwrap();
        assert!(factors.take(one("more", 1.0), 40_000, 10_000).is_err());
        factors.take(one("more", 1.0), 60_000, 30_000).unwrap();
        assert_eq!(factors.own(30_000).len(), 2, "lapsed factors are removed");
    }
}
