//! Load reports of gateways, counters of entry, and gateways as an observer sees them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::capacity::Knee;

/// Name of a gateway, unique in its fleet; in Kubernetes the name of the pod.
pub type GatewayId = Arc<str>;

/// A figure beyond this multiple of its knee is a broken counter.
const CREDIBLE_TIMES_MAX: f64 = 10.0;

/// Phase in the life of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The gateway has been created and has not become ready yet.
    Starting,
    /// The gateway serves its viewers and admits joins.
    Ready,
    /// Serves, refuses joins, and moves its viewers to other gateways.
    Draining,
    /// The gateway runs but cannot serve, and admits no joins.
    Unready,
    /// Ends for a reason outside of the autoscaler, such as a rollout or a node that is removed.
    Ending,
}

/// Load of one gateway, as the gateway itself reports it every second: in the registry, at
/// `GET /v1/admin/fleet`, and in logs of observations. Rates are over the last second. Unknown
/// keys are ignored, because a gateway may be newer than the reader of its report.
///
/// Counts are `f64`, because the simulator moves fractions of viewers; a whole count is written
/// as an integer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LoadReport {
    /// Connections of viewers that are open at the time of the report.
    #[serde(serialize_with = "count")]
    #[schemars(with = "f64")]
    pub connections: f64,
    /// Open viewer connections at most; 0 when the gateway reports no limit, and then it takes
    /// no viewer.
    pub connections_max: u64,
    /// Number of rooms that the gateway subscribes to for its viewers.
    pub rooms: u64,
    /// Viewers that joined per second, in the last second.
    pub joins_per_s: f64,
    /// Joins per second that the gateway admits at most; 0 when it sets no limit.
    pub joins_per_s_max: u32,
    /// Messages delivered to viewers per second, each viewer counted.
    pub deliveries_per_s: f64,
    /// Bytes accepted by viewers' sockets, per second.
    pub egress_bytes_per_s: f64,
    /// Writes to viewers' sockets, per second; each is one packet or more.
    #[serde(alias = "packets_per_s")]
    pub writes_per_s: f64,
    /// Bytes that wait in the queues of all viewers.
    #[serde(serialize_with = "count")]
    #[schemars(with = "f64")]
    pub backlog_bytes: f64,
    /// Processors in use by the whole process.
    pub cpu_cores: f64,
    /// Resident bytes of the whole gateway process.
    #[serde(serialize_with = "count")]
    #[schemars(with = "f64")]
    pub memory_bytes: f64,
    /// Longest time from the creation of a batch to its last write, in milliseconds.
    #[serde(alias = "scheduling_lag_ms")]
    pub lag_ms: f64,
    /// 99th percentile, over viewers, of the time from the acceptance of a batch's oldest
    /// message to its write, in milliseconds; 0 when nothing was sent.
    pub push_p99_ms: f64,
    /// Overload level of the gateway, 0 to 4.
    pub overload_level: u8,
}

/// Writes a whole number without a fraction, as readers that count in integers expect it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn count<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match *value {
        value if value.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&value) => {
            serializer.serialize_u64(value as u64)
        }
        value => serializer.serialize_f64(value),
    }
}

impl LoadReport {
    /// Whether the gateway has a free connection slot.
    #[must_use]
    pub fn has_free_slot(&self) -> bool {
        self.connections < self.connections_max as f64
    }

    /// Returns the load on an axis, in the unit of the axis.
    #[must_use]
    pub fn on(&self, axis: Axis) -> f64 {
        match axis {
            Axis::Connections => self.connections,
            Axis::Joins => self.joins_per_s,
            Axis::Deliveries => self.deliveries_per_s,
            Axis::Egress => self.egress_bytes_per_s,
            Axis::Packets => self.writes_per_s,
            Axis::Cpu => self.cpu_cores,
            Axis::Memory => self.memory_bytes,
        }
    }

    /// Load on an axis, divided by the knee.
    #[must_use]
    pub fn utilization(&self, axis: Axis, knee: &Knee) -> f64 {
        self.on(axis) / knee.of(axis)
    }

    /// The axis with the greatest utilisation, and the utilisation.
    #[must_use]
    pub fn hottest(&self, knee: &Knee) -> (Axis, f64) {
        Axis::ALL
            .into_iter()
            .map(|axis| (axis, self.utilization(axis, knee)))
            .fold((Axis::Connections, 0.0), |most, next| if next.1 > most.1 { next } else { most })
    }

    /// Whether the figures are credible: finite, not negative, and not far beyond the capacity of
    /// a gateway.
    #[must_use]
    pub fn is_sane(&self, knee: &Knee) -> bool {
        let others = [self.backlog_bytes, self.lag_ms, self.push_p99_ms];
        others.iter().all(|x| x.is_finite() && *x >= 0.0)
            && Axis::ALL.iter().all(|axis| {
                let load = self.on(*axis);
                load.is_finite() && load >= 0.0 && load <= CREDIBLE_TIMES_MAX * knee.of(*axis)
            })
    }
}

/// A gateway as an observer sees it: its state, and its newest report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedGateway {
    /// Name of the gateway, by which decisions refer to it.
    pub id: GatewayId,
    /// Phase in which the observer saw the gateway.
    pub phase: Phase,
    /// Seconds since the gateway was created, not since it became ready.
    pub age_secs: f64,
    /// Newest report; absent when the gateway has sent none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<LoadReport>,
    /// Seconds since the newest report; without a report the value has no meaning.
    #[serde(default)]
    pub report_age_secs: f64,
    /// An operator cordoned the gateway, or it runs an old revision: scale-in drains it first.
    #[serde(default)]
    pub cordoned: bool,
    /// The gateway is pinned by an operator: scale-in never drains it.
    #[serde(default)]
    pub pinned: bool,
    /// Failure zone in which the gateway runs; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
}

impl ObservedGateway {
    /// A gateway that has just been created and has not reported.
    #[must_use]
    pub fn new(id: impl Into<GatewayId>, phase: Phase) -> Self {
        ObservedGateway {
            id: id.into(),
            phase,
            age_secs: 0.0,
            report: None,
            report_age_secs: 0.0,
            cordoned: false,
            pinned: false,
            zone: None,
        }
    }

    /// Connections in the newest report; 0 without a report, or when the figure is no count.
    #[must_use]
    pub fn connections(&self) -> f64 {
        let connections = self.report.as_ref().map_or(0.0, |report| report.connections);
        if connections.is_finite() { connections.max(0.0) } else { 0.0 }
    }
}

/// Newcomers at one entry, or at all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EntryLoad {
    /// Viewers that hold a ticket for later, or that entry asked to come back.
    #[serde(serialize_with = "count")]
    #[schemars(with = "f64")]
    pub waiting: f64,
    /// Viewers that entry sends to gateways, per second.
    pub granted_per_s: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_writes_whole_counts_as_integers_and_reads_older_keys() {
        let report = LoadReport { connections: 7.0, backlog_bytes: 0.5, ..LoadReport::default() };
        let text = serde_json::to_string(&report).unwrap();
        let keys = r#"{"connections":7,"connections_max":0,"rooms":0,"joins_per_s":0.0,"joins_per_s_max":0,"#;
        assert!(text.starts_with(keys), "{text}");
        assert!(text.contains(r#""backlog_bytes":0.5,"cpu_cores":0.0,"memory_bytes":0,"#), "{text}");
        assert_eq!(serde_json::from_str::<LoadReport>(&text).unwrap(), report);
        let older = r#"{"packets_per_s": 3.5, "scheduling_lag_ms": 2, "younger": 1}"#;
        let read: LoadReport = serde_json::from_str(older).unwrap();
        assert_eq!((read.writes_per_s, read.lag_ms), (3.5, 2.0));
    }
}
