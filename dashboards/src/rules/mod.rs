//! Recording and alert rules for Prometheus.

mod alert;
mod burn;
mod groups;
mod yaml;

pub use alert::{Alert, Severity};
pub use burn::{OBJECTIVES, Objective};

/// A rule that records the result of a query under a name `level:metric:operation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Name of the recorded metric.
    pub name: String,
    /// PromQL of the recorded value.
    pub expr: String,
}

/// Rules that Prometheus evaluates one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Name of the group, unique in the file.
    pub name: String,
    /// Recorded values, which the alerts of the group may use.
    pub records: Vec<Record>,
    /// Alerts of the group.
    pub alerts: Vec<Alert>,
}

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
