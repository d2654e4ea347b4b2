//! The result of a check: its outcome, its hits and its audit entries.

use std::time::Duration;

use barrage_part::{Kind, Setting};
use barrage_protocol::{MessageId, RoomId, UserId};
use serde::{Deserialize, Serialize};

/// Maximum characters of a text that an audit entry keeps.
pub const EXCERPT_CHARS_MAX: usize = 500;

/// The configured action of a rule on a text that it hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Shows the text unchanged; a rule with this action is off.
    Admit,
    /// Replaces each found character by `*`; the rest is shown.
    Mask,
    /// Refuses the post, with an error that the sender sees.
    Refuse,
    /// Shows the post to its sender alone.
    Hold,
    /// Lets the post wait for a moderator of the room.
    Review,
}

impl Setting for Action {
    const KIND: Kind = Kind::Choice(&["admit", "mask", "refuse", "hold", "review"]);
}

/// What a rule did to a text or its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Characters of the text were replaced by `*`.
    Mask,
    /// The post was refused, with an error that the sender sees.
    Refuse,
    /// The post was shown to its sender alone.
    Hold,
    /// The post waits for a moderator of the room.
    Review,
    /// The sender was muted in the room.
    Mute,
}

impl Measure {
    /// Returns the name, as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Measure::Mask => "mask",
            Measure::Refuse => "refuse",
            Measure::Hold => "hold",
            Measure::Review => "review",
            Measure::Mute => "mute",
        }
    }
}

impl Action {
    /// Returns the measure of the action; `None` when the rule is off.
    pub(crate) const fn measure(self) -> Option<Measure> {
        match self {
            Action::Admit => None,
            Action::Mask => Some(Measure::Mask),
            Action::Refuse => Some(Measure::Refuse),
            Action::Hold => Some(Measure::Hold),
            Action::Review => Some(Measure::Review),
        }
    }
}

/// A hit of a rule on one text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHit {
    /// `length`, `repeat:user`, `repeat:room`, `links`, `list:NAME`, `words:NAME` (of the room), `hook`,
    /// `hook:away` (the fallback) or `escalation`.
    pub rule: String,
    /// Measure that the rule takes, or in shadow mode would have taken.
    pub measure: Measure,
    /// Cause of the hit, without the sender's text: `line 12`, a host, the hook's reason.
    pub detail: String,
    /// First part of the text that the rule matched, for those who review the text; absent for a rule
    /// without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
}

/// The outcome of a check for the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The text is shown to viewers unchanged.
    Admit,
    /// This text is shown instead. A hook may have written it, so the caller cleans it like any post.
    Masked(String),
    /// The text is shown to its sender alone.
    Held(RuleHit),
    /// The text waits for a moderator, who sees this form of it; `None` for the original.
    Review(RuleHit, Option<String>),
    /// The post is refused with an answer to the sender.
    Refused(RuleHit),
}

/// One line of the audit log. It holds text of the sender, so it must not go into other logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Unix time of the check, in milliseconds.
    pub at_ms: u64,
    /// Room to which the text was posted.
    pub room: RoomId,
    /// User that posted the text, as the token names it.
    pub user: UserId,
    /// Id that the sender chose for the message.
    pub message: MessageId,
    /// The rule that was hit, and its measure.
    #[serde(flatten)]
    pub hit: RuleHit,
    /// Whether the rule is in shadow mode, so that it did nothing.
    pub shadow: bool,
    /// Beginning of the text, of at most [`EXCERPT_CHARS_MAX`] characters.
    pub excerpt: String,
}

/// The decision about one text, which the caller carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How the text is shown, if at all.
    pub outcome: Outcome,
    /// Hits of rules in shadow mode, which changed nothing.
    pub shadow: Vec<RuleHit>,
    /// Time for which the caller mutes the sender in the room.
    pub mute: Option<Duration>,
    /// Entries for the audit log: one for each hit, in shadow mode too, and one for a mute.
    pub audit: Vec<AuditEntry>,
}
