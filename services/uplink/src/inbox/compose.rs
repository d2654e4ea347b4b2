//! From a request to the letter that a lane keeps. Pure.

use barrage_inbox::Letter;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{FILE_NAME_CHARS_MAX, LetterKind, LetterRequest, MENTIONS_MAX};
use barrage_protocol::{Code, MediaKind, MediaView, Sequence, UserId};
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
    /// Cleaned text; `None` for a sticker, and for a picture or a file without one.
    pub(super) text: Option<CleanText>,
    /// Cleaned name of a file, which moderation may replace as well.
    pub(super) file_name: Option<CleanText>,
    /// The medium without addresses, which readers get when they read.
    pub(super) media: Option<MediaView>,
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
    media: Option<&'a MediaView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<&'a CleanText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    mentions: &'a [UserId],
}

/// Checks the form of a letter, and cleans its text. Its medium is not looked up yet.
pub(super) fn check(request: &LetterRequest, chars_max: usize) -> Result<Draft<'_>, Refusal> {
    if let Some(position) = request.reply_to() {
        check_position(position)?;
    }
    let text = match request {
        LetterRequest::Text { text, mentions, .. } => {
            if mentions.len() > MENTIONS_MAX {
                return Err(malformed(format!("mentions: at most {MENTIONS_MAX} users")));
            }
            Some(cleaned(text, chars_max)?)
        }
        LetterRequest::Sticker { sticker, media, .. } => {
            check_sticker(sticker.as_deref(), media.is_some())?;
            None
        }
        LetterRequest::Image { text, .. } | LetterRequest::File { text, .. } if text.is_empty() => None,
        LetterRequest::Image { text, .. } | LetterRequest::File { text, .. } => {
            Some(cleaned(text, chars_max)?)
        }
    };
    let file_name = match request {
        LetterRequest::File { file_name: Some(name), .. } => {
            Some(cleaned_as("file_name", name, FILE_NAME_CHARS_MAX)?)
        }
        _ => None,
    };
    Ok(Draft { request, text, file_name, media: None })
}

fn cleaned(text: &str, chars_max: usize) -> Result<CleanText, Refusal> {
    cleaned_as("text", text, chars_max)
}

fn cleaned_as(field: &'static str, text: &str, chars_max: usize) -> Result<CleanText, Refusal> {
    CleanText::new(text, chars_max).map_err(|error| {
        let refusal = Refusal::new(Code::BadText, error.to_string());
        Refusal { limit: error.limit(field).map(Box::new), ..refusal }
    })
}

/// A sticker has an id or a medium, not both.
fn check_sticker(sticker: Option<&str>, has_media: bool) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    match sticker {
        Some(_) if has_media => Err(malformed("sticker: name a sticker or media, not both")),
        None if !has_media => Err(malformed("sticker: name a sticker or media")),
        Some(id) if !(1..=STICKER_LEN_MAX).contains(&id.len()) || !id.bytes().all(allowed) => {
            Err(malformed("sticker: must be 1 to 64 characters out of A-Z a-z 0-9 _ . -"))
        }
        Some(_) | None => Ok(()),
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
    /// Sets the medium that the letter refers to.
    ///
    /// # Errors
    /// A refusal of a medium that is not of the letter's kind.
    pub(super) fn set_media(&mut self, media: MediaView) -> Result<(), Refusal> {
        let is_picture = media.kind == MediaKind::Image;
        match self.request.kind() {
            LetterKind::Sticker if !is_picture || !media.is_public => {
                return Err(malformed("media: a sticker is a public picture"));
            }
            LetterKind::Image if !is_picture => {
                return Err(malformed("media: this is no picture; send it as `file`"));
            }
            LetterKind::Text | LetterKind::Sticker | LetterKind::Image | LetterKind::File => {}
        }
        self.media = Some(media);
        Ok(())
    }

    /// Returns the letter with the sender's name that moderation has allowed.
    pub(super) fn letter(&self, by: &Identity, name: &CleanText) -> Letter {
        let avatar = by.attrs.as_deref().and_then(|attrs| attrs.avatar.as_deref());
        let sticker = match self.request {
            LetterRequest::Sticker { sticker, .. } => sticker.as_deref(),
            LetterRequest::Text { .. } | LetterRequest::Image { .. } | LetterRequest::File { .. } => None,
        };
        let body = Body {
            name,
            avatar,
            text: self.text.as_ref(),
            sticker,
            media: self.media.as_ref(),
            file_name: self.file_name.as_ref(),
            reply_to: self.request.reply_to(),
            mentions: self.named(),
        };
        Letter {
            id: self.request.id().clone(),
            kind: self.request.kind(),
            body: serde_json::to_string(&body).expect("a letter is plain data"),
        }
    }

    /// Returns the users whom the text mentions.
    pub(super) fn mentions(&self) -> Vec<UserId> {
        self.named().to_vec()
    }

    fn named(&self) -> &[UserId] {
        match self.request {
            LetterRequest::Text { mentions, .. } => mentions,
            LetterRequest::Sticker { .. } | LetterRequest::Image { .. } | LetterRequest::File { .. } => &[],
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
    fn medium_is_of_the_kind_of_its_letter() {
        let set = |letter: &str, kind, is_public| {
            let request = json!({ "type": letter, "id": "m1", "media": "a.b" });
            let request: LetterRequest = serde_json::from_value(request).unwrap();
            let media = MediaView {
                digest: barrage_protocol::Digest::new([7; 32]),
                kind,
                width: None,
                height: None,
                is_animated: false,
                is_public,
                thumbhash: None,
                variants: Vec::new(),
            };
            check(&request, 20).unwrap().set_media(media).is_ok()
        };
        assert!(set("image", MediaKind::Image, false) && !set("image", MediaKind::Video, false));
        assert!(set("file", MediaKind::Video, false) && set("file", MediaKind::Image, false));
        assert!(set("sticker", MediaKind::Image, true));
        assert!(!set("sticker", MediaKind::Image, false) && !set("sticker", MediaKind::File, true));
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
        let letter = |more: serde_json::Value| {
            let mut letter = json!({ "type": "sticker", "id": "m1" });
            letter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            code(&letter)
        };
        assert_eq!(letter(json!({})), Some(Code::BadRequest));
        assert_eq!(letter(json!({ "sticker": "a", "media": "a.b" })), Some(Code::BadRequest));
        assert_eq!(letter(json!({ "media": "a.b" })), None);
        for kind in ["image", "file"] {
            let letter =
                |text: &str| code(&json!({ "type": kind, "id": "m1", "media": "a.b", "text": text }));
            assert_eq!((letter(""), letter("look")), (None, None));
            assert_eq!(
                (letter("\u{200b}"), letter(&"x".repeat(21))),
                (Some(Code::BadText), Some(Code::BadText))
            );
        }
        let named =
            |name: &str| code(&json!({ "type": "file", "id": "m1", "media": "a.b", "file_name": name }));
        assert_eq!(named("notes.pdf"), None);
        assert_eq!((named("\u{200b}"), named(&"x".repeat(121))), (Some(Code::BadText), Some(Code::BadText)));
        for position in [0, 1_u64 << 53, u64::MAX] {
            let reply = json!({ "type": "text", "id": "m1", "text": "hi", "reply_to": position });
            assert_eq!(code(&reply), Some(Code::BadRequest), "{position}");
        }
        let many = json!({ "type": "text", "id": "m1", "text": "hi", "mentions": vec!["u"; 21] });
        assert_eq!(code(&many), Some(Code::BadRequest));
    }
}
