//! Emotes: images that stand for words of a text. Messages carry their ranges, never markup.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MediaReference, MediaView, Sequence, UserId};

/// Maximum emotes of the platform's set.
pub const PLATFORM_EMOTES_MAX: usize = 10_000;
/// Maximum emotes of a room's set.
pub const ROOM_EMOTES_MAX: usize = 1_000;
/// Maximum heights of one emote.
pub const EMOTE_SIZES_MAX: usize = 4;
/// Maximum length of the address of an emote, in bytes.
pub const EMOTE_URL_BYTES_MAX: usize = 256;
/// Maximum length of a set, in bytes of JSON. A bus takes values of a megabyte.
pub const EMOTE_SET_BYTES_MAX: usize = 768 * 1_024;

/// Where a picture of a set is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmoteKind {
    /// It stands for its word in texts.
    #[default]
    Emote,
    /// It is sent alone as a picture, and has `media`. Its word stays text.
    Sticker,
    /// It is the picture of the badge that `name` names, such as `member` or `member/12`. Its word stays text.
    Badge,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_emote(kind: &EmoteKind) -> bool {
    *kind == EmoteKind::Emote
}

/// One emote: the word that stands for it, and where its images are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Emote {
    /// Id of the emote in messages, unique in its set: `[A-Za-z0-9_-]{1,32}`.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,32}$"))]
    pub id: String,
    /// Word that stands for the emote: 2 to 32 characters without white space, as they remain after cleaning.
    pub name: String,
    /// Address of the image: `https://…`, or a path of the page's own host. Pages put a height of `px` in
    /// the place of `{px}`. With `media`, it is a path of each of the media hosts that entry names, and never ends.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub url: String,
    /// Heights of the image in CSS pixels, smallest first: 1 to 4, each 1 to 512.
    #[serde(default)]
    #[schemars(length(max = 4))]
    pub px: Vec<u16>,
    /// Whether the image moves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub animated: bool,
    /// Where the picture is used; absent for an emote in texts.
    #[serde(default, skip_serializing_if = "is_emote")]
    pub kind: EmoteKind,
    /// Checked picture of the media hosts that the emote shows, without addresses. A request repeats it as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Box<MediaView>>,
    /// In requests alone, instead of `url` and `px`: reference to a picture, from which the server fills `media`, `url`,
    /// `px` and `animated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<MediaReference>,
}

/// Set of emotes, of the platform or of one room, as `GET` returns it and `PUT` replaces it whole. An emote of
/// a room goes before one of the platform with the same id or name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmoteSet {
    /// Emotes with different ids and names: at most 10,000 of the platform and 1,000 of a room.
    pub emotes: Vec<Emote>,
}

/// Place of an emote in a text: start and end in UTF-16 code units, and the id of the emote. The end is
/// the first unit behind the word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmoteRange(pub u32, pub u32, pub String);

/// Message to which another one replies, as the server found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyTo {
    /// Position of the message in the room's chain.
    pub sequence: Sequence,
    /// User who wrote the message.
    pub user: UserId,
    /// Name of this user at that time. The text is not repeated: it may be recalled.
    pub name: String,
}

/// Returns the bytes of each emote in a text, for programs that count in UTF-8. A range that does not
/// begin and end between characters of the text is left out.
#[must_use]
pub fn byte_ranges<'a>(text: &str, emotes: &'a [EmoteRange]) -> Vec<(Range<usize>, &'a str)> {
    let mut bounds = vec![(0, 0)];
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        bounds.push((units, at + c.len_utf8()));
    }
    let byte = |unit: u32| {
        let found = bounds.binary_search_by_key(&usize::try_from(unit).ok()?, |(units, _)| *units);
        found.ok().map(|at| bounds[at].1)
    };
    let range = |EmoteRange(start, end, id): &'a EmoteRange| {
        let range = byte(*start)?..byte(*end)?;
        (range.start < range.end).then_some((range, id.as_str()))
    };
    emotes.iter().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_bytes_between_characters() {
        let text = "弹 😀 Kappa";
        let emotes: Vec<EmoteRange> =
            serde_json::from_str(r#"[[5,10,"25"],[2,3,"x"],[5,99,"x"],[6,5,"x"]]"#).unwrap();
        let found = byte_ranges(text, &emotes);
        assert_eq!(
            found.len(),
            1,
            "a half of an emoji, an end behind the text and a range of nothing are left out"
        );
        assert_eq!((&text[found[0].0.clone()], found[0].1), ("Kappa", "25"));
    }
}
