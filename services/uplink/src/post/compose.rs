//! From a post to the message body that viewers get. Pure.

use barrage_protocol::code::Refusal;
use barrage_protocol::emote::ReplyTo;
use barrage_protocol::post::{Gift, Post, Style};
use barrage_protocol::{Code, MediaView, MessageId, SuperChatTier, UserAttrs, UserId};
use barrage_token::{Identity, Role};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::pulses::Tap;
use crate::super_chat_config::SuperChatTiers;
use crate::text::{CleanText, TextError};

/// Maximum characters of the name of a user or a gift.
const NAME_CHARS_MAX: usize = 40;
const GIFT_COUNT_MAX: u32 = 1_000_000;
const COMBO_MAX: u32 = 1_000_000;
const AMOUNT_MINOR_MAX: u64 = 100_000_000_000;
/// Maximum users whom one text addresses.
const MENTIONS_MAX: usize = 10;
/// Maximum likes or reactions in one post; a larger count is refused.
const LIKES_MAX: u32 = 1_000;

/// A post after its checks of form.
#[derive(Debug)]
pub(super) enum Composed<'a> {
    Content(Content<'a>),
    /// Likes and reactions have no body: their sum travels.
    Tap(Tap<'a>),
}

/// The content of a post, checked and cleaned once. Moderation may replace its text before the
/// body is written.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Chat {
        /// Empty for a picture without a text.
        text: CleanText,
        style: Style,
        reply_to: Option<ReplyTo>,
        mentions: &'a [UserId],
        media: Option<Box<MediaView>>,
    },
    Gift {
        name: CleanText,
        gift: &'a Gift,
    },
    SuperChat {
        text: CleanText,
        amount_minor: u64,
        currency: &'a str,
        tier: Option<SuperChatTier>,
    },
}

/// The sender as viewers see it, with a name that moderation has allowed.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    pub(super) user: &'a UserId,
    pub(super) name: CleanText,
    pub(super) role: Role,
    pub(super) attrs: Option<&'a UserAttrs>,
}

/// Emotes of a text, each as start and end in UTF-16 code units and the emote's id.
pub(super) type Emotes<'a> = [(u32, u32, &'a str)];

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Body<'a> {
    Chat {
        #[serde(flatten)]
        by: By<'a>,
        text: &'a CleanText,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        emotes: &'a Emotes<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<&'a ReplyTo>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        mentions: &'a [UserId],
        #[serde(skip_serializing_if = "Option::is_none")]
        media: Option<&'a MediaView>,
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
        text: &'a CleanText,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        emotes: &'a Emotes<'a>,
        amount_minor: u64,
        currency: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        tier: Option<SuperChatTier>,
        at_ms: u64,
    },
}

#[derive(Serialize)]
struct By<'a> {
    id: &'a MessageId,
    user: &'a UserId,
    name: &'a CleanText,
    #[serde(skip_serializing_if = "is_viewer")]
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    attrs: Option<&'a UserAttrs>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_viewer(role: &Role) -> bool {
    *role == Role::Viewer
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_default_style(style: &Style) -> bool {
    *style == Style::default()
}

/// Checks the numbers of a post and cleans its text. A super chat gets its tier.
pub(super) fn compose<'a>(
    post: &'a Post,
    text_chars_max: usize,
    tiers: &SuperChatTiers,
) -> Result<Composed<'a>, Refusal> {
    Ok(Composed::Content(match post {
        Post::Chat { text, style, mentions, media, sticker, .. } => {
            in_range("style.color", u64::from(style.color), 0, 0xff_ffff)?;
            style.check_place().map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
            let is_twice = |at: usize| mentions[..at].contains(&mentions[at]);
            if mentions.len() > MENTIONS_MAX || (0..mentions.len()).any(is_twice) {
                let message = format!("mentions: at most {MENTIONS_MAX} users, each once");
                return Err(Refusal::new(Code::BadRequest, message));
            }
            let text = match CleanText::new(text, text_chars_max) {
                Err(TextError::Empty) if media.is_some() || sticker.is_some() => CleanText::none(),
                text => text.map_err(|error| not_clean("text", error))?,
            };
            Content::Chat { text, style: *style, reply_to: None, mentions, media: None }
        }
        Post::Gift { gift, .. } => {
            in_range("gift.count", u64::from(gift.count), 1, u64::from(GIFT_COUNT_MAX))?;
            in_range("gift.combo", u64::from(gift.combo.unwrap_or(1)), 1, u64::from(COMBO_MAX))?;
            in_range("gift.price_minor", gift.price_minor, 0, AMOUNT_MINOR_MAX)?;
            Content::Gift { name: cleaned("gift.name", &gift.name, NAME_CHARS_MAX)?, gift }
        }
        Post::SuperChat { text, amount_minor, currency, .. } => {
            in_range("amount_minor", *amount_minor, 1, AMOUNT_MINOR_MAX)?;
            if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
                let message = "currency: must be three capital letters (ISO 4217)";
                return Err(Refusal::new(Code::BadRequest, message));
            }
            let tier = tiers.of(*amount_minor, currency)?;
            let text = cleaned("text", text, tier.map_or(text_chars_max, |tier| tier.text_chars_max))?;
            let tier = tier.map(|tier| tier.stamp);
            Content::SuperChat { text, amount_minor: *amount_minor, currency, tier }
        }
        Post::Like { count, .. } => {
            in_range("count", u64::from(*count), 1, u64::from(LIKES_MAX))?;
            return Ok(Composed::Tap(Tap::Likes(*count)));
        }
        Post::Reaction { name, count, .. } => {
            in_range("count", u64::from(*count), 1, u64::from(LIKES_MAX))?;
            return Ok(Composed::Tap(Tap::Reactions(name, *count)));
        }
    }))
}

impl Content<'_> {
    /// Returns the text that moderation checks. The text of a gift is its name.
    pub(super) fn text(&self) -> &str {
        match self {
            Content::Chat { text, .. } | Content::SuperChat { text, .. } => text.as_str(),
            Content::Gift { name, .. } => name.as_str(),
        }
    }

    /// Sets the message to which a chat replies.
    pub(super) fn set_reply(&mut self, found: Option<ReplyTo>) {
        if let Content::Chat { reply_to, .. } = self {
            *reply_to = found;
        }
    }

    /// Sets the picture of a chat.
    pub(super) fn set_media(&mut self, found: MediaView) {
        if let Content::Chat { media, .. } = self {
            *media = Some(Box::new(found));
        }
    }

    /// Returns the picture of a chat.
    pub(super) fn media(&self) -> Option<&MediaView> {
        match self {
            Content::Chat { media, .. } => media.as_deref(),
            Content::Gift { .. } | Content::SuperChat { .. } => None,
        }
    }

    /// Replaces the text by the one that moderation allows. The new text is cleaned again, because
    /// a hook may have written it.
    pub(super) fn replace_text(&mut self, allowed: &str, text_chars_max: usize) -> Result<(), Refusal> {
        match self {
            Content::Chat { text, .. } | Content::SuperChat { text, .. } => {
                *text = cleaned("text", allowed, text_chars_max)?;
            }
            Content::Gift { name, .. } => *name = cleaned("gift.name", allowed, NAME_CHARS_MAX)?,
        }
        Ok(())
    }

    /// Removes the style of a chat message, for the switch `text-only`.
    pub(super) fn remove_style(&mut self) {
        if let Content::Chat { style, .. } = self {
            *style = Style::default();
        }
    }

    /// Writes the message body as JSON. Called once for each post.
    pub(super) fn body(&self, id: &MessageId, sender: &Sender<'_>, emotes: &Emotes<'_>, at_ms: u64) -> Bytes {
        let by = By { id, user: sender.user, name: &sender.name, role: sender.role, attrs: sender.attrs };
        let body = match self {
            Content::Chat { text, style, reply_to, mentions, media } => {
                let (reply_to, media, style) = (reply_to.as_ref(), media.as_deref(), *style);
                Body::Chat { by, text, emotes, reply_to, mentions, media, style, at_ms }
            }
            Content::Gift { name, gift } => {
                let gift = Gift { name: name.as_str().to_owned(), ..(*gift).clone() };
                Body::Gift { by, gift, at_ms }
            }
            Content::SuperChat { text, amount_minor, currency, tier } => {
                let (amount_minor, tier) = (*amount_minor, *tier);
                Body::SuperChat { by, text, emotes, amount_minor, currency, tier, at_ms }
            }
        };
        let body = serde_json::to_vec(&body).expect("bodies are plain data");
        // Without the spare capacity: the bus keeps the body for as long as it can be repaired.
        body.into_boxed_slice().into()
    }
}

/// Cleans a sender's name. A name of which nothing can be shown becomes the user's id.
pub(super) fn sender_name(name: &str, by: &Identity) -> CleanText {
    CleanText::new(name, NAME_CHARS_MAX).unwrap_or_else(|_| CleanText::from_user_id(&by.user))
}

fn cleaned(field: &str, text: &str, chars_max: usize) -> Result<CleanText, Refusal> {
    CleanText::new(text, chars_max).map_err(|error| not_clean(field, error))
}

fn not_clean(field: &str, error: TextError) -> Refusal {
    Refusal {
        limit: error.limit(field).map(Box::new),
        ..Refusal::new(Code::BadText, format!("{field}: {error}"))
    }
}

fn in_range(field: &str, value: u64, min: u64, max: u64) -> Result<(), Refusal> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Refusal::new(Code::BadRequest, format!("{field}: must be {min} to {max}")))
}

/// Hashes a post as it was sent. The bus compares the hash to tell a retry from another message
/// under the same id; moderation and switches do not change it.
pub(super) fn fingerprint(post: &Post) -> u64 {
    let bytes = serde_json::to_vec(post).expect("posts are plain data");
    let digest = Sha256::digest(&bytes);
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::super_chat_config::default_tiers;

    fn body(post: &str) -> Result<String, Code> {
        let post: Post = serde_json::from_str(post).map_err(|_| Code::BadRequest)?;
        let tiers = SuperChatTiers::new(&default_tiers(), 200).unwrap();
        let composed = compose(&post, 200, &tiers).map_err(|refusal| refusal.code)?;
        let user = "u1".parse().unwrap();
        let name = CleanText::new("A\u{202E}nn", NAME_CHARS_MAX).unwrap();
        let sender = Sender { user: &user, name, role: Role::Viewer, attrs: None };
        let Composed::Content(content) = composed else { return Ok(String::new()) };
        Ok(String::from_utf8(content.body(post.id(), &sender, &[], 7).to_vec()).unwrap())
    }

    #[test]
    fn body_is_clean_and_has_no_default_fields() {
        assert_eq!(
            body(r#"{"type":"chat","id":"x","text":" hi\u0000 "}"#).unwrap(),
            r#"{"type":"chat","id":"x","user":"u1","name":"Ann","text":"hi","at_ms":7}"#
        );
    }

    #[test]
    fn a_picture_needs_no_text_and_a_chat_without_a_picture_does() {
        let picture = r#"{"type":"chat","id":"x","text":" \u200b","media":"a.b"}"#;
        assert_eq!(
            body(picture).unwrap(),
            r#"{"type":"chat","id":"x","user":"u1","name":"Ann","text":"","at_ms":7}"#
        );
        assert_eq!(body(&picture.replace(",\"media\":\"a.b\"", "")), Err(Code::BadText));
        let long = picture.replace(r" \u200b", &"x".repeat(201));
        assert_eq!(body(&long), Err(Code::BadText));
    }

    #[test]
    fn a_super_chat_gets_the_tier_of_its_amount_and_no_other() {
        let post = r#"{"type":"super_chat","id":"s","text":"hi","amount_minor":3000,"currency":"EUR"}"#;
        assert_eq!(
            body(post).unwrap(),
            r#"{"type":"super_chat","id":"s","user":"u1","name":"Ann","text":"hi","amount_minor":3000,"currency":"EUR","tier":{"level":5,"color":16088064,"top_secs":600},"at_ms":7}"#
        );
        let forged = post.replace("EUR\"", "EUR\",\"tier\":{\"level\":7,\"color\":0,\"top_secs\":3600}");
        assert_eq!(body(&forged), Err(Code::BadRequest));
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
            assert_eq!(body(&post), Err(Code::BadRequest), "{gift}");
        }
        assert_eq!(body(r#"{"type":"like","id":"x","count":1001}"#), Err(Code::BadRequest));
        assert_eq!(body(r#"{"type":"chat","id":"a b","text":"x"}"#), Err(Code::BadRequest));
        assert_eq!(
            body(r#"{"type":"super_chat","id":"x","text":"x","amount_minor":1,"currency":"cny"}"#),
            Err(Code::BadRequest)
        );
    }
}
