//! What changes or holds back a result.

use serde::{Deserialize, Serialize};

/// One reason why the replicas are not simply the need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// The policy's ceiling.
    AtMaximum,
    /// The policy's floor.
    AtMinimum,
    /// A known crowd raised the floor.
    Schedule,
    /// Panic.
    Panic,
    /// The greatest need of the window is higher than that of now.
    Window,
    /// The window is not full yet.
    Settling,
    /// Gateways were added a moment ago.
    AfterOut,
    /// A period's share has begun to drain already.
    StepLimit,
    /// As many drain as may at once.
    DrainingLimit,
    /// The others could not admit more moving viewers.
    DrainPace,
    /// A gateway is silent.
    MissingReports,
    /// Most gateways are silent.
    Blind,
    /// Blind for long: the fallback counts.
    Fallback,
    /// Entry's counters are missing.
    EntryGone,
    /// A gateway is starting or cannot serve: it would be deleted first.
    NotReady,
    /// A rollout replaces gateways.
    Rollout,
    /// The mode is paused.
    Paused,
    /// The mode forbids scale-in.
    ScaleOutOnly,
}

impl Constraint {
    /// The label in metrics and files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.words().0
    }

    /// What it did, in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        self.words().1
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Constraint::AtMaximum => ("at_maximum", "The ceiling replicas_max holds; entry paces joins."),
            Constraint::AtMinimum => ("at_minimum", "The floor replicas_min holds."),
            Constraint::Schedule => ("schedule", "A crowd that is known beforehand raises the floor."),
            Constraint::Panic => ("panic", "Panic: nothing is drained until the crowd has settled."),
            Constraint::Window => ("window", "The need was higher within scale_in.window_secs."),
            Constraint::Settling => ("settling", "Not a whole scale_in.window_secs has been seen yet."),
            Constraint::AfterOut => ("after_out", "Gateways were added within scale_in.after_out_secs."),
            Constraint::StepLimit => ("step_limit", "scale_in.percent_max of the fleet drains per period."),
            Constraint::DrainingLimit => ("draining_limit", "scale_in.draining_max gateways drain already."),
            Constraint::DrainPace => {
                ("drain_pace", "The others could not admit more moving viewers in time.")
            }
            Constraint::MissingReports => ("missing_reports", "A gateway is silent or absurd: no scale-in."),
            Constraint::Blind => {
                ("blind", "Most gateways are silent: the fleet is held, demand is estimated.")
            }
            Constraint::Fallback => ("fallback", "Blind beyond missing.fallback_after_secs."),
            Constraint::EntryGone => {
                ("entry_gone", "Entry's counters are missing: need raised, no scale-in.")
            }
            Constraint::NotReady => ("not_ready", "A gateway that is not ready would be deleted first."),
            Constraint::Rollout => ("rollout", "A rollout is replacing gateways."),
            Constraint::Paused => ("paused", "The mode is paused."),
            Constraint::ScaleOutOnly => ("scale_out_only", "The mode is scale-out only."),
        }
    }
}
