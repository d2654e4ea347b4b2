//! The dashboards, one file each.

mod autoscaler;
mod bus;
mod colours;
mod entry;
mod gateway;
mod load_test;
mod overview;
mod rooms;
mod uplink;

use crate::grafana::Dashboard;

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
