//! Body of a message, as far as IRC shows it. Unknown fields and types are ignored.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) user: String,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) text: String,
    pub(super) attrs: Attributes,
    /// Start and end in UTF-16 code units, and the id of the emote.
    pub(super) emotes: Vec<(u32, u32, String)>,
    pub(super) reply_to: Option<ReplyTo>,
    pub(super) gift: Gift,
    pub(super) amount_minor: u64,
    pub(super) currency: String,
    pub(super) at_ms: u64,
    pub(super) style: Style,
    pub(super) signal: String,
    pub(super) secs: u32,
    pub(super) slow_mode_secs: u32,
    pub(super) on: bool,
    pub(super) sequence: u64,
    pub(super) until_ms: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Gift {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) price_minor: u64,
}

/// Attributes of a user that the platform stamped on the message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    /// Names, each with a version behind a `/` or without.
    pub(super) badges: Vec<String>,
    pub(super) color: Option<u32>,
}

/// Message that this one answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplyTo {
    pub(super) sequence: u64,
    pub(super) user: String,
    pub(super) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Style {
    pub(super) color: Option<u32>,
}

impl Body {
    /// Colour of the user, or of the text, as tags write it; empty for white, which is the default.
    pub(super) fn color(&self) -> String {
        match self.attrs.color.or(self.style.color) {
            Some(color) if color < 0xff_ffff => format!("#{color:06X}"),
            _ => String::new(),
        }
    }

    /// Emotes as tags write them: `id:first-last/id:first-last`, by characters of the text. Ranges outside
    /// of the text are left out.
    pub(super) fn emotes(&self) -> String {
        let (mut units, mut characters) = (0_u32, 0_u32);
        let mut at = std::collections::BTreeMap::from([(0, 0)]);
        for c in self.text.chars() {
            units += if c.len_utf16() == 2 { 2 } else { 1 };
            characters += 1;
            at.insert(units, characters);
        }
        let ranges = self.emotes.iter().filter_map(|(start, end, id)| {
            let (first, last) = (at.get(start)?, at.get(end)?.checked_sub(1)?);
            let is_plain =
                !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            (*first <= last && is_plain).then(|| format!("{id}:{first}-{last}"))
        });
        ranges.collect::<Vec<_>>().join("/")
    }

    /// Badges of the user's attributes behind the one of the role.
    pub(super) fn badges(&self, of_role: &str) -> String {
        let is_plain = |badge: &&String| {
            !badge.is_empty() && badge.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
        };
        let own = self.attrs.badges.iter().filter(is_plain);
        let own = own.map(|badge| if badge.contains('/') { badge.clone() } else { format!("{badge}/1") });
        let of_role = (!of_role.is_empty()).then(|| of_role.to_owned());
        of_role.into_iter().chain(own).collect::<Vec<_>>().join(",")
    }
}
