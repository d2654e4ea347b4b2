use super::*;
use crate::claims::{Role, Rooms};
use crate::config::KeyConfig;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;

fn ring(secret: &str) -> Keyring {
    Keyring::from_secret(secret.as_bytes(), &TokenConfig::default()).unwrap()
}

fn claims(exp: u64) -> Claims {
    Claims {
        sub: "u1".parse().unwrap(),
        name: None,
        rooms: Rooms(vec!["demo".into()]),
        role: Role::Viewer,
        exp,
        nbf: None,
        attrs: None,
        aud: String::new(),
    }
}

const FAR: u64 = 4_000_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &str = "another secret of thirty-two byt";

#[test]
fn token_is_valid_for_its_room_alone() {
    let ring = ring(SECRET);
    let token = ring.mint(claims(FAR)).unwrap();
    assert_eq!(ring.verify_for(&token, &"demo".parse().unwrap()).unwrap().user.as_str(), "u1");
    assert_eq!(ring.verify_for(&token, &"other".parse().unwrap()), Err(TokenError::WrongRoom));
}

#[test]
fn token_with_another_header_than_the_own_ones_is_parsed_and_valid() {
    let ring = ring(SECRET);
    let own = ring.mint(claims(FAR)).unwrap();
    assert!(ring.ring.load().open_own(&own).is_some());
    let payload = own.split('.').nth(1).unwrap();
    let signed = format!("{}.{payload}", B64.encode(r#"{"alg":"HS256","typ":"JWT"}"#));
    let key = ::ring::hmac::Key::new(::ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = B64.encode(::ring::hmac::sign(&key, signed.as_bytes()));
    let foreign = format!("{signed}.{signature}");
    assert!(ring.ring.load().open_own(&foreign).is_none());
    assert_eq!(ring.verify(&foreign), ring.verify(&own));
    assert!(ring.verify(&own).is_ok());
    let (head, _) = own.rsplit_once('.').unwrap();
    for forged in [format!("{head}.{signature}"), format!("{head}."), head.to_owned(), format!("{own}=")] {
        assert!(ring.ring.load().open_own(&forged).is_none(), "{forged}");
        assert_eq!(ring.verify(&forged), Err(TokenError::Invalid));
    }
}

#[test]
fn forged_expired_and_unsigned_are_refused() {
    let ring_a = ring(SECRET);
    let token = ring_a.mint(claims(FAR)).unwrap();
    assert_eq!(ring(OTHER_SECRET).verify(&token), Err(TokenError::Invalid));
    assert_eq!(ring_a.verify(&ring_a.mint(claims(1_000_000)).unwrap()), Err(TokenError::Expired));
    let payload = token.split('.').nth(1).unwrap();
    let none = B64.encode(r#"{"alg":"none","typ":"JWT"}"#);
    for bad in [format!("{none}.{payload}."), format!("{none}.{payload}"), "x".repeat(5000), String::new()] {
        assert_eq!(ring_a.verify(&bad), Err(TokenError::Invalid));
    }
    let other_audience = TokenConfig { audience: "elsewhere".into(), ..TokenConfig::default() };
    let elsewhere = Keyring::from_secret(SECRET.as_bytes(), &other_audience).unwrap();
    let refused = ring_a.verify(&elsewhere.mint(claims(FAR)).unwrap());
    assert!(matches!(refused, Err(TokenError::Claim(_))), "{refused:?}");
}

#[test]
fn ed25519_key_verifies_and_is_not_used_as_hmac_secret() {
    let dir = tempfile::tempdir().unwrap();
    let (private, public) = (dir.path().join("private.pem"), dir.path().join("public.pem"));
    std::fs::write(&private, include_str!("../tests/ed25519-private.pem")).unwrap();
    std::fs::write(&public, include_str!("../tests/ed25519-public.pem")).unwrap();
    let key = KeyConfig::Eddsa {
        id: "ed".into(),
        public_key_file: public.clone(),
        private_key_file: Some(private),
    };
    let config = TokenConfig { keys: vec![key], ..TokenConfig::default() };
    let ring_ed = Keyring::load(&config).unwrap();
    assert!(ring_ed.verify(&ring_ed.mint(claims(FAR)).unwrap()).is_ok());
    let confused = Keyring::from_secret(&std::fs::read(&public).unwrap(), &TokenConfig::default()).unwrap();
    assert_eq!(ring_ed.verify(&confused.mint(claims(FAR)).unwrap()), Err(TokenError::Invalid));
}

#[test]
fn tokens_of_a_revoked_user_are_refused_until_newer_ones_are_minted() {
    let ring = ring(SECRET);
    let (old, new) = (ring.mint_at(claims(FAR), 99).unwrap(), ring.mint_at(claims(FAR), 100).unwrap());
    let before = ring.verify(&old).unwrap();
    let by_user = [("u1".parse().unwrap(), 100)].into();
    ring.set_revocations(Revocations { by_user, all_before: None });
    assert_eq!(ring.verify(&old), Err(TokenError::Revoked));
    assert!(ring.is_revoked(&before), "the token of a connected caller is revoked, too");
    assert!(!ring.is_revoked(&ring.verify(&new).unwrap()));
    ring.set_revocations(Revocations { all_before: Some(101), ..Revocations::default() });
    assert_eq!(ring.verify(&new), Err(TokenError::Revoked));
    ring.set_revocations(Revocations::default());
    assert!(ring.verify(&old).is_ok());
}

#[test]
fn minted_tokens_have_the_time_of_minting() {
    let ring = ring(SECRET);
    let before = unix_secs();
    let identity = ring.verify(&ring.mint(claims(FAR)).unwrap()).unwrap();
    let issued = identity.issued_at_secs.unwrap();
    assert!((before..=unix_secs()).contains(&issued), "{issued}");
}

#[test]
fn replaced_keys_are_in_force_at_once_and_revocations_stay() {
    let (ring, other) = (ring(SECRET), ring(OTHER_SECRET));
    let (old, new) = (ring.mint(claims(FAR)).unwrap(), other.mint(claims(FAR)).unwrap());
    ring.replace_keys(&other);
    assert_eq!(ring.verify(&old), Err(TokenError::Invalid));
    assert!(ring.verify(&new).is_ok());
    ring.set_revocations(Revocations { all_before: Some(FAR), ..Revocations::default() });
    ring.replace_keys(&self::ring(OTHER_SECRET));
    assert_eq!(ring.verify(&new), Err(TokenError::Revoked));
}

/// The load tester signs with a server's secret, whose id it does not know.
#[test]
fn token_of_a_secret_verifies_under_another_key_id() {
    let dir = tempfile::tempdir().unwrap();
    let secret_file = dir.path().join("secret.key");
    std::fs::write(&secret_file, SECRET).unwrap();
    let key = KeyConfig::Hs256 { id: "2026-11".into(), secret_file };
    let server = Keyring::load(&TokenConfig { keys: vec![key], ..TokenConfig::default() }).unwrap();
    assert!(server.verify(&ring(SECRET).mint(claims(FAR)).unwrap()).is_ok());
    assert!(ring(OTHER_SECRET).verify(&server.mint(claims(FAR)).unwrap()).is_err());
}

/// The answer to a bearer is general; the reason is for the log.
#[test]
fn reason_of_a_bad_signature_is_found() {
    let ring = ring(SECRET);
    let good = ring.mint(claims(FAR)).unwrap();
    let (header, rest) = good.split_once('.').unwrap();
    let with_header = |json: &str| format!("{}.{rest}", B64.encode(json));
    let (message, _) = good.rsplit_once('.').unwrap();
    for (token, reason) in [
        (String::new(), "there is no token"),
        ("x".repeat(5_000), "5000 bytes"),
        ("abc".into(), "three parts"),
        (format!("{header}.{rest}.more"), "three parts"),
        (format!("!!.{rest}"), "base64url"),
        (with_header(r#"{"typ":"JWT"}"#), "no `alg`"),
        (with_header(r#"{"alg":"none"}"#), "algorithm none is not allowed; the keys take HS256"),
        (with_header(r#"{"alg":"HS512"}"#), "algorithm HS512 is not allowed; the keys take HS256"),
        (with_header(r#"{"alg":"HS256","kid":"new\n"}"#), "(kid) new\\n is unknown; the keys are local"),
        (with_header(r#"{"alg":"HS256"}"#), "the signature does not match (tried: local)"),
        (format!("{message}.AAAA"), "the signature does not match"),
    ] {
        let (key, outcome) = ring.examine(&token, 0);
        let text = outcome.unwrap_err().to_string();
        assert!(key.is_none() && text.contains(reason), "{text} has not {reason}");
        assert_eq!(ring.verify(&token), Err(TokenError::Invalid));
    }
}

#[test]
fn payload_that_is_not_an_object_differs_from_a_bad_signature() {
    let ring = ring(SECRET);
    for payload in [serde_json::json!([1]), serde_json::json!("text")] {
        let token = ring.sign(&payload).unwrap();
        assert_eq!(ring.verify(&token), Err(TokenError::Claim(ClaimProblem::NotAnObject)));
    }
}

#[test]
fn guessable_secret_is_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret.key");
    for (secret, is_good) in [
        ("a".repeat(64), false),
        ("changeme".repeat(8), false),
        (SECRET.into(), true),
        (format!("  {SECRET}\r\n"), true),
        (format!("{}   \n", "x1y2z3w4".repeat(3)), false),
    ] {
        std::fs::write(&file, &secret).unwrap();
        let key = KeyConfig::Hs256 { id: "k".into(), secret_file: file.clone() };
        let loaded = Keyring::load(&TokenConfig { keys: vec![key], ..TokenConfig::default() });
        assert_eq!(loaded.is_ok(), is_good, "{secret}");
        if let Err(error) = loaded {
            assert!(error.to_string().contains("head -c 32 /dev/urandom"), "{error}");
        }
    }
}

#[test]
fn refusals_are_counted_by_reason() {
    let (ring, registry) = (ring(SECRET), Registry::new());
    ring.register(&registry).unwrap();
    let counts = || {
        let family = registry.gather().remove(0);
        let counted = |it: &&prometheus::proto::Metric| it.get_counter().get_value() > 0.0;
        let label = |it: &prometheus::proto::Metric| it.get_label()[0].value().to_owned();
        (family.get_metric().len(), family.get_metric().iter().filter(counted).map(label).collect::<Vec<_>>())
    };
    assert_eq!(counts(), (13, vec![]));
    let token = ring.mint(claims(FAR)).unwrap();
    ring.verify_for(&token, &"demo".parse().unwrap()).unwrap();
    assert_eq!(counts().1, Vec::<String>::new());
    ring.verify_for(&token, &"other".parse().unwrap()).unwrap_err();
    ring.verify(&ring.mint(claims(1_000_000)).unwrap()).unwrap_err();
    for refused in ["", "nonsense"] {
        ring.verify(refused).unwrap_err();
    }
    assert_eq!(counts(), (13, ["expired", "missing", "not_a_jwt", "wrong_room"].map(str::to_owned).to_vec()));
}
