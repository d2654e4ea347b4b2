//! The dashboards, one file each.

mod autoscaler;
mod bus;
mod entry;
mod gateway;
mod load_test;
mod overview;
mod rooms;
mod uplink;

use crate::grafana::Dashboard;

/// Colours of a ratio of successes.
const SUCCESS: &[(&str, f64)] = &[("red", f64::NEG_INFINITY), ("orange", 0.99), ("green", 0.999)];
/// Colours of a number that is 0 in a healthy system.
const ZERO: &[(&str, f64)] = &[("red", 1.0)];

/// Returns all dashboards, the one to open first at the front.
#[must_use]
pub fn all() -> [Dashboard; 8] {
    [
        overview::dashboard(),
        rooms::dashboard(),
        gateway::dashboard(),
        uplink::dashboard(),
        entry::dashboard(),
        autoscaler::dashboard(),
        bus::dashboard(),
        load_test::dashboard(),
    ]
}
