//! The claims of a token whose signature is right, checked one by one.

use std::sync::Arc;

use barrage_protocol::attrs::ATTRS_BYTES_MAX;
use barrage_protocol::{UserAttrs, UserId};
use serde::Deserialize;
use serde_json::Value;

use crate::claims::{Identity, Role, Rooms};
use crate::error::ClaimProblem;

/// Maximum characters of a claim's value that an answer or a log line repeats.
const FOUND_CHARS_MAX: usize = 60;
/// Descriptions of right values, for messages about wrong claims.
const SECONDS: &str = "a Unix time in seconds, as a number";
const SUB: &str = "a user id: a string of 1 to 64 characters out of A-Z a-z 0-9 _-.:@";
const ROOMS: &str = "an array of room ids, or \"*\" for all rooms";
const ROLE: &str = "\"viewer\", \"moderator\", \"host\" or \"admin\"";

/// The values with which a token's times and audience are compared.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) audience: &'a str,
    pub(crate) leeway_secs: u64,
    pub(crate) now_secs: u64,
}

/// The payload as it arrived. Other claims are ignored; `null` counts as absent.
#[derive(Debug, Deserialize)]
pub(crate) struct Payload {
    sub: Option<Value>,
    name: Option<Value>,
    rooms: Option<Value>,
    role: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    aud: Option<Value>,
    attrs: Option<Value>,
}

/// Why a payload with a right signature is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PayloadError {
    Claim(ClaimProblem),
    Expired { since_secs: u64 },
}

impl From<ClaimProblem> for PayloadError {
    fn from(problem: ClaimProblem) -> Self {
        PayloadError::Claim(problem)
    }
}

impl Payload {
    /// Checks the claims and returns the caller that they name.
    pub(crate) fn check(self, rules: &Rules<'_>) -> Result<Identity, PayloadError> {
        let expected_audience = format!("{:?}, or an array with it", rules.audience);
        match &self.aud {
            None => {
                return Err(unusable("aud", &Value::Null, expected_audience).into());
            }
            Some(aud) if !is_audience(aud, rules.audience) => {
                return Err(unusable("aud", aud, expected_audience).into());
            }
            Some(_) => {}
        }
        let exp = required("exp", SECONDS, self.exp)?;
        let expires_at_secs = seconds("exp", &exp)?;
        let user = user(&required("sub", SUB, self.sub)?)?;
        let name = match self.name {
            None => None,
            Some(Value::String(name)) => Some(name),
            Some(other) => return Err(unusable("name", &other, "a string").into()),
        };
        let rooms = rooms(&required("rooms", ROOMS, self.rooms)?)?;
        let role = role(&required("role", ROLE, self.role)?)?;
        let issued_at_secs = self.iat.map(|iat| seconds("iat", &iat)).transpose()?;
        let attrs = self.attrs.as_ref().map(attrs).transpose()?.flatten();
        let nbf = self.nbf.map(|nbf| seconds("nbf", &nbf)).transpose()?;
        if let Some(wait_secs) = nbf.and_then(|nbf| nbf.checked_sub(rules.now_secs))
            && wait_secs > rules.leeway_secs
        {
            return Err(ClaimProblem::NotYet { wait_secs }.into());
        }
        if expires_at_secs.saturating_add(rules.leeway_secs) < rules.now_secs {
            let since_secs = rules.now_secs - expires_at_secs;
            return Err(PayloadError::Expired { since_secs });
        }
        let name = name.unwrap_or_else(|| user.to_string());
        Ok(Identity { user, name, role, rooms, expires_at_secs, issued_at_secs, attrs })
    }
}

fn is_audience(aud: &Value, audience: &str) -> bool {
    match aud {
        Value::String(one) => one == audience,
        Value::Array(several) => several.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    }
}

fn required(
    claim: &'static str,
    expected: &'static str,
    value: Option<Value>,
) -> Result<Value, ClaimProblem> {
    value.ok_or(ClaimProblem::Missing { claim, expected })
}

fn unusable(claim: &'static str, found: &Value, expected: impl Into<String>) -> ClaimProblem {
    let found = match found {
        Value::Null => "missing".to_owned(),
        found => cut(&found.to_string()),
    };
    ClaimProblem::Unusable { claim, found, expected: expected.into() }
}

/// Cuts a text to [`FOUND_CHARS_MAX`] characters and escapes those that break a line or control a
/// terminal.
pub(crate) fn cut(text: &str) -> String {
    let mut kept: String = text.chars().take(FOUND_CHARS_MAX).flat_map(char::escape_default).collect();
    // Quotes stay as they are, because operators read the JSON.
    kept = kept.replace("\\\"", "\"").replace("\\'", "'");
    if text.chars().nth(FOUND_CHARS_MAX).is_some() {
        kept.push_str("...");
    }
    kept
}

/// Parses a time. A fraction is cut off, and a time before 1970 becomes 0.
fn seconds(claim: &'static str, value: &Value) -> Result<u64, ClaimProblem> {
    let Value::Number(number) = value else { return Err(unusable(claim, value, SECONDS)) };
    if let Some(whole) = number.as_u64() {
        return Ok(whole);
    }
    let fraction = number.as_f64().filter(|secs| secs.is_finite());
    let secs = fraction.ok_or_else(|| unusable(claim, value, SECONDS))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates at 0 and at u64::MAX"
    )]
    let whole = secs as u64;
    Ok(whole)
}

fn user(value: &Value) -> Result<UserId, ClaimProblem> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| unusable("sub", value, SUB))
}

fn rooms(value: &Value) -> Result<Rooms, ClaimProblem> {
    let as_text = |room: &Value| room.as_str().map(str::to_owned);
    let rooms = match value {
        Value::String(all) if all == "*" => Some(vec![all.clone()]),
        Value::Array(rooms) => rooms.iter().map(as_text).collect(),
        _ => None,
    };
    rooms.map(Rooms).ok_or_else(|| unusable("rooms", value, ROOMS))
}

/// Reads the attributes; `None` when all of them are absent.
fn attrs(value: &Value) -> Result<Option<Arc<UserAttrs>>, ClaimProblem> {
    if !value.is_object() {
        return Err(unusable("attrs", value, "an object of attributes"));
    }
    if value.to_string().len() > ATTRS_BYTES_MAX {
        return Err(unusable("attrs", value, format!("at most {ATTRS_BYTES_MAX} bytes of JSON")));
    }
    match UserAttrs::deserialize(value) {
        Ok(attrs) => Ok((!attrs.is_empty()).then(|| Arc::new(attrs))),
        Err(error) => Err(unusable("attrs", value, format!("an object of right attributes ({error})"))),
    }
}

fn role(value: &Value) -> Result<Role, ClaimProblem> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| unusable("role", value, ROLE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_700_000_000;

    fn check(claims: &Value) -> Result<Identity, PayloadError> {
        let rules = Rules { audience: "barrage", leeway_secs: 30, now_secs: NOW };
        Payload::deserialize(claims).unwrap().check(&rules)
    }

    fn good() -> Value {
        json!({ "sub": "u1", "rooms": ["demo"], "role": "viewer", "exp": NOW + 60, "aud": "barrage" })
    }

    fn with(claim: &str, value: Value) -> Value {
        let mut claims = good();
        claims[claim] = value;
        claims
    }

    #[test]
    fn each_legal_form_of_a_claim_is_accepted() {
        for claims in [
            good(),
            with("aud", json!(["elsewhere", "barrage"])),
            with("exp", json!(1_700_000_060.75)),
            with("rooms", json!("*")),
            with("rooms", json!(["*"])),
            with("exp", json!(NOW - 30)),
            with("nbf", json!(NOW + 30)),
            with("nbf", json!(1_699_999_000.5)),
            with("name", Value::Null),
            with("other", json!({ "deep": [1] })),
        ] {
            assert!(check(&claims).is_ok(), "{claims}");
        }
        let identity = check(&with("iat", json!(1_699_999_999.9))).unwrap();
        assert_eq!(identity.issued_at_secs, Some(1_699_999_999));
        assert!(check(&with("rooms", json!("*"))).unwrap().rooms.contain(&"any".parse().unwrap()));
    }

    #[test]
    fn wrong_claim_is_named_with_its_value() {
        for claim in ["sub", "rooms", "role", "exp", "aud"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(claim);
            let Err(PayloadError::Claim(problem)) = check(&claims) else { panic!("{claims}") };
            let text = problem.to_string();
            assert!(text.contains(&format!("`{claim}`")) && text.contains("missing"), "{text}");
        }
        for (claim, value, found) in [
            ("sub", json!(17), "17"),
            ("sub", json!("a b"), "\"a b\""),
            ("sub", json!("a+b"), "\"a+b\""),
            ("aud", json!("Barrage"), "\"Barrage\""),
            ("aud", json!(["x"]), "[\"x\"]"),
            ("role", json!("Moderator"), "\"Moderator\""),
            ("rooms", json!("demo"), "\"demo\""),
            ("rooms", json!([1]), "[1]"),
            ("exp", json!("1700000060"), "\"1700000060\""),
            ("nbf", json!("soon"), "\"soon\""),
            ("iat", json!("now"), "\"now\""),
            ("name", json!(5), "5"),
            ("attrs", json!("vip"), "\"vip\""),
            ("attrs", json!({ "level": -1 }), "{\"level\":-1}"),
            ("attrs", json!({ "rank": 1 }), "{\"rank\":1}"),
            ("attrs", json!({ "badges": ["<i>"] }), "{\"badges\":[\"<i>\"]}"),
        ] {
            let refused = check(&with(claim, value.clone()));
            let Err(PayloadError::Claim(problem)) = refused else { panic!("{claim} {value}: {refused:?}") };
            let text = problem.to_string();
            assert!(text.starts_with(&format!("the claim `{claim}` is {found}: it must be ")), "{text}");
        }
    }

    #[test]
    fn attributes_are_read_once_and_bounded() {
        let attrs = json!({ "badges": ["vip", "member/12"], "level": 7 });
        let identity = check(&with("attrs", attrs.clone())).unwrap();
        assert_eq!(serde_json::to_value(&*identity.attrs.unwrap()).unwrap(), attrs);
        for none in [Value::Null, json!({})] {
            assert_eq!(check(&with("attrs", none)).unwrap().attrs, None);
        }
        let large = with("attrs", json!({ "avatar": "a".repeat(2_000) }));
        let Err(PayloadError::Claim(problem)) = check(&large) else { panic!("{large}") };
        assert!(problem.to_string().ends_with("it must be at most 1024 bytes of JSON"), "{problem}");
    }

    #[test]
    fn times_outside_the_leeway_are_refused() {
        assert_eq!(check(&with("exp", json!(NOW - 31))), Err(PayloadError::Expired { since_secs: 31 }));
        assert_eq!(check(&with("exp", json!(-5))), Err(PayloadError::Expired { since_secs: NOW }));
        let early = ClaimProblem::NotYet { wait_secs: 31 };
        assert_eq!(check(&with("nbf", json!(NOW + 31))), Err(PayloadError::Claim(early)));
    }

    #[test]
    fn repeated_value_is_short_and_cannot_break_a_log_line() {
        let long = cut(&format!("\u{1b}[2J\n{}", "x".repeat(5_000)));
        assert!(long.len() < 200 && !long.contains(['\u{1b}', '\n']), "{long}");
    }
}
