//! Alerts beside the objectives: one file for each part of the system.

mod autoscaler;
mod bus;
mod entry;
mod gateway;
mod process;
mod uplink;

use super::group::Group;

/// Returns one group for each part.
pub(super) fn all() -> [Group; 6] {
    let group = |part: &str, alerts| Group { name: format!("barrage-{part}"), records: Vec::new(), alerts };
    [
        group("gateway", gateway::alerts()),
        group("entry", entry::alerts()),
        group("uplink", uplink::alerts()),
        group("bus", bus::alerts()),
        group("autoscaler", autoscaler::alerts()),
        group("process", process::alerts()),
    ]
}
