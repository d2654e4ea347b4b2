//! One alert: condition, urgency, and the texts for the person on call.

/// Who acts on an alert, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Wakes the person on call: viewers notice now.
    Critical,
    /// Is looked at on the same working day.
    Warning,
    /// Needs no action by itself.
    Info,
}

impl Severity {
    /// Returns the value of the label `severity`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// One alert rule. Several rules may have one name and one runbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Name of the alert; in lower case it is the anchor of the runbook.
    pub name: &'static str,
    /// Value of the label `severity`.
    pub severity: Severity,
    /// Value of the label `window`, by which rules of one name and severity differ.
    pub window: Option<&'static str>,
    /// PromQL of the condition.
    pub expr: String,
    /// Time for which the condition holds before the alert fires, such as `5m`.
    pub held: &'static str,
    /// The state in one sentence, without a value.
    pub summary: String,
    /// The state with its value and unit, and the instance or fleet.
    pub description: String,
    /// Name of the dashboard to open.
    pub dashboard: &'static str,
}

impl Alert {
    /// Returns the place of the runbook in the repository.
    #[must_use]
    pub fn runbook(&self) -> String {
        format!("docs/operations.md#{}", self.name.to_lowercase())
    }
}

/// Makes an alert of any severity.
pub(super) fn alert(
    name: &'static str,
    severity: Severity,
    dashboard: &'static str,
    held: &'static str,
    expr: &str,
    [summary, description]: [&str; 2],
) -> Alert {
    Alert {
        name,
        severity,
        window: None,
        expr: expr.to_owned(),
        held,
        summary: summary.to_owned(),
        description: description.to_owned(),
        dashboard,
    }
}
