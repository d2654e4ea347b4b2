//! Recording and alert rules for Prometheus.

mod alert;
mod burn;
mod group;
mod groups;
mod yaml;

pub use alert::{Alert, Severity};
pub use burn::{OBJECTIVES, Objective};
pub use group::{Group, Record};

/// Returns all groups: the objectives first, then one group for each part of the system.
#[must_use]
pub fn groups() -> Vec<Group> {
    let mut groups = burn::groups();
    groups.extend(groups::all());
    groups
}

/// Returns a rule file with these groups, in Prometheus' YAML.
#[must_use]
pub fn yaml(groups: &[Group]) -> String {
    yaml::write(groups)
}
