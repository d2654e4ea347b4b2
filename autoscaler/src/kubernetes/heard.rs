//! What was heard of each gateway, and how long starts took.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use barrage_scaling::{EntryLoad, FleetInstance, FleetReport, GatewayId, Schedule};

/// Starts that are remembered.
const STARTS_MAX: usize = 20;

/// The newest report of each gateway whose pod exists.
#[derive(Debug, Default)]
pub(super) struct Heard {
    gateways: BTreeMap<GatewayId, (FleetInstance, Duration)>,
    /// Entry's counters; none when the last reading failed.
    pub(super) entry: Option<EntryLoad>,
    /// Crowds that are announced, by the last reading.
    pub(super) prewarms: Vec<Schedule>,
    /// Pods that were seen before they were of use.
    starting: BTreeSet<GatewayId>,
    /// Pods that were of use once.
    served: BTreeSet<GatewayId>,
    starts_secs: VecDeque<f64>,
}

/// A pod as far as its start matters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) age_secs: f64,
    pub(super) ready: bool,
}

impl Heard {
    /// Takes a reading.
    pub(super) fn take(&mut self, report: &FleetReport, now: Duration) {
        self.entry = Some(report.entry.unwrap_or_default());
        self.prewarms = report.prewarms.iter().cloned().map(Schedule::from).collect();
        for gateway in report.gateways() {
            self.gateways.insert(gateway.id.clone(), (gateway.clone(), now));
        }
    }

    /// A reading failed: reports grow old, entry's counters are missing.
    pub(super) fn missed(&mut self) {
        self.entry = None;
    }

    /// A gateway's newest report and its age in seconds.
    pub(super) fn of(&self, id: &str, now: Duration) -> Option<(&FleetInstance, f64)> {
        let (gateway, at) = self.gateways.get(id)?;
        Some((gateway, gateway.report_age_ms / 1_000.0 + now.saturating_sub(*at).as_secs_f64()))
    }

    /// Whether a gateway was ready and reported once.
    pub(super) fn has_served(&self, id: &str) -> bool {
        self.served.contains(id)
    }

    /// Measures starts, from the pod to its first report and its being ready. `pods` is
    /// the whole fleet; others are forgotten.
    pub(super) fn note_pods(&mut self, pods: &BTreeMap<GatewayId, Start>) {
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

    /// How long the last starts took.
    pub(super) fn starts_secs(&self) -> Vec<f64> {
        self.starts_secs.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_lasts_from_the_pod_to_its_first_report() {
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
        let mut heard = Heard::default();
        heard.take(&report(&["old"]), secs(0));
        heard.note_pods(&pods(&[("old", 900.0, true), ("new", 2.0, false)]));
        heard.take(&report(&["old", "new"]), secs(30));
        heard.note_pods(&pods(&[("old", 930.0, true), ("new", 32.0, false)]));
        assert!(heard.starts_secs().is_empty() && !heard.has_served("new"), "not ready yet");
        heard.note_pods(&pods(&[("old", 931.0, false), ("new", 33.0, true)]));
        assert_eq!(heard.starts_secs(), [33.0], "an old gateway's age is no start");
        assert_eq!(heard.of("new", secs(34)).unwrap().1, 4.0);
        heard.note_pods(&pods(&[("old", 932.0, true)]));
        assert!(heard.of("new", secs(35)).is_none());
    }
}
