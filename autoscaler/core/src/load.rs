//! What gateways and entry tell: the core's input.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::capacity::Knee;

/// Name of a gateway; cheap to clone.
pub type GatewayId = Arc<str>;

/// A figure beyond this multiple of its knee is a broken counter, not a load.
const ABSURD: f64 = 10.0;

/// Where a gateway stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Created, not useful yet.
    Starting,
    /// Serves and takes newcomers.
    Ready,
    /// Serves, takes no newcomers, its viewers are being moved.
    Draining,
    /// Runs and cannot serve.
    Unready,
    /// Ends by somebody else's will (a rollout, a node that goes).
    Ending,
}

/// One gateway's load over the last second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadReport {
    /// Open viewer connections.
    pub connections: f64,
    /// Viewers that came, per second.
    pub joins_per_s: f64,
    /// Messages handed to viewers per second.
    pub deliveries_per_s: f64,
    /// Bytes written per second.
    pub egress_bytes_per_s: f64,
    /// Packets sent per second.
    pub packets_per_s: f64,
    /// Processors in use.
    pub cpu_cores: f64,
    /// Resident bytes.
    pub memory_bytes: f64,
    /// Bytes that wait in viewers' queues.
    pub backlog_bytes: f64,
    /// How late its timers fire, in milliseconds.
    pub scheduling_lag_ms: f64,
    /// 99th percentile from publish to write over 10 s, in milliseconds; 0 when
    /// nothing was pushed.
    pub push_p99_ms: f64,
}

impl LoadReport {
    /// The load on an axis.
    #[must_use]
    pub fn on(&self, axis: Axis) -> f64 {
        match axis {
            Axis::Connections => self.connections,
            Axis::Joins => self.joins_per_s,
            Axis::Deliveries => self.deliveries_per_s,
            Axis::Egress => self.egress_bytes_per_s,
            Axis::Packets => self.packets_per_s,
            Axis::Cpu => self.cpu_cores,
            Axis::Memory => self.memory_bytes,
        }
    }

    /// Load over knee on an axis.
    #[must_use]
    pub fn utilization(&self, axis: Axis, knee: &Knee) -> f64 {
        self.on(axis) / knee.of(axis)
    }

    /// The greatest utilisation and its axis.
    #[must_use]
    pub fn hottest(&self, knee: &Knee) -> (Axis, f64) {
        Axis::ALL
            .into_iter()
            .map(|axis| (axis, self.utilization(axis, knee)))
            .fold((Axis::Connections, 0.0), |most, next| if next.1 > most.1 { next } else { most })
    }

    /// Whether the figures can be believed: finite, not negative, not far beyond what
    /// a gateway can carry.
    #[must_use]
    pub fn is_sane(&self, knee: &Knee) -> bool {
        let others = [self.backlog_bytes, self.scheduling_lag_ms, self.push_p99_ms];
        others.iter().all(|x| x.is_finite() && *x >= 0.0)
            && Axis::ALL.iter().all(|axis| {
                let load = self.on(*axis);
                load.is_finite() && load >= 0.0 && load <= ABSURD * knee.of(*axis)
            })
    }
}

/// A gateway as the observer knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayLoad {
    /// Its name.
    pub id: GatewayId,
    /// Its phase.
    pub phase: Phase,
    /// Seconds since it was created.
    pub age_secs: f64,
    /// Its newest report; none when it never sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<LoadReport>,
    /// Seconds since that report.
    #[serde(default)]
    pub report_age_secs: f64,
    /// An operator took it out, or it runs an old revision: the first to go.
    #[serde(default)]
    pub cordoned: bool,
    /// It holds something that must not move: never drained.
    #[serde(default)]
    pub pinned: bool,
    /// Its failure zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
}

impl GatewayLoad {
    /// Connections by the last report; 0 without one, or when the figure is no count.
    #[must_use]
    pub fn connections(&self) -> f64 {
        let connections = self.report.as_ref().map_or(0.0, |report| report.connections);
        if connections.is_finite() { connections.max(0.0) } else { 0.0 }
    }
}

/// What entry counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntryLoad {
    /// Viewers that hold a ticket for later, or were told to come back.
    pub waiting: f64,
    /// Viewers that entry sent to a gateway, per second.
    pub granted_per_s: f64,
}
