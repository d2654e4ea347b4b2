//! The explanation of a token to its maker, for `barrage token check`.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::Value;

use crate::claims::Identity;
use crate::error::{Refused, SignatureProblem};
use crate::jwt::{Key, header};

/// Maximum plausible time in seconds, the year 5138. A larger time is in milliseconds by mistake.
const SECS_PLAUSIBLE_MAX: u64 = 100_000_000_000;

/// The parts of a token, and why it is refused.
#[derive(Debug)]
pub struct Explanation {
    /// Id of the key that signed the token.
    pub key: Option<String>,
    /// Header, if it is JSON; not verified.
    pub header: Option<Value>,
    /// Claims, if they are JSON; verified only when `key` is present.
    pub claims: Option<Value>,
    /// Caller that the token names, or why the token is refused.
    pub outcome: Result<Identity, String>,
    /// Advice about the refusal, or doubts about an accepted token.
    pub hints: Vec<String>,
}

/// Explains a token that was examined with `keys`.
pub(crate) fn explain(
    token: &str,
    keys: &[Key],
    key: Option<String>,
    outcome: Result<Identity, Refused>,
) -> Explanation {
    let mut hints = Vec::new();
    match &outcome {
        Err(Refused::Signature(SignatureProblem::Mismatch { .. })) => {
            hints.extend(keys.iter().filter_map(|key| other_secret(token, key)));
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

/// Finds out whether the token was signed with the secret as its file is often misread.
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

/// Returns doubts about an accepted token: times in milliseconds, a missing `iat`.
fn doubts(identity: &Identity) -> Vec<String> {
    let mut doubts = Vec::new();
    if identity.expires_at_secs > SECS_PLAUSIBLE_MAX {
        doubts.push("`exp` seems to be in milliseconds; it must be in seconds".to_owned());
    }
    if identity.issued_at_secs.is_none() {
        let text = "`iat` is missing: every revocation of this user, or of all users, refuses the token";
        doubts.push(text.to_owned());
    }
    doubts
}
