//! Media in messages: what a client draws before any byte of a picture comes, and where the bytes are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{MediaReference, Sequence, UserId};

/// Maximum variants of one medium.
pub const VARIANTS_MAX: usize = 8;

/// What a client shows a medium as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture, which was decoded and written anew.
    Image,
    /// A clip, whose index is at its start.
    Video,
    /// A voice note or another sound.
    Audio,
    /// Any other file, which is saved and never shown.
    File,
}

impl MediaKind {
    /// Whether a browser may show the medium; a file is saved instead.
    #[must_use]
    pub const fn is_shown(self) -> bool {
        !matches!(self, MediaKind::File)
    }
}

/// A medium with the addresses of its variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaView {
    /// SHA-256 of the uploaded bytes, by which the medium is named: 64 hexadecimal digits.
    pub digest: Digest,
    /// What a client shows it as.
    pub kind: MediaKind,
    /// Width in pixels, of a picture or of a clip's cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels, of a picture or of a clip's cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Whether the picture moves.
    #[serde(default)]
    pub is_animated: bool,
    /// Whether everybody may see the medium, by addresses that never end: a sticker, an emote, an avatar.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_public: bool,
    /// Placeholder of a picture to draw before its bytes come: a thumbhash in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbhash: Option<String>,
    /// Forms of the medium, the smallest first; at most 8.
    #[schemars(length(max = 8))]
    pub variants: Vec<MediaVariant>,
}

/// One form of a medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaVariant {
    /// Name of the form: the longest side in pixels, `original`, or `cover-…` for a form of a clip's cover.
    pub name: String,
    /// Media type of the bytes, such as `image/webp`.
    pub media_type: String,
    /// Length of the form in bytes.
    pub length: u64,
    /// Address of the bytes, which ends at a full hour unless the medium is public. Without a host, it is on each of
    /// the media hosts that entry names.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// Body of `POST /v1/media/references`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceRequest {
    /// Medium that the caller has uploaded, or a public one.
    pub digest: Digest,
    /// Picture that a clip has as its cover in this message: one that the caller has uploaded, or a public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<Digest>,
}

/// Answer of `POST /v1/media/references`: the medium for messages of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceAnswer {
    /// What a post or a letter of the caller has in `media`.
    pub reference: MediaReference,
    /// Unix time in milliseconds from which uplinks refuse the reference; ask for another one then.
    pub expires_ms: u64,
    /// The medium, with addresses for the caller.
    pub media: MediaView,
}

/// Answer of `POST /v1/media/avatars`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AvatarAnswer {
    /// Id of the avatar for `attrs.avatar` of tokens and for accounts: the digest of the picture.
    pub avatar: Digest,
    /// Address of the picture without a host, on each of the media hosts that entry names. It never ends.
    pub url: String,
}

/// Maximum media in one page of a room's gallery.
pub const GALLERY_LIMIT_MAX: usize = 200;

/// Answer of `GET /v1/rooms/{room}/media`: what messages of a room show, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomMedia {
    /// A page of media, one for each message; fewer than `limit`, or none, do not mean the end.
    pub media: Vec<RoomMedium>,
    /// `before` of the next page; absent when no older message has a medium.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Sequence>,
}

/// A medium in a message of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomMedium {
    /// Position of the message, by which `remove_media` and `recall` name it.
    pub sequence: Sequence,
    /// Unix time in milliseconds at which the server accepted the message.
    pub at_ms: u64,
    /// Author of the message.
    pub user: UserId,
    /// Name of the author at that time.
    pub name: String,
    /// Whether readers of the room still see the medium.
    pub state: RoomMediumState,
    /// The medium; the first variant is the smallest. Without addresses once it was removed.
    pub media: MediaView,
}

/// Whether readers of a room see the medium of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomMediumState {
    /// Readers see the medium.
    Shown,
    /// The medium was removed everywhere; the message stays without it.
    Removed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_without_addresses_is_what_tables_keep() {
        let kept = r#"{"digest":"DIGEST","kind":"image","width":2,"height":1,"is_animated":false,"thumbhash":"1QcSHQ","variants":[{"name":"96","media_type":"image/webp","length":5}]}"#;
        let kept = kept.replace("DIGEST", &"0f".repeat(32));
        let view: MediaView = serde_json::from_str(&kept).unwrap();
        assert_eq!((view.variants[0].url.as_str(), view.is_public), ("", false));
        assert_eq!(serde_json::to_string(&view).unwrap(), kept);
    }

    #[test]
    fn a_reference_is_of_bounded_length_and_plain() {
        assert!(MediaReference::parse("eyJk.c2ln-_").is_ok());
        for bad in ["", "a b", "a/b", "\u{5f39}", &"a".repeat(2_049)] {
            assert!(MediaReference::parse(bad).is_err(), "{bad}");
        }
    }
}
