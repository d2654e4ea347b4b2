//! Log lines for gateways that join, leave, lapse or return. Pure: time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_bus::Registered;

/// Maximum lapsed gateways that are remembered. At the bound the earliest is forgotten, and its
/// return is logged as the arrival of a new gateway.
const LAPSED_MAX: usize = 1_024;

/// A change of the fleet between two observations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FleetChange {
    /// A gateway reported for the first time.
    Joined(String),
    /// A gateway reported again, after the time since it lapsed.
    Returned(String, Duration),
    /// A gateway stopped reporting after its drain.
    Left(String),
    /// A gateway that did not drain stopped reporting.
    Lapsed(String),
}

/// The gateways at the last observation. Bounded by the registry and [`LAPSED_MAX`].
#[derive(Debug, Default)]
pub(crate) struct FleetLog {
    /// Gateways by id, and whether each was draining.
    present: BTreeMap<String, bool>,
    lapsed: BTreeMap<String, Duration>,
}

impl FleetLog {
    /// Returns the changes since the last observation.
    pub(crate) fn observe(&mut self, gateways: &[Registered], now: Duration) -> Vec<FleetChange> {
        let seen = gateways.iter().map(|gateway| (gateway.report.id.clone(), gateway.report.draining));
        let before = std::mem::replace(&mut self.present, seen.collect());
        let mut changes = Vec::new();
        for id in self.present.keys().filter(|id| !before.contains_key(*id)) {
            changes.push(match self.lapsed.remove(id) {
                Some(at) => FleetChange::Returned(id.clone(), now.saturating_sub(at)),
                None => FleetChange::Joined(id.clone()),
            });
        }
        for (id, was_draining) in before.into_iter().filter(|(id, _)| !self.present.contains_key(id)) {
            if was_draining {
                changes.push(FleetChange::Left(id));
                continue;
            }
            if self.lapsed.len() >= LAPSED_MAX
                && let Some(first) = self.lapsed.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone())
            {
                self.lapsed.remove(&first);
            }
            self.lapsed.insert(id.clone(), now);
            changes.push(FleetChange::Lapsed(id));
        }
        changes
    }
}

impl FleetChange {
    pub(crate) fn log(&self) {
        match self {
            FleetChange::Joined(id) => tracing::info!(gateway = id, "a gateway joined the fleet"),
            FleetChange::Returned(id, away) => {
                tracing::info!(gateway = id, away_secs = away.as_secs(), "a lapsed gateway reports again");
            }
            FleetChange::Left(id) => tracing::info!(gateway = id, "a gateway left the fleet after its drain"),
            FleetChange::Lapsed(id) => {
                tracing::warn!(gateway = id, "a gateway stopped reporting; newcomers go to others");
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
    fn lapse_and_return_differ_from_a_drain() {
        let mut log = FleetLog::default();
        let mut at =
            |secs, ids: &[&str], draining| log.observe(&gateways(ids, draining), Duration::from_secs(secs));
        assert_eq!(
            at(0, &["g1", "g2"], false),
            [FleetChange::Joined("g1".into()), FleetChange::Joined("g2".into())]
        );
        assert_eq!(at(1, &["g1", "g2"], false), []);
        assert_eq!(at(6, &["g1"], false), [FleetChange::Lapsed("g2".into())]);
        assert_eq!(at(9, &["g1", "g2"], false), [FleetChange::Returned("g2".into(), Duration::from_secs(3))]);
        assert_eq!(at(10, &["g1", "g2"], true), []);
        assert_eq!(at(20, &["g1"], true), [FleetChange::Left("g2".into())]);
        assert_eq!(at(21, &["g1", "g2"], true), [FleetChange::Joined("g2".into())]);
    }

    #[test]
    fn lapsed_gateways_are_bounded() {
        let mut log = FleetLog::default();
        for n in 0..2 * LAPSED_MAX as u64 {
            log.observe(&gateways(&[&format!("g{n}")], false), Duration::from_secs(n));
        }
        assert_eq!(log.lapsed.len(), LAPSED_MAX);
        assert!(!log.lapsed.contains_key("g0"));
    }
}
