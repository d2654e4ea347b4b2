//! Constraints: why the replicas differ from the need.

use serde::{Deserialize, Serialize};

/// A reason why the replicas differ from the need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// The need is above `replicas_max`, so the ceiling decides and entry limits joins.
    AtMaximum,
    /// The need is below `replicas_min`, so the floor decides.
    AtMinimum,
    /// An announced audience or a schedule raised the floor above the need.
    Schedule,
    /// Panic mode is on: no gateway drains until demand has settled.
    Panic,
    /// The need was higher within the scale-in window.
    Window,
    /// The scale-in window is not yet full.
    Settling,
    /// Gateways were added a short time ago.
    AfterOut,
    /// The share of gateways that may start to drain in this period has started.
    StepLimit,
    /// The greatest number of gateways drains already.
    DrainingLimit,
    /// The other gateways cannot admit more moving viewers in time.
    DrainPace,
    /// A gateway sends no report, or one that is not credible.
    MissingReports,
    /// So many gateways send no report that the fleet stays and demand is estimated.
    Blind,
    /// The fleet has been blind for so long that the fallback holds.
    Fallback,
    /// Entry's counters are missing: the need is raised, and no gateway drains.
    EntryGone,
    /// A gateway is starting or unready; Kubernetes would delete it first.
    NotReady,
    /// Another program, such as a rollout, replaces gateways at this moment.
    Rollout,
    /// The mode is `paused`: the autoscaler leaves the fleet as it is.
    Paused,
    /// The mode is `scale_out_only`: no gateway drains.
    ScaleOutOnly,
}

impl Constraint {
    /// Returns the constraint's name in metrics and files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.texts().0
    }

    /// Returns one sentence that explains the effect to an operator.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        self.texts().1
    }

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Constraint::AtMaximum => ("at_maximum", "The ceiling replicas_max holds; entry limits joins."),
            Constraint::AtMinimum => ("at_minimum", "The floor replicas_min holds."),
            Constraint::Schedule => ("schedule", "An announced audience raises the floor."),
            Constraint::Panic => ("panic", "Panic: no gateway drains until demand has settled."),
            Constraint::Window => ("window", "The need was higher within scale_in.window_secs."),
            Constraint::Settling => ("settling", "Less than scale_in.window_secs has been observed."),
            Constraint::AfterOut => ("after_out", "Gateways were added within scale_in.after_out_secs."),
            Constraint::StepLimit => {
                ("step_limit", "scale_in.percent_max of the fleet has started to drain in this period.")
            }
            Constraint::DrainingLimit => ("draining_limit", "scale_in.draining_max gateways drain already."),
            Constraint::DrainPace => {
                ("drain_pace", "The other gateways cannot admit more moving viewers in time.")
            }
            Constraint::MissingReports => {
                ("missing_reports", "A gateway sends no credible report: no scale-in.")
            }
            Constraint::Blind => {
                ("blind", "Most gateways send no report: the fleet stays, and demand is estimated.")
            }
            Constraint::Fallback => {
                ("fallback", "No reports for missing.fallback_after_secs: missing.fallback_replicas holds.")
            }
            Constraint::EntryGone => {
                ("entry_gone", "Entry's counters are missing: the need is raised, no scale-in.")
            }
            Constraint::NotReady => {
                ("not_ready", "A gateway is not ready; Kubernetes would delete it first.")
            }
            Constraint::Rollout => ("rollout", "A rollout replaces gateways."),
            Constraint::Paused => ("paused", "The mode is paused."),
            Constraint::ScaleOutOnly => ("scale_out_only", "The mode is scale-out only."),
        }
    }
}

/// Adds a constraint unless the list has it already.
pub(crate) fn add(constraints: &mut Vec<Constraint>, constraint: Constraint) {
    if !constraints.contains(&constraint) {
        constraints.push(constraint);
    }
}
