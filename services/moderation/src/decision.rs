//! What comes out of a check.

use std::time::Duration;

use barrage_protocol::{MessageId, RoomId, UserId};
use serde::{Deserialize, Serialize};

/// Characters of a text that an audit entry keeps.
pub const EXCERPT_CHARS_MAX: usize = 500;

/// What a rule does with a text that it hits, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: the rule is off.
    Admit,
    /// What it found becomes `*`; the rest is shown.
    Mask,
    /// The sender is told no.
    Refuse,
    /// The sender alone sees it.
    Hold,
}

/// What was done to a text or its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Parts became `*`.
    Mask,
    /// Refused.
    Refuse,
    /// Shown to its sender alone.
    Hold,
    /// The sender may not write in the room for a while.
    Mute,
}

impl Measure {
    /// Its name as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Measure::Mask => "mask",
            Measure::Refuse => "refuse",
            Measure::Hold => "hold",
            Measure::Mute => "mute",
        }
    }
}

impl Action {
    /// What it comes to; `None` when the rule is off.
    pub(crate) const fn measure(self) -> Option<Measure> {
        match self {
            Action::Admit => None,
            Action::Mask => Some(Measure::Mask),
            Action::Refuse => Some(Measure::Refuse),
            Action::Hold => Some(Measure::Hold),
        }
    }
}

/// A rule that a text met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHit {
    /// `length`, `repeat:user`, `repeat:room`, `links`, `list:NAME`, `hook`,
    /// `hook:away` (the fallback) or `escalation`.
    pub rule: String,
    /// What it does, or in shadow mode would have done.
    pub measure: Measure,
    /// What it saw, without the sender's words: `line 12`, a host, the hook's reason.
    pub detail: String,
}

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is shown as it is.
    Admit,
    /// This is shown instead. A hook may have written it: clean it like any post.
    Masked(String),
    /// The sender alone sees it.
    Held(RuleHit),
    /// The sender is told no.
    Refused(RuleHit),
}

/// One line of the audit log. Holds a person's words: for the audit log, not for logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
    /// Which message.
    pub message: MessageId,
    /// By which rule, and what was done.
    #[serde(flatten)]
    pub hit: RuleHit,
    /// The rule only watches: nothing was done.
    pub shadow: bool,
    /// The text's beginning, at most [`EXCERPT_CHARS_MAX`] characters.
    pub excerpt: String,
}

/// What a check decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the text.
    pub outcome: Outcome,
    /// What rules in shadow mode would have done.
    pub shadow: Vec<RuleHit>,
    /// For how long the sender is to be muted in the room from now on.
    pub mute: Option<Duration>,
    /// For the audit log; one for each hit, in shadow mode or not, and for a mute.
    pub audit: Vec<AuditEntry>,
}
