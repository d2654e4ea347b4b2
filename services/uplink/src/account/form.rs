//! Forms of names, passwords and avatars. Pure.

use barrage_moderation::Folded;
use barrage_protocol::account::{ACCOUNT_NAME_CHARS_MAX, PASSWORD_BYTES_MAX};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, UserAttrs};
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

use crate::text::CleanText;

/// A cleaned name, and the key by which names that look alike are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountName {
    pub(super) shown: String,
    pub(super) key: String,
}

/// Cleans a name and folds it to its key.
///
/// # Errors
/// `bad_text` for a name of which nothing is left, or that has no letter and no digit.
pub(super) fn name(text: &str) -> Result<AccountName, Refusal> {
    let bad = |why: String| Refusal::new(Code::BadText, format!("name: {why}"));
    let shown = CleanText::new(text, ACCOUNT_NAME_CHARS_MAX).map_err(|error| bad(error.to_string()))?;
    let shown = shown.into_string();
    let key = key(&shown);
    if key.is_empty() {
        return Err(bad("a letter or a digit is needed".into()));
    }
    Ok(AccountName { shown, key })
}

/// Folds a name to the key that it has in common with all names that look like it; empty for a name without a
/// letter or digit.
pub(super) fn key(name: &str) -> String {
    Folded::new(name).as_str().to_owned()
}

/// Normalises a password that is chosen now: keyboards write the same character in several ways.
///
/// # Errors
/// `bad_request` for one that is too short or too long, or has control characters.
pub(super) fn new_password(text: &str, chars_min: u32) -> Result<String, Refusal> {
    let bad = |why: String| Err(Refusal::new(Code::BadRequest, format!("password: {why}")));
    if text.chars().any(char::is_control) {
        return bad("no control characters".into());
    }
    let password = password(text)?;
    let chars_min = usize::try_from(chars_min).unwrap_or(usize::MAX);
    if password.chars().count() < chars_min {
        return bad(format!("at least {chars_min} characters"));
    }
    Ok(password)
}

/// Normalises a password that is compared with a stored one.
///
/// # Errors
/// `bad_request` for one that is longer than any stored one.
pub(super) fn password(text: &str) -> Result<String, Refusal> {
    let too_long = || {
        let message = format!("password: at most {PASSWORD_BYTES_MAX} bytes");
        Err(Refusal::new(Code::BadRequest, message))
    };
    if text.len() > PASSWORD_BYTES_MAX {
        return too_long();
    }
    let normal: String = text.nfkc().collect();
    if normal.len() > PASSWORD_BYTES_MAX { too_long() } else { Ok(normal) }
}

/// Returns the attributes of an account's tokens; `None` without an avatar.
///
/// # Errors
/// `bad_request` for an avatar that is no id.
pub(super) fn attrs(avatar: Option<&str>) -> Result<Option<UserAttrs>, Refusal> {
    let Some(avatar) = avatar else { return Ok(None) };
    let read = serde_json::from_value(json!({ "avatar": avatar }));
    read.map(Some).map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_one_key() {
        let key = |text: &str| name(text).unwrap().key;
        for other in
            ["ann", " ANN ", "A\u{200B}nn", "А\u{6E}n", "Ａｎｎ", "Änn", "A.n-n", "A\u{0}nn", "Ann😀"]
        {
            assert_eq!(key(other), key("Ann"), "{other:?}");
        }
        assert_ne!(key("Anne"), key("Ann"));
        assert_eq!(name("  弹幕\u{202E} ").unwrap().shown, "弹幕");
        for bad in ["", " ", "\u{200B}", "😀😀", "...", &"x".repeat(21), &"x".repeat(1 << 20)] {
            assert_eq!(name(bad).unwrap_err().code, Code::BadText, "{bad:.20}");
        }
    }

    #[test]
    fn passwords_are_bounded_and_normalised() {
        assert_eq!(
            new_password("pa\u{FB03}ngwörd", 8).unwrap(),
            new_password("paffingwo\u{308}rd", 8).unwrap()
        );
        assert!(new_password(&"弹".repeat(8), 8).is_ok());
        for bad in
            ["short", "with\u{0}nul-char", "line\nfeed-char", &"x".repeat(1_025), &"\u{FDFA}".repeat(300)]
        {
            let refusal = new_password(bad, 8).unwrap_err();
            assert!(
                refusal.code == Code::BadRequest && refusal.message.starts_with("password: "),
                "{bad:.20}"
            );
        }
        assert!(password("short").is_ok(), "a login compares what was stored");
        assert!(password(&"x".repeat(1_025)).is_err());
    }

    #[test]
    fn an_avatar_is_an_id() {
        assert_eq!(attrs(None).unwrap(), None);
        assert!(attrs(Some("a-1")).unwrap().is_some());
        for bad in ["a b", "https://a.example/x.png", &"x".repeat(65)] {
            assert_eq!(attrs(Some(bad)).unwrap_err().code, Code::BadRequest, "{bad}");
        }
    }
}
