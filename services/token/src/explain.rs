//! A token explained to its maker: `barrage token check`.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::Value;

use crate::error::SignatureProblem;
use crate::key::Key;
use crate::keyring::{Refused, unix_secs};
use crate::{Identity, Keyring, header};

/// Times above this are milliseconds by mistake: the year 5138 in seconds.
const SECS_PLAUSIBLE_MAX: u64 = 100_000_000_000;

/// A token's parts, and what is wrong with it.
#[derive(Debug)]
pub struct Explanation {
    /// The id of the key that signed it.
    pub key: Option<String>,
    /// Its header, if it is JSON; not verified.
    pub header: Option<Value>,
    /// Its claims, if they are JSON; not verified unless `key` is there.
    pub claims: Option<Value>,
    /// The caller that it names, or why it is refused.
    pub outcome: Result<Identity, String>,
    /// What to do about the refusal, or what to look at although it is accepted.
    pub hints: Vec<String>,
}

impl Keyring {
    /// Explains a token, for the eyes of whoever holds the keys.
    #[must_use]
    pub fn explain(&self, token: &str) -> Explanation {
        let (key, outcome) = self.examine(token, unix_secs());
        let mut hints = Vec::new();
        match &outcome {
            Err(Refused::Signature(SignatureProblem::Mismatch { .. })) => {
                hints.extend(self.ring().keys.iter().filter_map(|key| other_secret(token, key)));
            }
            Ok(identity) => hints.extend(doubts(identity)),
            Err(_) => {}
        }
        Explanation {
            key,
            header: header::part(token, 0),
            claims: header::part(token, 1),
            outcome: outcome.map_err(|refused| refused.to_string()),
            hints,
        }
    }
}

/// The usual ways to read the secret's file wrongly.
fn other_secret(token: &str, key: &Key) -> Option<String> {
    if key.algorithm != Algorithm::HS256 {
        return None;
    }
    let secret = key.verify.try_get_as_bytes().ok()?;
    let with_line_end = [secret, b"\n"].concat();
    let decoded = BASE64_STANDARD.decode(secret).or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(secret)).ok();
    let readings = [
        (Some(with_line_end), "with the line end of its file: trim it"),
        (decoded, "decoded from base64: the secret is the text itself"),
        (from_hex(secret), "decoded from hexadecimal: the secret is the text itself"),
    ];
    let (message, signature) = token.rsplit_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    let signed = |secret: &[u8]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        ring::hmac::verify(&key, message.as_bytes(), &signature).is_ok()
    };
    let (_, how) = readings.into_iter().find(|(secret, _)| secret.as_deref().is_some_and(signed))?;
    Some(format!("it was signed with the secret of key {} {how}", key.id))
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii() && text.len() % 2 == 0)?;
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn doubts(identity: &Identity) -> Vec<String> {
    let mut doubts = Vec::new();
    if identity.expires_at_secs > SECS_PLAUSIBLE_MAX {
        doubts.push("`exp` is in milliseconds, it seems; it must be in seconds".to_owned());
    }
    if identity.issued_at_secs.is_none() {
        let text = "`iat` is missing: a revocation of this user, or of all, refuses the token always";
        doubts.push(text.to_owned());
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenConfig;

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
    fn a_secret_that_was_read_wrongly_is_recognised() {
        let claims = r#"{"sub":"u","rooms":"*","role":"viewer","exp":4000000000,"aud":"barrage"}"#;
        let ring = Keyring::from_secret(HEX.as_bytes(), &TokenConfig::default()).unwrap();
        let good = ring.explain(&signed(HEX.as_bytes(), claims));
        assert_eq!(good.key.as_deref(), Some("local"));
        assert!(good.outcome.is_ok() && good.hints[0].contains("`iat`"), "{good:?}");
        let base64 = BASE64_STANDARD.decode(HEX).unwrap();
        let hex = from_hex(HEX.as_bytes()).unwrap();
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
}
