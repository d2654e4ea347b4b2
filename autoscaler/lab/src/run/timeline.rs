//! A run over time, sampled for plots.

use serde::{Deserialize, Serialize};

/// Maximum number of points of a run; longer runs are sampled less often.
const POINTS_MAX: u64 = 600;
/// Most events of a run; later ones are dropped.
const EVENTS_MAX: usize = 400;

/// State of the simulation at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Seconds since the beginning of the run.
    pub at_secs: f64,
    /// Viewers that want to watch at this moment.
    pub viewers: f64,
    /// Viewers that have no gateway at this moment.
    pub waiting: f64,
    /// Viewers that the ready gateways can carry.
    pub capacity: f64,
    /// Forecast for the horizon, made at this moment; 0 without one.
    pub forecast: f64,
    /// Number of gateways that the policy has set.
    pub replicas: f64,
    /// Number of gateways that admit joins at this moment.
    pub serving: f64,
    /// Gateways that a fleet without start times would need.
    pub needed: f64,
    /// Connections of the fullest ready gateway, divided by the mean.
    pub skew: f64,
    /// Greatest utilisation of any gateway; 1 is the knee.
    pub utilization: f64,
}

/// An action of the policy or a failure, as a mark on plots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since the beginning of the run.
    pub at_secs: f64,
    /// Description that a plot shows at the mark.
    pub text: String,
}

/// States and events of a run, sampled for plots.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// States at evenly spaced times, in order of time.
    pub points: Vec<Point>,
    /// Actions and failures in order of time, at most 400.
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
