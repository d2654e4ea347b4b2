//! What the core decided, and why.

use serde::{Deserialize, Serialize};

use crate::constraint::Constraint;
use crate::demand::Demand;
use crate::forecast::Forecast;
use crate::load::GatewayId;
use crate::need::Need;

/// Orders for one tick. All of them are safe to repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Gateways to ask for, draining ones included.
    pub replicas: u32,
    /// Gateways whose drain begins.
    pub drain: Vec<GatewayId>,
    /// Gateways whose drain is called off: they take newcomers again.
    pub undrain: Vec<GatewayId>,
    /// Drained gateways that may go now: exactly these, and `replicas` counts them as
    /// gone.
    pub remove: Vec<GatewayId>,
    /// Viewers to move, by gateway.
    pub moves: Vec<Move>,
    /// Gateways that entry shall send nobody; lapses unless repeated.
    pub shut: Vec<GatewayId>,
    /// Why.
    pub reason: Reason,
}

/// Viewers that one gateway gives away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Who gives.
    pub gateway: GatewayId,
    /// How many per second, until the next decision.
    pub viewers_per_s: f64,
    /// What for.
    pub cause: MoveCause,
}

/// Why viewers move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveCause {
    /// The gateway drains.
    Drain,
    /// Others are much emptier.
    Rebalance,
}

/// The numbers behind a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Demand now.
    pub demand: Demand,
    /// Demand when a new gateway would be useful.
    pub forecast: Forecast,
    /// Gateways needed for it, by axis.
    pub need: Need,
    /// The need with its reserve, before anything limited it.
    pub raw: u32,
    /// Gateways that should serve, after floor, ceiling and schedules.
    pub wanted: u32,
    /// Gateways that serve now.
    pub serving: u32,
    /// Gateways on the way.
    pub arriving: u32,
    /// Gateways that drain.
    pub draining: u32,
    /// Gateways that should report and do not.
    pub silent: u32,
    /// Connections of the fullest serving gateway over their mean.
    pub skew: f64,
    /// Whether the crowd outgrows the fleet.
    pub panic: bool,
    /// What changed or held back the result.
    pub constraints: Vec<Constraint>,
}
