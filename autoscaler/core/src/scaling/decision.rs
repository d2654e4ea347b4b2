//! A decision and the numbers behind it.

use serde::{Deserialize, Serialize};

use super::constraint::Constraint;
use crate::estimate::{Demand, Forecast, Need};
use crate::observed::GatewayId;

/// The decision of one tick. Carrying it out twice has the effect of once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Gateways to ask for, draining ones included.
    pub replicas: u32,
    /// Gateways that start to drain in this tick.
    pub drain: Vec<GatewayId>,
    /// Gateways whose drain is cancelled: they admit joins again.
    pub undrain: Vec<GatewayId>,
    /// Drained gateways to delete, and no others; `replicas` no longer counts them.
    pub remove: Vec<GatewayId>,
    /// Viewers to move, with the pace for each gateway.
    pub moves: Vec<Move>,
    /// Gateways whose weight at entry becomes 0; the factor lapses unless repeated.
    pub shut: Vec<GatewayId>,
    /// Numbers behind the decision, for explanations, metrics and logs.
    pub reason: Reason,
}

/// Pace at which one gateway moves viewers to other gateways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Name of the gateway that the viewers leave.
    pub gateway: GatewayId,
    /// Viewers per second, until the next decision.
    pub viewers_per_s: f64,
    /// Cause of the move: a drain or a rebalance.
    pub cause: MoveCause,
}

/// Cause for which a gateway moves viewers to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveCause {
    /// The gateway drains, so all of its viewers move before it ends.
    Drain,
    /// The gateway is far above the mean of the others, so a share of its viewers moves.
    Rebalance,
}

/// Numbers that led to a decision, for explanations and logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Demand at the time of the observation.
    pub demand: Demand,
    /// Demand at the time when a new gateway would be ready.
    pub forecast: Forecast,
    /// Gateways that the forecast needs, by axis.
    pub need: Need,
    /// The need with its reserve, before any limit.
    pub raw: u32,
    /// Gateways that should serve, after floor, ceiling and schedules.
    pub wanted: u32,
    /// Number of gateways that serve and admit joins at this tick.
    pub serving: u32,
    /// Gateways that are starting or asked for.
    pub arriving: u32,
    /// Number of gateways that drain at this tick.
    pub draining: u32,
    /// Gateways that should report and do not, or whose reports are not credible.
    pub silent: u32,
    /// Connections of the fullest serving gateway, divided by the mean.
    pub skew: f64,
    /// Whether panic mode holds, because demand outgrows the fleet.
    pub panic: bool,
    /// Why the result differs from the need.
    pub constraints: Vec<Constraint>,
}
