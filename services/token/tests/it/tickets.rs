//! Tickets: signing, checking, and their separation from tokens.

use barrage_protocol::RoomId;
use barrage_protocol::code::Refusal;
use barrage_token::{Claims, Keyring, Role, Rooms, Ticket, TicketError, TokenConfig, TokenError};

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
fn ticket_is_valid_from_its_moment_to_its_end_for_its_room() {
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
fn changed_or_foreign_ticket_is_forged() {
    let text = ring().sign_ticket(ticket()).unwrap();
    let other = Keyring::from_secret(b"another secret of thirty-two byt", &TokenConfig::default()).unwrap();
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
fn ticket_is_not_a_token_and_token_is_not_a_ticket() {
    let text = ring().sign_ticket(ticket()).unwrap();
    assert!(matches!(ring().verify(&text), Err(TokenError::Claim(_))));
    let lookalike = TokenConfig { audience: "barrage/ticket".into(), ..TokenConfig::default() };
    let lookalike = Keyring::from_secret(SECRET, &lookalike).unwrap();
    assert!(matches!(lookalike.verify(&text), Err(TokenError::Claim(_))));
    let claims = Claims {
        sub: "u1".parse().unwrap(),
        name: None,
        rooms: Rooms(vec!["*".into()]),
        role: Role::Admin,
        exp: 4_000_000_000,
        nbf: None,
        attrs: None,
        aud: String::new(),
    };
    for minting in [ring(), lookalike] {
        let token = minting.mint(claims.clone()).unwrap();
        assert_eq!(ring().check_ticket(&token, &room(), NOW_MS + 6_000), Err(TicketError::Forged));
    }
}

#[test]
fn every_refusal_names_a_time_to_come_back() {
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
