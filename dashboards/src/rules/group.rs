use super::alert::Alert;

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
