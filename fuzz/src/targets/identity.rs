//! Who a client claims to be: tokens, tickets, addresses behind proxies.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use barrage_http::{TrustedProxies, bearer};
use barrage_protocol::RoomId;
use barrage_token::{Keyring, TicketError, TokenConfig};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use ring::hmac;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// Bytes of a refusal's text, which answers and logs repeat.
const REFUSAL_BYTES_MAX: usize = 1_024;

static KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::from_secret(SECRET, &TokenConfig::default()).expect("the secret is good"));
static KEY: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, SECRET));

/// Verifies the input as a token, and as the claims of a token with a right signature.
pub(super) fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let unsigned = KEYRING.verify(&text);
    assert!(unsigned.is_err(), "nobody signed it");
    for token in [text.clone(), signed(bytes).into()] {
        if let Err(error) = KEYRING.verify(&token) {
            let refusal = error.to_string();
            assert!(refusal.len() <= REFUSAL_BYTES_MAX, "{} bytes", refusal.len());
            assert!(!refusal.contains(char::is_control), "{refusal:?}");
        }
        drop(KEYRING.explain(&token));
    }
    let room = RoomId::parse("demo").expect("the id is valid");
    if let Ok(identity) = KEYRING.verify_for(&signed(bytes), &room) {
        assert!(identity.rooms.contain(&room), "a token is for its rooms");
        let forged = signed(bytes).replace('.', "..");
        assert!(KEYRING.verify(&forged).is_err());
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        headers.insert(header::AUTHORIZATION, value);
        assert!(bearer(&headers).is_none_or(|token| token.len() < bytes.len()));
    }
}

/// Checks the input as a ticket, and as the claims of a ticket with a right signature.
pub(super) fn ticket(bytes: &[u8]) {
    let room = RoomId::parse("demo").expect("the id is valid");
    let check = |text: &str, now_ms| KEYRING.check_ticket(text, &room, now_ms);
    assert_eq!(check(&String::from_utf8_lossy(bytes), 0), Err(TicketError::Forged));
    let ticket = signed(bytes);
    for now_ms in [0, 1_700_000_000_000, u64::MAX] {
        match check(&ticket, now_ms) {
            Ok(ticket) => assert_eq!(ticket.room, room),
            Err(TicketError::TooEarly { wait_ms }) => assert!(wait_ms > 0),
            Err(_) => {}
        }
    }
    assert!(KEYRING.verify(&ticket).is_err() || check(&ticket, 0) == Err(TicketError::Forged), "one of both");
}

/// Signs a payload with the server's own key, so that the checks behind the signature are reached.
fn signed(payload: &[u8]) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let text = format!("{}.{}", encode(br#"{"alg":"HS256","typ":"JWT"}"#), encode(payload));
    let signature = hmac::sign(&KEY, text.as_bytes());
    format!("{text}.{}", encode(signature.as_ref()))
}

/// Finds the client behind proxies. What a client adds on the left does not change who it is.
pub(super) fn forwarded_for(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
    let proxies = TrustedProxies::new(&networks);
    let find = |peer: [u8; 4], value: HeaderValue| {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", value);
        proxies.client(IpAddr::V4(Ipv4Addr::from(peer)), &headers).0
    };
    assert_eq!(find([9, 9, 9, 9], value.clone()), IpAddr::V4(Ipv4Addr::from([9, 9, 9, 9])), "not a proxy");
    let client = find([10, 0, 0, 1], value);
    if !networks.iter().any(|network| network.contains(&client)) {
        let spoofed =
            HeaderValue::from_bytes(&[b"6.6.6.6, ", bytes].concat()).expect("it was a value before");
        assert_eq!(find([10, 0, 0, 1], spoofed), client, "the client chose its own address");
    }
}
