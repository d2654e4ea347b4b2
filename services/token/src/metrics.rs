//! The Prometheus metrics of a keyring: refused tokens by reason.

use prometheus::{IntCounterVec, Opts, Registry};

use crate::error::{ClaimProblem, Refused, SignatureProblem};

/// Values of the label `reason`: all results of [`Refused::reason`], and a token of another room.
const REASONS: [&str; 13] = [
    "missing",
    "too_long",
    "not_a_jwt",
    "unknown_key",
    "algorithm",
    "mismatch",
    "not_an_object",
    "claim_missing",
    "claim_unusable",
    "not_yet",
    "expired",
    "revoked",
    WRONG_ROOM,
];
/// Reason of a token that does not name the room.
pub(crate) const WRONG_ROOM: &str = "wrong_room";

/// Counters of a keyring. They count from the start, and are scraped once they are registered.
#[derive(Debug)]
pub(crate) struct TokenMetrics {
    refused: IntCounterVec,
}

impl TokenMetrics {
    pub(crate) fn new() -> Self {
        let opts = Opts::new("barrage_token_refused_total", "Tokens refused, by reason.");
        let refused = IntCounterVec::new(opts, &["reason"]).expect("the name and the label are valid");
        for reason in REASONS {
            refused.with_label_values(&[reason]);
        }
        TokenMetrics { refused }
    }

    pub(crate) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.refused.clone()))
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.with_label_values(&[reason]).inc();
    }
}

impl Refused {
    /// Returns the stable name of the reason, as a metric label.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Refused::Signature(SignatureProblem::Missing) => "missing",
            Refused::Signature(SignatureProblem::TooLong { .. }) => "too_long",
            Refused::Signature(SignatureProblem::NotAJwt(_)) => "not_a_jwt",
            Refused::Signature(SignatureProblem::UnknownKey { .. }) => "unknown_key",
            Refused::Signature(SignatureProblem::Algorithm { .. }) => "algorithm",
            Refused::Signature(SignatureProblem::Mismatch { .. }) => "mismatch",
            Refused::Claim(ClaimProblem::NotAnObject) => "not_an_object",
            Refused::Claim(ClaimProblem::Missing { .. }) => "claim_missing",
            Refused::Claim(ClaimProblem::Unusable { .. }) => "claim_unusable",
            Refused::Claim(ClaimProblem::NotYet { .. }) => "not_yet",
            Refused::Expired { .. } => "expired",
            Refused::Revoked => "revoked",
        }
    }
}
