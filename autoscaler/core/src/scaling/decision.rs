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
    /// Gateways whose drain starts.
    pub drain: Vec<GatewayId>,
    /// Gateways whose drain is cancelled: they admit joins again.
    pub undrain: Vec<GatewayId>,
    /// Drained gateways to delete, and no others; `replicas` no longer counts them.
    pub remove: Vec<GatewayId>,
    /// Viewers to move, by gateway.
    pub moves: Vec<Move>,
    /// Gateways whose weight at entry becomes 0; the factor lapses unless repeated.
    pub shut: Vec<GatewayId>,
    /// Numbers behind the decision.
    pub reason: Reason,
}

/// Viewers that move off one gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Gateway that gives the viewers.
    pub gateway: GatewayId,
    /// Viewers per second, until the next decision.
    pub viewers_per_s: f64,
    /// Cause for which the viewers move.
    pub cause: MoveCause,
}

/// Cause for which viewers move away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveCause {
    /// The gateway drains before its end.
    Drain,
    /// Other gateways have far fewer viewers.
    Rebalance,
}

/// The numbers behind a decision.
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
    /// Number of gateways that serve.
    pub serving: u32,
    /// Gateways that are starting or asked for.
    pub arriving: u32,
    /// Number of gateways that drain.
    pub draining: u32,
    /// Gateways that should report and do not, or whose reports are not credible.
    pub silent: u32,
    /// Connections of the fullest serving gateway, divided by the mean.
    pub skew: f64,
    /// Whether demand outgrows the fleet.
    pub panic: bool,
    /// Why the result differs from the need.
    pub constraints: Vec<Constraint>,
}
