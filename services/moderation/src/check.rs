//! One text on its way through the rules.

use barrage_protocol::{Class, MessageId, RoomId, UserId};

use crate::decision::{AuditEntry, Decision, EXCERPT_CHARS_MAX, Measure, Outcome, RuleHit};
use crate::mask::Mask;
use crate::metrics::{ModerationMetrics, RuleKind};

/// A text that somebody wants to show.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Where.
    pub room: &'a RoomId,
    /// Who. Whoever runs the room is not checked: the caller leaves them out.
    pub user: &'a UserId,
    /// The message; the same one sent again counts as one.
    pub id: &'a MessageId,
    /// Its class, for the hook.
    pub class: Class,
    /// The text, cleaned or not.
    pub text: &'a str,
}

/// Whether a rule watches or acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Acts,
    Watches,
}

impl Mode {
    pub(crate) const fn of(shadow: bool) -> Self {
        if shadow { Mode::Watches } else { Mode::Acts }
    }
}

/// What was found so far.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    pub(crate) candidate: Candidate<'a>,
    pub(crate) mask: Mask,
    /// The hook's text, which outranks the mask.
    pub(crate) rewritten: Option<String>,
    /// A rule refused or held: the others are not asked.
    pub(crate) decided: Option<RuleHit>,
    /// A rule that counts for a mute acted.
    pub(crate) guilty: bool,
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
            guilty: false,
            shadow: Vec::new(),
            audit: Vec::new(),
            at_ms,
            metrics,
        }
    }

    /// Takes down that a rule was met.
    pub(crate) fn hit(&mut self, kind: RuleKind, hit: RuleHit, mode: Mode) {
        self.metrics.hit(kind, hit.measure, mode == Mode::Watches);
        self.audit.push(AuditEntry {
            at_ms: self.at_ms,
            room: self.candidate.room.clone(),
            user: self.candidate.user.clone(),
            message: self.candidate.id.clone(),
            hit: hit.clone(),
            shadow: mode == Mode::Watches,
            excerpt: self.candidate.text.chars().take(EXCERPT_CHARS_MAX).collect(),
        });
        if mode == Mode::Watches {
            self.shadow.push(hit);
            return;
        }
        // Not a fault of the sender's: the service was away.
        self.guilty |= !matches!(kind, RuleKind::HookAway | RuleKind::Escalation);
        if matches!(hit.measure, Measure::Refuse | Measure::Hold) {
            self.decided = Some(hit);
        }
    }

    /// The text as it would be shown now, if that is not the original.
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
            (Some(hit), _) => Outcome::Refused(hit),
            (None, Some(text)) => Outcome::Masked(text),
            (None, None) => Outcome::Admit,
        };
        Decision { outcome, shadow: self.shadow, mute, audit: self.audit }
    }
}
