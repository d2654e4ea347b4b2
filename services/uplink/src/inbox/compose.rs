//! From a request to the letter that a lane keeps. Pure.

use barrage_inbox::Letter;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{LetterRequest, MENTIONS_MAX};
use barrage_protocol::{Code, Sequence, UserId};
use barrage_token::Identity;
use serde::Serialize;

use super::refusals::malformed;
use crate::text::CleanText;

/// Maximum length of the id of a sticker.
const STICKER_LEN_MAX: usize = 64;

/// A letter after its checks of form, whose text moderation may still replace.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) request: &'a LetterRequest,
    /// Cleaned text; `None` for a sticker.
    pub(super) text: Option<CleanText>,
}

/// What readers of an item get, as JSON.
#[derive(Serialize)]
struct Body<'a> {
    /// Name of the sender, as the token has it and moderation allows it.
    name: &'a CleanText,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a CleanText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sticker: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    mentions: &'a [UserId],
}

/// Checks the form of a letter, and cleans its text.
pub(super) fn check(request: &LetterRequest, chars_max: usize) -> Result<Draft<'_>, Refusal> {
    let reply_to = match request {
        LetterRequest::Text { reply_to, .. } | LetterRequest::Sticker { reply_to, .. } => *reply_to,
    };
    if let Some(position) = reply_to {
        check_position(position)?;
    }
    match request {
        LetterRequest::Text { text, mentions, .. } => {
            if mentions.len() > MENTIONS_MAX {
                return Err(malformed(format!("mentions: at most {MENTIONS_MAX} users")));
            }
            let text = CleanText::new(text, chars_max).map_err(|error| {
                let refusal = Refusal::new(Code::BadText, error.to_string());
                Refusal { limit: error.limit("text").map(Box::new), ..refusal }
            })?;
            Ok(Draft { request, text: Some(text) })
        }
        LetterRequest::Sticker { sticker, .. } => {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
            if !(1..=STICKER_LEN_MAX).contains(&sticker.len()) || !sticker.bytes().all(allowed) {
                let message = "sticker: must be 1 to 64 characters out of A-Z a-z 0-9 _ . -";
                return Err(malformed(message));
            }
            Ok(Draft { request, text: None })
        }
    }
}

/// Checks a position of a request.
pub(super) fn check_position(position: u64) -> Result<(), Refusal> {
    if (1..=Sequence::MAX.0).contains(&position) {
        return Ok(());
    }
    Err(malformed(format!("position: must be 1 to {}", Sequence::MAX.0)))
}

impl Draft<'_> {
    /// Returns the letter with the sender's name that moderation has allowed.
    pub(super) fn letter(&self, by: &Identity, name: &CleanText) -> Letter {
        let avatar = by.attrs.as_deref().and_then(|attrs| attrs.avatar.as_deref());
        let (sticker, reply_to, mentions) = match self.request {
            LetterRequest::Text { reply_to, mentions, .. } => (None, *reply_to, mentions.as_slice()),
            LetterRequest::Sticker { sticker, reply_to, .. } => (Some(sticker.as_str()), *reply_to, &[][..]),
        };
        let body = Body { name, avatar, text: self.text.as_ref(), sticker, reply_to, mentions };
        Letter {
            id: self.request.id().clone(),
            kind: self.request.kind(),
            body: serde_json::to_string(&body).expect("a letter is plain data"),
        }
    }

    /// Returns the users whom the text mentions.
    pub(super) fn mentions(&self) -> Vec<UserId> {
        match self.request {
            LetterRequest::Text { mentions, .. } => mentions.clone(),
            LetterRequest::Sticker { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(request: &serde_json::Value) -> Option<Code> {
        let request: LetterRequest = serde_json::from_value(request.clone()).unwrap();
        check(&request, 20).err().map(|refusal| refusal.code)
    }

    #[test]
    fn letters_of_wrong_form_are_refused() {
        let text = |text: &str| json!({ "type": "text", "id": "m1", "text": text });
        assert_eq!(code(&text("hello")), None);
        assert_eq!(code(&text("\u{200b}")), Some(Code::BadText));
        assert_eq!(code(&text(&"x".repeat(21))), Some(Code::BadText));
        let sticker = |sticker: &str| json!({ "type": "sticker", "id": "m1", "sticker": sticker });
        assert_eq!(code(&sticker("cat.1-a_B")), None);
        for bad in ["", "a/b", "a b", "\u{5f39}", &"x".repeat(65)] {
            assert_eq!(code(&sticker(bad)), Some(Code::BadRequest), "{bad}");
        }
        for position in [0, 1_u64 << 53, u64::MAX] {
            let reply = json!({ "type": "text", "id": "m1", "text": "hi", "reply_to": position });
            assert_eq!(code(&reply), Some(Code::BadRequest), "{position}");
        }
        let many = json!({ "type": "text", "id": "m1", "text": "hi", "mentions": vec!["u"; 21] });
        assert_eq!(code(&many), Some(Code::BadRequest));
    }
}
