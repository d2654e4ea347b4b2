//! The explanation of tokens by `Keyring::explain`.

use barrage_token::{Keyring, TokenConfig};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// 32 bytes, so that the text, its bytes and its hexadecimal reading differ.
const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn signed(secret: &[u8], claims: &str) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let signature = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[test]
fn misread_secret_is_recognised() {
    let claims = r#"{"sub":"u","rooms":"*","role":"viewer","exp":4000000000,"aud":"barrage"}"#;
    let ring = Keyring::from_secret(HEX.as_bytes(), &TokenConfig::default()).unwrap();
    let good = ring.explain(&signed(HEX.as_bytes(), claims));
    assert_eq!(good.key.as_deref(), Some("local"));
    assert!(good.outcome.is_ok() && good.hints[0].contains("`iat`"), "{good:?}");
    let base64 = BASE64_STANDARD.decode(HEX).unwrap();
    let hex = (0..64).step_by(2).map(|at| u8::from_str_radix(&HEX[at..at + 2], 16).unwrap()).collect();
    for (secret, word) in
        [(format!("{HEX}\n").into_bytes(), "line end"), (base64, "base64"), (hex, "hexadecimal")]
    {
        let explained = ring.explain(&signed(&secret, claims));
        assert!(explained.key.is_none() && explained.outcome.is_err());
        assert!(explained.hints.iter().any(|hint| hint.contains(word)), "{:?}", explained.hints);
    }
    let other = ring.explain(&signed(b"of somebody else altogether", claims));
    assert!(other.hints.is_empty(), "{:?}", other.hints);
    assert_eq!(other.claims.unwrap()["sub"], "u");
}
