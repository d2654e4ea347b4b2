//! Gateways that come, leave, lapse and return, for the log. Pure: time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_bus::Registered;

/// Gateways that lapsed and are remembered. At the bound the one that lapsed first is forgotten,
/// and its return is logged as that of a new one.
const LAPSED_MAX: usize = 1_024;

/// A change between two looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A gateway reported that was not known.
    Came(String),
    /// A gateway reported that had lapsed, so long ago.
    Returned(String, Duration),
    /// A gateway that was draining is gone.
    Left(String),
    /// A gateway that was not draining is gone: it has not reported in time.
    Lapsed(String),
}

/// The gateways at the last look. Bounded by the registry and [`LAPSED_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Attendance {
    /// Whether each was draining.
    present: BTreeMap<String, bool>,
    lapsed: BTreeMap<String, Duration>,
}

impl Attendance {
    /// Changes since the last look.
    pub(crate) fn observe(&mut self, gateways: &[Registered], now: Duration) -> Vec<Change> {
        let seen = gateways.iter().map(|gateway| (gateway.report.id.clone(), gateway.report.draining));
        let before = std::mem::replace(&mut self.present, seen.collect());
        let mut changes = Vec::new();
        for id in self.present.keys().filter(|id| !before.contains_key(*id)) {
            changes.push(match self.lapsed.remove(id) {
                Some(at) => Change::Returned(id.clone(), now.saturating_sub(at)),
                None => Change::Came(id.clone()),
            });
        }
        for (id, was_draining) in before.into_iter().filter(|(id, _)| !self.present.contains_key(id)) {
            if was_draining {
                changes.push(Change::Left(id));
                continue;
            }
            if self.lapsed.len() >= LAPSED_MAX
                && let Some(first) = self.lapsed.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone())
            {
                self.lapsed.remove(&first);
            }
            self.lapsed.insert(id.clone(), now);
            changes.push(Change::Lapsed(id));
        }
        changes
    }
}

impl Change {
    /// Writes the change to the log.
    pub(crate) fn log(&self) {
        match self {
            Change::Came(id) => tracing::info!(gateway = id, "a gateway came"),
            Change::Returned(id, away) => {
                tracing::info!(gateway = id, away_secs = away.as_secs(), "a gateway returned");
            }
            Change::Left(id) => tracing::info!(gateway = id, "a gateway left after its drain"),
            Change::Lapsed(id) => {
                tracing::warn!(
                    gateway = id,
                    "a gateway lapsed: it has stopped to report, newcomers go elsewhere"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_bus::{InstanceReport, Role};

    fn gateways(ids: &[&str], draining: bool) -> Vec<Registered> {
        let report = |id: &&str| InstanceReport { draining, ..InstanceReport::new(Role::Gateway, *id) };
        ids.iter().map(|id| Registered { report: report(id), age: Duration::ZERO }).collect()
    }

    #[test]
    fn a_lapse_and_a_return_are_told_from_a_drain() {
        let mut attendance = Attendance::default();
        let mut at = |secs, ids: &[&str], draining| {
            attendance.observe(&gateways(ids, draining), Duration::from_secs(secs))
        };
        assert_eq!(at(0, &["g1", "g2"], false), [Change::Came("g1".into()), Change::Came("g2".into())]);
        assert_eq!(at(1, &["g1", "g2"], false), []);
        assert_eq!(at(6, &["g1"], false), [Change::Lapsed("g2".into())]);
        assert_eq!(at(9, &["g1", "g2"], false), [Change::Returned("g2".into(), Duration::from_secs(3))]);
        assert_eq!(at(10, &["g1", "g2"], true), []);
        assert_eq!(at(20, &["g1"], true), [Change::Left("g2".into())]);
        assert_eq!(at(21, &["g1", "g2"], true), [Change::Came("g2".into())]);
    }

    #[test]
    fn the_lapsed_are_bounded() {
        let mut attendance = Attendance::default();
        for n in 0..2 * LAPSED_MAX as u64 {
            attendance.observe(&gateways(&[&format!("g{n}")], false), Duration::from_secs(n));
        }
        assert_eq!(attendance.lapsed.len(), LAPSED_MAX);
        assert!(!attendance.lapsed.contains_key("g0"));
    }
}
