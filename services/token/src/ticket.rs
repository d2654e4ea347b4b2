//! Tickets: a signed earliest moment to come in, which a gateway checks without a
//! call.

use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId};
use serde::{Deserialize, Serialize};

use crate::{Keyring, KeyringError};

/// Clock difference allowed between who signs and who checks, in milliseconds:
/// what time synchronisation leaves, and a client's timer that fires early.
pub const TICKET_LEEWAY_MS: u64 = 1_000;
/// When who was refused for a bad or spent ticket may ask entry for another.
const ASK_AGAIN_MS: u64 = 500;

/// A place in the queue at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The room that it is good for.
    pub room: RoomId,
    /// Unix time in milliseconds before which it is refused.
    pub not_before_ms: u64,
    /// Unix time in milliseconds after which it is refused.
    pub expires_ms: u64,
    /// Random; a gateway takes each once.
    pub id: u64,
}

/// Why a ticket was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not a ticket, or not signed by a key that is known here.
    #[error("the ticket does not verify; ask entry for another")]
    Forged,
    /// It is for another room.
    #[error("the ticket is for another room; ask entry for one of this room")]
    WrongRoom,
    /// Its time is over.
    #[error("the ticket has expired; ask entry for another")]
    Expired,
    /// It was taken here before.
    #[error("the ticket was used already; ask entry for another")]
    Used,
    /// Its moment has not come.
    #[error("the ticket's moment has not come; come back then, with the same ticket")]
    TooEarly {
        /// Until its moment.
        wait_ms: u64,
    },
}

impl TicketError {
    /// Stable name, as a metric label.
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

/// The JWT's claims. It has an audience of its own and no subject, so that it never
/// passes as a token, nor a token as a ticket.
#[derive(Serialize, Deserialize)]
struct Signed {
    aud: String,
    ticket: Ticket,
}

impl Keyring {
    /// Signs a ticket with the first key that can.
    pub fn sign_ticket(&self, ticket: Ticket) -> Result<String, KeyringError> {
        self.sign(&Signed { aud: self.ticket_audience(), ticket })
    }

    /// The ticket that the text is, if it is good for the room at this Unix time.
    pub fn check_ticket(&self, text: &str, room: &RoomId, now_ms: u64) -> Result<Ticket, TicketError> {
        let ring = self.ring();
        let opened = ring.open::<Signed>(text, |key| &key.for_tickets);
        let (_, Signed { ticket, .. }) = opened.map_err(|_| TicketError::Forged)?;
        if ticket.room != *room {
            return Err(TicketError::WrongRoom);
        }
        if now_ms > ticket.expires_ms.saturating_add(TICKET_LEEWAY_MS) {
            return Err(TicketError::Expired);
        }
        if now_ms.saturating_add(TICKET_LEEWAY_MS) < ticket.not_before_ms {
            return Err(TicketError::TooEarly { wait_ms: ticket.not_before_ms - now_ms });
        }
        Ok(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Claims, Role, Rooms, TokenConfig, TokenError};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const NOW_MS: u64 = 1_700_000_000_000;

    fn ring() -> Keyring {
        Keyring::from_secret(SECRET, &TokenConfig::default()).unwrap()
    }

    fn room() -> RoomId {
        "demo".parse().unwrap()
    }

    fn ticket() -> Ticket {
        Ticket { room: room(), not_before_ms: NOW_MS + 5_000, expires_ms: NOW_MS + 35_000, id: u64::MAX }
    }

    #[test]
    fn good_from_its_moment_to_its_end_for_its_room() {
        let text = ring().sign_ticket(ticket()).unwrap();
        let check = |at_ms| ring().check_ticket(&text, &room(), at_ms);
        assert_eq!(check(NOW_MS), Err(TicketError::TooEarly { wait_ms: 5_000 }));
        assert_eq!(check(NOW_MS + 3_999), Err(TicketError::TooEarly { wait_ms: 1_001 }));
        assert_eq!(check(NOW_MS + 4_000), Ok(ticket()));
        assert_eq!(check(NOW_MS + 36_000), Ok(ticket()));
        assert_eq!(check(NOW_MS + 36_001), Err(TicketError::Expired));
        let elsewhere = "other".parse().unwrap();
        assert_eq!(ring().check_ticket(&text, &elsewhere, NOW_MS + 6_000), Err(TicketError::WrongRoom));
    }

    #[test]
    fn what_was_changed_or_signed_by_others_is_forged() {
        let text = ring().sign_ticket(ticket()).unwrap();
        let other =
            Keyring::from_secret(b"another secret of thirty-two byt", &TokenConfig::default()).unwrap();
        assert_eq!(other.check_ticket(&text, &room(), NOW_MS + 6_000), Err(TicketError::Forged));
        let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let later = ring().sign_ticket(Ticket { not_before_ms: 0, ..ticket() }).unwrap();
        parts[1] = later.split('.').nth(1).unwrap().to_owned();
        for bad in [parts.join("."), String::new(), "x".into(), "x".repeat(10_000)] {
            assert_eq!(ring().check_ticket(&bad, &room(), NOW_MS + 6_000), Err(TicketError::Forged));
        }
    }

    /// Also where somebody named the tokens' audience like a ticket's.
    #[test]
    fn a_ticket_is_no_token_and_a_token_no_ticket() {
        let text = ring().sign_ticket(ticket()).unwrap();
        assert!(matches!(ring().verify(&text), Err(TokenError::Claim(_))));
        let lookalike = TokenConfig { audience: ring().ticket_audience(), ..TokenConfig::default() };
        let lookalike = Keyring::from_secret(SECRET, &lookalike).unwrap();
        assert!(matches!(lookalike.verify(&text), Err(TokenError::Claim(_))));
        let claims = Claims {
            sub: "u1".parse().unwrap(),
            name: None,
            rooms: Rooms(vec!["*".into()]),
            role: Role::Admin,
            exp: 4_000_000_000,
            nbf: None,
            aud: String::new(),
        };
        for minting in [ring(), lookalike] {
            let token = minting.mint(claims.clone()).unwrap();
            assert_eq!(ring().check_ticket(&token, &room(), NOW_MS + 6_000), Err(TicketError::Forged));
        }
    }

    #[test]
    fn every_refusal_says_when_to_come_back() {
        for error in [
            TicketError::Forged,
            TicketError::WrongRoom,
            TicketError::Expired,
            TicketError::Used,
            TicketError::TooEarly { wait_ms: 700 },
        ] {
            let refusal = Refusal::from(error);
            assert!(refusal.code.is_retryable() && refusal.retry_after_ms.is_some(), "{refusal:?}");
        }
    }
}
