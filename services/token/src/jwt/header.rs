//! Why a token's header leads to no key.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::key::Key;
use super::payload::cut;
use crate::error::SignatureProblem;

/// Returns the JSON of the header (0) or of the claims (1), without a check of the signature.
pub(crate) fn part(token: &str, index: usize) -> Option<Value> {
    let part = token.split('.').nth(index)?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Returns what is wrong with a header that cannot be read or names a useless algorithm.
pub(crate) fn problem(token: &str, keys: &[Key]) -> SignatureProblem {
    if token.split('.').count() != 3 {
        return SignatureProblem::NotAJwt("it does not have three parts with dots between them");
    }
    let Some(header) = part(token, 0) else {
        return SignatureProblem::NotAJwt("its first part is not a JSON object in base64url");
    };
    match &header["alg"] {
        Value::String(algorithm) => wrong_algorithm(&cut(algorithm), &keys.iter().collect::<Vec<_>>()),
        _ => SignatureProblem::NotAJwt("its header has no `alg`"),
    }
}

pub(crate) fn unknown_key(kid: &str, keys: &[Key]) -> SignatureProblem {
    let known: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
    SignatureProblem::UnknownKey { kid: cut(kid), known: known.join(", ") }
}

pub(crate) fn wrong_algorithm(algorithm: &str, keys: &[&Key]) -> SignatureProblem {
    let mut allowed: Vec<_> = keys.iter().map(|key| format!("{:?}", key.algorithm)).collect();
    allowed.sort();
    allowed.dedup();
    SignatureProblem::Algorithm { algorithm: algorithm.to_owned(), allowed: allowed.join(", ") }
}
