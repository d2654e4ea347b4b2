//! A run over time, sampled for plots.

use serde::{Deserialize, Serialize};

/// Most points of a run.
const POINTS_MAX: u64 = 600;
/// Most events of a run; later ones are dropped.
const EVENTS_MAX: usize = 400;

/// State of the simulation at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Seconds from the beginning.
    pub at_secs: f64,
    /// Viewers that want to watch.
    pub viewers: f64,
    /// Viewers without a gateway.
    pub waiting: f64,
    /// Viewers that the ready gateways can carry.
    pub capacity: f64,
    /// Forecast for the horizon, made at this moment; 0 without one.
    pub forecast: f64,
    /// Gateways that the policy has set.
    pub replicas: f64,
    /// Gateways that admit joins.
    pub serving: f64,
    /// Gateways that a fleet without start times would need.
    pub needed: f64,
    /// Connections of the fullest ready gateway, divided by the mean.
    pub skew: f64,
    /// Greatest utilisation of any gateway.
    pub utilization: f64,
}

/// An action or a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds from the beginning.
    pub at_secs: f64,
    /// Description for a plot.
    pub text: String,
}

/// A run over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Points at evenly spaced times.
    pub points: Vec<Point>,
    /// Actions and failures, in order.
    pub events: Vec<Event>,
}

impl Timeline {
    pub(crate) fn is_due(at_secs: u64, duration_secs: u64) -> bool {
        at_secs.is_multiple_of(duration_secs.div_ceil(POINTS_MAX).max(1))
    }

    pub(crate) fn note(&mut self, at_secs: f64, text: String) {
        if self.events.len() < EVENTS_MAX {
            self.events.push(Event { at_secs, text });
        }
    }
}
