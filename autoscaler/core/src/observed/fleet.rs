//! The answer of `GET /v1/admin/fleet`, as the autoscaler reads it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::{EntryLoad, GatewayId, LoadReport, Phase};
use crate::schedule::Schedule;

/// Every instance that reported lately. Unknown keys are ignored, because the fleet may be newer
/// than its reader.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetReport {
    /// Instances of all roles that reported lately, gateways among them.
    pub instances: Vec<FleetInstance>,
    /// Newcomers at all replicas of entry; absent when no entry has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryLoad>,
    /// Announced audiences of rooms whose event is not over yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prewarms: Vec<FleetPrewarm>,
}

/// An audience that an operator announced for a room, so that gateways start beforehand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FleetPrewarm {
    /// Name that explanations show: the room and the start time.
    pub name: String,
    /// Start of the event, in seconds of Unix time.
    pub start_secs: f64,
    /// Duration of the event from its start, in seconds.
    pub duration_secs: f64,
    /// Number of viewers expected at the event.
    pub viewers: f64,
}

impl From<FleetPrewarm> for Schedule {
    fn from(prewarm: FleetPrewarm) -> Schedule {
        Schedule {
            name: prewarm.name,
            start_secs: prewarm.start_secs,
            duration_secs: prewarm.duration_secs,
            every_secs: 0.0,
            viewers: prewarm.viewers,
            replicas_min: 0,
        }
    }
}

/// Role of an instance, as far as the autoscaler distinguishes roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetRole {
    /// Holds viewers' connections: the only role that the autoscaler scales.
    Gateway,
    /// Any other role; the autoscaler ignores its instances.
    #[serde(other)]
    Other,
}

/// Newest report of one instance, with the age of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetInstance {
    /// Role under which the instance reports its load.
    pub role: FleetRole,
    /// Name of the instance; in Kubernetes the name of its pod.
    pub id: GatewayId,
    /// The instance refuses joins and moves its viewers.
    #[serde(default)]
    pub draining: bool,
    /// Load that the instance reported; all zeros when the answer has none.
    #[serde(default)]
    pub load: LoadReport,
    /// Age of the report when the server answered, in milliseconds.
    #[serde(default)]
    pub report_age_ms: f64,
}

impl FleetReport {
    /// Returns the instances with the role of a gateway.
    pub fn gateways(&self) -> impl Iterator<Item = &FleetInstance> {
        self.instances.iter().filter(|instance| instance.role == FleetRole::Gateway)
    }
}

impl FleetInstance {
    /// Returns the phase that follows from the report alone: draining or ready.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.draining { Phase::Draining } else { Phase::Ready }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleet_report_reads_gateways_and_ignores_unknown_keys() {
        // The first instance is the answer of a server, with other figures.
        let text = r#"{"instances": [
            {"role": "gateway", "id": "gateway-1", "base_urls": [], "age_secs": 14, "draining": true,
             "conservation_error": 0, "report_age_ms": 805,
             "load": {"connections": 7, "connections_max": 17000, "rooms": 0, "joins_per_s": 0.0,
             "joins_per_s_max": 4000, "deliveries_per_s": 0.0, "egress_bytes_per_s": 0.0,
             "writes_per_s": 3.5, "backlog_bytes": 0, "cpu_cores": 0.01, "memory_bytes": 33468416,
             "lag_ms": 0.429, "push_p99_ms": 0.0, "overload_level": 0}},
            {"role": "uplink", "id": "uplink-1", "load": {}},
            {"role": "oracle", "id": "o-1"}]}"#;
        let report: FleetReport = serde_json::from_str(text).unwrap();
        let gateways: Vec<_> = report.gateways().collect();
        assert_eq!((gateways.len(), gateways[0].phase(), report.entry), (1, Phase::Draining, None));
        let load = &gateways[0].load;
        assert_eq!((load.connections, load.writes_per_s), (7.0, 3.5));
        let counted: FleetReport =
            serde_json::from_str(r#"{"instances": [], "entry": {"waiting": 3.0}}"#).unwrap();
        assert_eq!(counted.entry.map(|entry| entry.waiting), Some(3.0));
        let text = r#"{"instances": [], "prewarms": [{"name": "show", "start_secs": 9, "duration_secs": 60,
            "viewers": 3e5, "title": "younger"}]}"#;
        let announced: FleetReport = serde_json::from_str(text).unwrap();
        assert_eq!(Schedule::from(announced.prewarms[0].clone()).viewers, 3e5);
    }
}
