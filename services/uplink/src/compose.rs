//! From a post to the body that viewers get. Pure.

use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Gift, Post, Style};
use barrage_protocol::{Code, MessageId, Sequence, UserId};
use barrage_token::{Identity, Role};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::text::{TextError, clean};

/// Longest name of a user or a gift, in characters.
const NAME_CHARS_MAX: usize = 40;
const GIFT_COUNT_MAX: u32 = 1_000_000;
const COMBO_MAX: u32 = 1_000_000;
const AMOUNT_MINOR_MAX: u64 = 100_000_000_000;
/// Likes in one post.
pub(crate) const LIKES_MAX: u32 = 1_000;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Body<'a> {
    Chat {
        #[serde(flatten)]
        by: By<'a>,
        text: String,
        #[serde(skip_serializing_if = "is_default_style")]
        style: Style,
        at_ms: u64,
    },
    Gift {
        #[serde(flatten)]
        by: By<'a>,
        gift: Gift,
        at_ms: u64,
    },
    SuperChat {
        #[serde(flatten)]
        by: By<'a>,
        text: String,
        amount_minor: u64,
        currency: String,
        at_ms: u64,
    },
}

#[derive(Serialize)]
struct By<'a> {
    id: &'a MessageId,
    user: &'a UserId,
    name: String,
    #[serde(skip_serializing_if = "is_viewer")]
    role: Role,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_viewer(role: &Role) -> bool {
    *role == Role::Viewer
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_default_style(style: &Style) -> bool {
    *style == Style::default()
}

/// Checks and cleans a post, and makes its body. Likes have none.
pub(crate) fn body(post: &Post, by: &Identity, text_chars_max: usize, at_ms: u64) -> Result<Bytes, Refusal> {
    let sender = |id| By { id, user: &by.user, name: shown_name(by), role: by.role };
    let body = match post {
        Post::Chat { id, text, style } => {
            in_range("style.color", u64::from(style.color), 0, 0xff_ffff)?;
            Body::Chat { by: sender(id), text: shown("text", text, text_chars_max)?, style: *style, at_ms }
        }
        Post::Gift { id, gift } => {
            in_range("gift.count", u64::from(gift.count), 1, u64::from(GIFT_COUNT_MAX))?;
            in_range("gift.combo", u64::from(gift.combo.unwrap_or(1)), 1, u64::from(COMBO_MAX))?;
            in_range("gift.price_minor", gift.price_minor, 0, AMOUNT_MINOR_MAX)?;
            let gift = Gift { name: shown("gift.name", &gift.name, NAME_CHARS_MAX)?, ..gift.clone() };
            Body::Gift { by: sender(id), gift, at_ms }
        }
        Post::SuperChat { id, text, amount_minor, currency } => {
            in_range("amount_minor", *amount_minor, 1, AMOUNT_MINOR_MAX)?;
            if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
                return Err(Refusal::new(
                    Code::BadRequest,
                    "currency: must be three capital letters (ISO 4217)",
                ));
            }
            let text = shown("text", text, text_chars_max)?;
            Body::SuperChat {
                by: sender(id),
                text,
                amount_minor: *amount_minor,
                currency: currency.clone(),
                at_ms,
            }
        }
        Post::Like { count, .. } => {
            in_range("count", u64::from(*count), 1, u64::from(LIKES_MAX))?;
            return Ok(Bytes::new());
        }
    };
    Ok(serde_json::to_vec(&body).expect("bodies are plain data").into())
}

/// The sender's name, cleaned as texts are; the user's id where nothing of it can be shown.
pub(crate) fn shown_name(by: &Identity) -> String {
    clean(&by.name, NAME_CHARS_MAX).unwrap_or_else(|_| by.user.to_string())
}

fn shown(field: &str, text: &str, chars_max: usize) -> Result<String, Refusal> {
    clean(text, chars_max)
        .map_err(|error: TextError| Refusal::new(Code::BadText, format!("{field}: {error}")))
}

fn in_range(field: &str, value: u64, min: u64, max: u64) -> Result<(), Refusal> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadRequest, format!("{field}: must be {min} to {max}")))
}

/// Hash of what was posted: tells a retry from another message under the same id.
pub(crate) fn fingerprint(post: &Post) -> u64 {
    let bytes = serde_json::to_vec(post).expect("posts are plain data");
    let digest = Sha256::digest(&bytes);
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"))
}

/// What the platform itself says to a room.
#[derive(Debug, Serialize)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub(crate) enum Signal<'a> {
    MuteAll { on: bool },
    SlowMode { secs: u32 },
    Recall { sequence: Sequence },
    Mute { user: &'a UserId, until_ms: u64 },
    Unmute { user: &'a UserId },
    Kick { user: &'a UserId, until_ms: u64 },
    Close,
    Announcement { text: &'a str },
}

/// A signal's body.
pub(crate) fn signal(signal: &Signal<'_>) -> Bytes {
    #[derive(Serialize)]
    struct Typed<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        signal: &'a Signal<'a>,
    }
    serde_json::to_vec(&Typed { r#type: "signal", signal }).expect("signals are plain data").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_token::Rooms;

    fn made(post: &str) -> Result<String, Code> {
        let by = Identity {
            user: "u1".parse().unwrap(),
            name: "A\u{202E}nn".into(),
            role: Role::Viewer,
            rooms: Rooms(vec!["*".into()]),
            expires_at_secs: 0,
            issued_at_secs: None,
        };
        let post: Post = serde_json::from_str(post).map_err(|_| Code::BadRequest)?;
        body(&post, &by, 200, 7).map(|b| String::from_utf8(b.to_vec()).unwrap()).map_err(|r| r.code)
    }

    #[test]
    fn a_body_is_clean_and_small() {
        assert_eq!(
            made(r#"{"type":"chat","id":"x","text":" hi\u0000 "}"#).unwrap(),
            r#"{"type":"chat","id":"x","user":"u1","name":"Ann","text":"hi","at_ms":7}"#
        );
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for gift in [
            r#"{"name":"rose","count":0}"#,
            r#"{"name":"rose","count":-1}"#,
            r#"{"name":"rose","count":4294967296}"#,
            r#"{"name":"rose","count":1.5}"#,
            r#"{"name":"rose","count":1000001}"#,
            r#"{"name":"rose","count":1,"price_minor":99999999999999999999}"#,
            r#"{"name":"rose","count":1,"combo":0}"#,
            r#"{"name":"rose","count":1,"extra":1}"#,
        ] {
            let post = format!(r#"{{"type":"gift","id":"x","gift":{gift}}}"#);
            assert_eq!(made(&post), Err(Code::BadRequest), "{gift}");
        }
        assert_eq!(made(r#"{"type":"like","id":"x","count":1001}"#), Err(Code::BadRequest));
        assert_eq!(made(r#"{"type":"chat","id":"a b","text":"x"}"#), Err(Code::BadRequest));
        assert_eq!(
            made(r#"{"type":"super_chat","id":"x","text":"x","amount_minor":1,"currency":"cny"}"#),
            Err(Code::BadRequest)
        );
    }
}
