//! The observation of a fleet that one decision is made on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::load::{EntryLoad, ObservedGateway};
use crate::schedule::Schedule;

/// One observation of a fleet. `replay`, `explain` and `compare` read a log of these, one JSON
/// object a line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Time in seconds since the clock's origin, in production the Unix epoch.
    pub at_secs: f64,
    /// Gateways that are asked for, draining ones included.
    pub replicas: u32,
    /// Every gateway that exists, in any phase.
    pub gateways: Vec<ObservedGateway>,
    /// Entry's counters; absent when they cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryLoad>,
    /// Durations of the last starts in seconds, at most twenty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provision_secs: Vec<f64>,
    /// Announced audiences of single rooms. They add up, and come in addition to the viewers that
    /// are connected before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prewarms: Vec<Schedule>,
    /// Another program replaces or removes gateways at this moment.
    #[serde(default)]
    pub rollout: bool,
}

impl Observation {
    /// Time of the observation; the origin when the figure is no time.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::try_from_secs_f64(self.at_secs).unwrap_or_default()
    }
}
