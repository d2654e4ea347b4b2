//! Phases of the path, and the failure of one.

use std::fmt;

/// Phase of the path in which the time is spent, or in which an examination failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Entry lists the gateways.
    Entry,
    /// TCP, TLS and the upgrade to WebSocket.
    Connect,
    /// From the upgrade to the hello.
    Join,
    /// An uplink accepts the message.
    Post,
    /// From the uplink's answer to the message at the viewer.
    Deliver,
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: [Phase; 5] = [Phase::Entry, Phase::Connect, Phase::Join, Phase::Post, Phase::Deliver];

    /// Returns the label in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Phase::Entry => "entry",
            Phase::Connect => "connect",
            Phase::Join => "join",
            Phase::Post => "post",
            Phase::Deliver => "deliver",
        }
    }
}

/// A failed examination of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Phase in which the examination failed.
    pub phase: Phase,
    /// Cause in a sentence, for logs.
    pub reason: String,
}

impl Failure {
    pub(crate) fn new(phase: Phase, reason: impl fmt::Display) -> Self {
        Failure { phase, reason: reason.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase.label(), self.reason)
    }
}

impl std::error::Error for Failure {}
