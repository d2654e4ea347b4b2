//! A run over time, thinned for plots.

use serde::{Deserialize, Serialize};

/// Points of a run at most.
const POINTS_MAX: u64 = 600;
/// Events of a run that are kept at most; later ones are left out.
const EVENTS_MAX: usize = 400;

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Seconds from the beginning.
    pub at_secs: f64,
    /// Viewers that want to watch.
    pub viewers: f64,
    /// Those who wait.
    pub waiting: f64,
    /// Viewers that the ready gateways can carry.
    pub capacity: f64,
    /// The forecast made now for its horizon; 0 when there is none.
    pub forecast: f64,
    /// Gateways asked for.
    pub replicas: f64,
    /// Gateways that take newcomers.
    pub serving: f64,
    /// Gateways that one might do with.
    pub needed: f64,
    /// Connections of the fullest ready gateway over the mean.
    pub skew: f64,
    /// The greatest utilisation.
    pub utilization: f64,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds from the beginning.
    pub at_secs: f64,
    /// What.
    pub what: String,
}

/// A run over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Moments, evenly spaced.
    pub points: Vec<Point>,
    /// Events.
    pub events: Vec<Event>,
}

impl Timeline {
    pub(super) fn is_due(at_secs: u64, duration_secs: u64) -> bool {
        at_secs.is_multiple_of(duration_secs.div_ceil(POINTS_MAX).max(1))
    }

    pub(super) fn note(&mut self, at_secs: f64, what: String) {
        if self.events.len() < EVENTS_MAX {
            self.events.push(Event { at_secs, what });
        }
    }
}
