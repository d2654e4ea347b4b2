//! The newest report of each gateway, and how long the last starts took.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use barrage_scaling::{EntryLoad, FleetInstance, FleetReport, GatewayId, Schedule};

/// Maximum number of measured start durations that are kept.
const STARTS_MAX: usize = 20;

/// The newest report of each gateway whose pod exists, and of entry.
#[derive(Debug, Default)]
pub(crate) struct LatestReports {
    gateways: BTreeMap<GatewayId, (FleetInstance, Duration)>,
    /// Entry's counters; absent after a failed read.
    pub(crate) entry: Option<EntryLoad>,
    /// Announced audiences, from the last successful read.
    pub(crate) prewarms: Vec<Schedule>,
    /// Pods that were seen before they were ready and had reported: their start is measured.
    starting: BTreeSet<GatewayId>,
    /// Pods that have been ready and reporting at least once.
    served: BTreeSet<GatewayId>,
    starts_secs: VecDeque<f64>,
}

/// Facts of a pod that the measurement of starts needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) age_secs: f64,
    pub(crate) ready: bool,
}

impl LatestReports {
    /// Stores a successful read. Gateways that it does not list keep their older report.
    pub(crate) fn store(&mut self, report: &FleetReport, now: Duration) {
        self.entry = Some(report.entry.unwrap_or_default());
        self.prewarms = report.prewarms.iter().cloned().map(Schedule::from).collect();
        for gateway in report.gateways() {
            self.gateways.insert(gateway.id.clone(), (gateway.clone(), now));
        }
    }

    /// Notes a failed read: the stored reports age, and entry's counters are missing.
    pub(crate) fn note_failure(&mut self) {
        self.entry = None;
    }

    /// Returns a gateway's newest report and its age in seconds.
    pub(crate) fn get(&self, id: &str, now: Duration) -> Option<(&FleetInstance, f64)> {
        let (gateway, at) = self.gateways.get(id)?;
        Some((gateway, gateway.report_age_ms / 1_000.0 + now.saturating_sub(*at).as_secs_f64()))
    }

    /// Whether a gateway has been ready and reporting at least once.
    pub(crate) fn has_served(&self, id: &str) -> bool {
        self.served.contains(id)
    }

    /// Measures starts, from the creation of a pod until it is ready and has reported. `pods` is
    /// the whole fleet; the reports of other pods are dropped.
    pub(crate) fn note_pods(&mut self, pods: &BTreeMap<GatewayId, Start>) {
        self.gateways.retain(|id, _| pods.contains_key(id));
        self.starting.retain(|id| pods.contains_key(id));
        self.served.retain(|id| pods.contains_key(id));
        for (id, start) in pods {
            if start.ready && self.gateways.contains_key(id) {
                self.served.insert(id.clone());
                if self.starting.remove(id) {
                    self.starts_secs.push_back(start.age_secs);
                }
            } else if !self.served.contains(id) {
                self.starting.insert(id.clone());
            }
        }
        while self.starts_secs.len() > STARTS_MAX {
            self.starts_secs.pop_front();
        }
    }

    /// Durations of the last starts, in seconds.
    pub(crate) fn starts_secs(&self) -> Vec<f64> {
        self.starts_secs.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_lasts_from_pod_creation_until_ready_and_reporting() {
        let report = |ids: &[&str]| {
            let one = |id: &&str| format!(r#"{{"role":"gateway","id":"{id}"}}"#);
            let text: Vec<String> = ids.iter().map(one).collect();
            let text = format!(r#"{{"instances":[{}]}}"#, text.join(","));
            serde_json::from_str::<FleetReport>(&text).unwrap()
        };
        let pods = |ids: &[(&str, f64, bool)]| {
            let start = |(age_secs, ready)| Start { age_secs, ready };
            ids.iter().map(|(id, age, ready)| ((*id).into(), start((*age, *ready)))).collect()
        };
        let secs = Duration::from_secs;
        let mut latest = LatestReports::default();
        latest.store(&report(&["old"]), secs(0));
        latest.note_pods(&pods(&[("old", 900.0, true), ("new", 2.0, false)]));
        latest.store(&report(&["old", "new"]), secs(30));
        latest.note_pods(&pods(&[("old", 930.0, true), ("new", 32.0, false)]));
        assert!(latest.starts_secs().is_empty() && !latest.has_served("new"), "the pod is not ready yet");
        latest.note_pods(&pods(&[("old", 931.0, false), ("new", 33.0, true)]));
        assert_eq!(
            latest.starts_secs(),
            [33.0],
            "the age of a gateway that was ready from the first is no start"
        );
        assert_eq!(latest.get("new", secs(34)).unwrap().1, 4.0);
        latest.note_pods(&pods(&[("old", 932.0, true)]));
        assert!(latest.get("new", secs(35)).is_none());
    }
}
