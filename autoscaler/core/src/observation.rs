//! Everything the core is told for one decision.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::{EntryLoad, ObservedGateway};
use crate::schedule::Schedule;

/// One look at the fleet. A log of these, one JSON object a line, is what `replay`,
/// `explain` and `compare` read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// When, in seconds since the clock's origin (the Unix epoch in production).
    pub at_secs: f64,
    /// Gateways that are asked for now, draining ones included.
    pub replicas: u32,
    /// Every gateway that exists.
    pub gateways: Vec<ObservedGateway>,
    /// Entry's counters; none when they are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryLoad>,
    /// How long the last starts took, in seconds, at most twenty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provision_secs: Vec<f64>,
    /// Crowds of single rooms, announced since the policy was written. They add up, and come on
    /// top of those who are there before them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prewarms: Vec<Schedule>,
    /// Somebody replaces the gateways just now.
    #[serde(default)]
    pub rollout: bool,
}

impl Observation {
    /// The time of it; the origin when the figure is no time.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::try_from_secs_f64(self.at_secs).unwrap_or_default()
    }
}
