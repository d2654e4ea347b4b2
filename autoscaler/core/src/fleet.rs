//! What an entry replica answers about the fleet: the form that gateways' loads travel
//! in, shared by those who serve it and those who read it.

use serde::{Deserialize, Serialize};

use crate::load::{EntryLoad, GatewayId, GatewayLoad, LoadReport, Phase};

/// One gateway's newest report. Figures are those of the last second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetGateway {
    /// Its name; in Kubernetes its pod's name.
    pub gateway: GatewayId,
    /// Host and port of its admin listener; empty when unknown.
    #[serde(default)]
    pub address: String,
    /// Where it stands by its own word.
    pub phase: Phase,
    /// Open viewer connections.
    pub connections: f64,
    /// Viewers that came, per second.
    #[serde(default)]
    pub joins_per_s: f64,
    /// Messages handed to viewers per second.
    #[serde(default)]
    pub deliveries_per_s: f64,
    /// Bytes written per second.
    #[serde(default)]
    pub egress_bytes_per_s: f64,
    /// Packets sent per second.
    #[serde(default)]
    pub packets_per_s: f64,
    /// How late its timers fire.
    #[serde(default)]
    pub lag_ms: f64,
    /// Bytes that wait in viewers' queues.
    #[serde(default)]
    pub backlog_bytes: f64,
    /// Processors in use.
    #[serde(default)]
    pub cpu_cores: f64,
    /// Resident bytes.
    #[serde(default)]
    pub memory_bytes: f64,
    /// 99th percentile from publish to write over 10 s; 0 when nothing was pushed.
    #[serde(default)]
    pub push_p99_ms: f64,
    /// Age of this report.
    #[serde(default)]
    pub age_ms: f64,
}

impl FleetGateway {
    /// The load in the core's form.
    #[must_use]
    pub fn report(&self) -> LoadReport {
        LoadReport {
            connections: self.connections,
            joins_per_s: self.joins_per_s,
            deliveries_per_s: self.deliveries_per_s,
            egress_bytes_per_s: self.egress_bytes_per_s,
            packets_per_s: self.packets_per_s,
            cpu_cores: self.cpu_cores,
            memory_bytes: self.memory_bytes,
            backlog_bytes: self.backlog_bytes,
            scheduling_lag_ms: self.lag_ms,
            push_p99_ms: self.push_p99_ms,
        }
    }

    /// What the core is told of a gateway that exists for `age_secs`.
    #[must_use]
    pub fn load(&self, age_secs: f64) -> GatewayLoad {
        GatewayLoad {
            id: self.gateway.clone(),
            phase: self.phase,
            age_secs,
            report: Some(self.report()),
            report_age_secs: self.age_ms / 1_000.0,
            cordoned: false,
            pinned: false,
            zone: None,
        }
    }
}

/// The answer of `GET /v1/admin/fleet`: an object, or the list alone from an entry
/// that never makes anybody wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FleetReport {
    /// The gateways and entry's counters.
    Counted {
        /// Every gateway that entry hears of.
        gateways: Vec<FleetGateway>,
        /// What entry counts, over all its replicas.
        entry: EntryLoad,
    },
    /// The gateways alone: nobody waits.
    Listed(Vec<FleetGateway>),
}

impl FleetReport {
    /// The gateways and entry's counters.
    #[must_use]
    pub fn into_parts(self) -> (Vec<FleetGateway>, EntryLoad) {
        match self {
            FleetReport::Counted { gateways, entry } => (gateways, entry),
            FleetReport::Listed(gateways) => (gateways, EntryLoad::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_understood_and_younger_figures_are_let_pass() {
        let gateway = r#"{"gateway": "g1", "phase": "draining", "connections": 7, "age_ms": 1500, "new": 1}"#;
        let listed: FleetReport = serde_json::from_str(&format!("[{gateway}]")).unwrap();
        let text =
            format!(r#"{{"gateways": [{gateway}], "entry": {{"waiting": 3.0, "granted_per_s": 2.0}}}}"#);
        let counted: FleetReport = serde_json::from_str(&text).unwrap();
        let (gateways, entry) = counted.into_parts();
        assert_eq!(entry.waiting, 3.0);
        assert_eq!(listed.into_parts(), (gateways.clone(), EntryLoad::default()));
        let load = gateways[0].load(60.0);
        assert_eq!((load.phase, load.connections(), load.report_age_secs), (Phase::Draining, 7.0, 1.5));
    }
}
