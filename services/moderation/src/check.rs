//! The check of one text: the hits of the rules so far.

use barrage_protocol::{Class, MessageId, RoomId, UserId};

use crate::decision::{AuditEntry, Decision, EXCERPT_CHARS_MAX, Measure, Outcome, RuleHit};
use crate::metrics::{ModerationMetrics, RuleKind};
use crate::rules::Mask;
use crate::rules::room_rules::RoomRules;

/// A text to be checked, with its sender and room.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Room to which the text is posted.
    pub room: &'a RoomId,
    /// Sender. The caller does not check the posts of those who run the room.
    pub user: &'a UserId,
    /// Id of the message. A retry under the same id counts once.
    pub id: &'a MessageId,
    /// Name of the sender as the token has it, for the hook.
    pub name: &'a str,
    /// Role of the sender in the room, for the hook.
    pub role: &'a str,
    /// Attributes of the sender's token as a JSON object, for the hook; empty without any.
    pub attributes: &'a str,
    /// Rules of the room's own words.
    pub room_rules: Option<&'a RoomRules>,
    /// Class of the message, for the hook.
    pub class: Class,
    /// Text that viewers would see if no rule acted.
    pub text: &'a str,
}

/// Whether a rule acts, or only reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Active,
    Shadow,
}

impl Mode {
    pub(crate) const fn of(shadow: bool) -> Self {
        if shadow { Mode::Shadow } else { Mode::Active }
    }
}

/// One check in progress: the hits so far.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    pub(crate) candidate: Candidate<'a>,
    pub(crate) mask: Mask,
    /// The hook's text. It replaces the masked one.
    pub(crate) rewritten: Option<String>,
    /// The rule that refused or held the text. Later rules are skipped.
    pub(crate) decided: Option<RuleHit>,
    /// Whether a rule that counts towards a mute acted.
    pub(crate) counts_as_hit: bool,
    shadow: Vec<RuleHit>,
    audit: Vec<AuditEntry>,
    at_ms: u64,
    metrics: &'a ModerationMetrics,
}

impl<'a> Check<'a> {
    pub(crate) fn new(candidate: Candidate<'a>, at_ms: u64, metrics: &'a ModerationMetrics) -> Self {
        Check {
            candidate,
            mask: Mask::default(),
            rewritten: None,
            decided: None,
            counts_as_hit: false,
            shadow: Vec::new(),
            audit: Vec::new(),
            at_ms,
            metrics,
        }
    }

    /// Adds a hit: to the metrics, to the audit, and to the decision.
    pub(crate) fn hit(&mut self, kind: RuleKind, hit: RuleHit, mode: Mode) {
        self.metrics.hit(kind, hit.measure, mode == Mode::Shadow);
        self.audit.push(AuditEntry {
            at_ms: self.at_ms,
            room: self.candidate.room.clone(),
            user: self.candidate.user.clone(),
            message: self.candidate.id.clone(),
            hit: hit.clone(),
            shadow: mode == Mode::Shadow,
            excerpt: self.candidate.text.chars().take(EXCERPT_CHARS_MAX).collect(),
        });
        if mode == Mode::Shadow {
            self.shadow.push(hit);
            return;
        }
        // A hook that is away is no fault of the sender, and a moderator decides first about a review.
        self.counts_as_hit |=
            !matches!(kind, RuleKind::HookAway | RuleKind::Escalation) && hit.measure != Measure::Review;
        if matches!(hit.measure, Measure::Refuse | Measure::Hold | Measure::Review) {
            self.decided = Some(hit);
        }
    }

    /// Returns the text with its masks; `None` when it is the original.
    pub(crate) fn masked(&self) -> Option<String> {
        match &self.rewritten {
            Some(text) => Some(text.clone()),
            None => (!self.mask.is_empty()).then(|| self.mask.apply(self.candidate.text)),
        }
    }

    pub(crate) fn finish(self, mute: Option<std::time::Duration>) -> Decision {
        let masked = self.masked();
        let outcome = match (self.decided, masked) {
            (Some(hit), _) if hit.measure == Measure::Hold => Outcome::Held(hit),
            (Some(hit), masked) if hit.measure == Measure::Review => Outcome::Review(hit, masked),
            (Some(hit), _) => Outcome::Refused(hit),
            (None, Some(text)) => Outcome::Masked(text),
            (None, None) => Outcome::Admit,
        };
        Decision { outcome, shadow: self.shadow, mute, audit: self.audit }
    }
}
