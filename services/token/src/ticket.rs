//! Tickets: a signed earliest moment to join, which a gateway checks without a call.

use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId};
use serde::{Deserialize, Serialize};

/// Allowed clock difference between the signer and the gateway, in milliseconds. It covers the error
/// of time synchronisation, and a client's timer that fires early.
pub const TICKET_LEEWAY_MS: u64 = 1_000;
/// Milliseconds after which a viewer with a bad or used ticket may ask entry for another.
const ASK_AGAIN_MS: u64 = 500;

/// A slot of the join queue, as a gateway reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Room that the ticket is valid for.
    pub room: RoomId,
    /// Unix time in milliseconds before which the ticket is refused.
    pub not_before_ms: u64,
    /// Unix time in milliseconds after which the ticket is refused.
    pub expires_ms: u64,
    /// Random number. A gateway accepts each ticket once.
    pub id: u64,
}

/// Why a gateway refused a ticket. The message says what the client does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// The text is not a ticket, or no known key signed it.
    #[error("the ticket does not verify; ask entry for another")]
    Forged,
    /// The ticket is for another room than the one joined.
    #[error("the ticket is for another room; ask entry for one of this room")]
    WrongRoom,
    /// The time after the slot is over.
    #[error("the ticket has expired; ask entry for another")]
    Expired,
    /// This gateway accepted the same ticket before.
    #[error("the ticket was used already; ask entry for another")]
    Used,
    /// The slot of the ticket is in the future.
    #[error("the ticket's moment has not come; come back then, with the same ticket")]
    TooEarly {
        /// Milliseconds until the slot of the ticket.
        wait_ms: u64,
    },
}

impl TicketError {
    /// Returns the stable name, as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            TicketError::Forged => "forged",
            TicketError::WrongRoom => "wrong_room",
            TicketError::Expired => "expired",
            TicketError::Used => "used",
            TicketError::TooEarly { .. } => "too_early",
        }
    }
}

impl From<TicketError> for Refusal {
    fn from(error: TicketError) -> Refusal {
        let (code, retry_after_ms) = match error {
            TicketError::Forged | TicketError::WrongRoom => (Code::BadTicket, ASK_AGAIN_MS),
            TicketError::Expired | TicketError::Used => (Code::TicketExpired, ASK_AGAIN_MS),
            TicketError::TooEarly { wait_ms } => (Code::TooEarly, wait_ms),
        };
        Refusal::new(code, error.to_string()).retry_after_ms(retry_after_ms)
    }
}

/// The JWT's claims. They have an audience of their own and no subject, so that a ticket never
/// verifies as a token, nor a token as a ticket.
#[derive(Serialize, Deserialize)]
pub(crate) struct TicketClaims {
    pub(crate) aud: String,
    pub(crate) ticket: Ticket,
}

impl Ticket {
    /// Checks a ticket with a right signature for a room, at this Unix time.
    pub(crate) fn check(self, room: &RoomId, now_ms: u64) -> Result<Ticket, TicketError> {
        if self.room != *room {
            return Err(TicketError::WrongRoom);
        }
        if now_ms > self.expires_ms.saturating_add(TICKET_LEEWAY_MS) {
            return Err(TicketError::Expired);
        }
        if now_ms.saturating_add(TICKET_LEEWAY_MS) < self.not_before_ms {
            return Err(TicketError::TooEarly { wait_ms: self.not_before_ms - now_ms });
        }
        Ok(self)
    }
}
