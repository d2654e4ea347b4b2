//! Attributes of a user: badges, level, membership, colour and avatar. The backend that signs the user's
//! token sets them, and the server stamps them on the user's messages.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Maximum length of the attributes of one user, in bytes of JSON.
pub const ATTRS_BYTES_MAX: usize = 1_024;
/// Maximum badges of one user.
pub const BADGES_MAX: usize = 8;
/// Greatest level of a user.
const LEVEL_MAX: u32 = 1_000_000;
/// Greatest time in Unix seconds: the end of the year 9999.
const SECS_MAX: u64 = 253_402_300_799;

/// Why attributes are refused; the text names the attribute and the right form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttrsError {
    /// A badge that is no name, or a name with a version.
    #[error(
        "badges: {0} must be a name of a-z 0-9 _ - (1 to 24), or name/version with A-Z a-z 0-9 _ . - (1 to 16)"
    )]
    Badge(String),
    /// More badges than [`BADGES_MAX`], or one badge twice.
    #[error("badges: at most {BADGES_MAX}, each name once")]
    Badges,
    /// A number that is greater than its maximum.
    #[error("{0}: must be 0 to {1}")]
    Range(&'static str, u64),
    /// An avatar that is no id.
    #[error("avatar: must be an id of 1 to 64 characters out of A-Z a-z 0-9 _ . -")]
    Avatar,
}

/// One badge: a name, and after a slash a version, such as the months of a membership: `member/12`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Badge(String);

impl Badge {
    /// Parses a badge.
    ///
    /// # Errors
    /// When name or version has another form. The alphabet keeps markup out of pages.
    pub fn parse(text: &str) -> Result<Self, AttrsError> {
        let (name, version) = match text.split_once('/') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let in_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        let is_name = (1..=24).contains(&name.len()) && name.bytes().all(in_name);
        let is_version = version
            .is_none_or(|version| (1..=16).contains(&version.len()) && version.bytes().all(is_id_byte));
        if is_name && is_version {
            return Ok(Badge(text.to_owned()));
        }
        Err(AttrsError::Badge(text.chars().take(48).flat_map(char::escape_default).collect()))
    }

    /// Returns the badge as tokens and messages have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name without the version.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Badge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Badge::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Badge {
    fn schema_name() -> Cow<'static, str> {
        "Badge".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z0-9_-]{1,24}(/[A-Za-z0-9_.-]{1,16})?$" })
    }
}

fn is_id_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_.-".contains(&b)
}

/// Attributes of a user, as the claim `attrs` of a token has them. Each is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Unchecked")]
#[schemars(!try_from)]
pub struct UserAttrs {
    /// Badges in the order in which pages show them, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub badges: Vec<Badge>,
    /// Level of the user on the platform, 0 to 1,000,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub level: Option<u32>,
    /// Start of the membership, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_since: Option<u64>,
    /// Color of the name as RGB, 0 to 16,777,215.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 16_777_215))]
    pub color: Option<u32>,
    /// Id of the avatar, from which the platform's pages make a URL: `[A-Za-z0-9_.-]{1,64}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{1,64}$"))]
    pub avatar: Option<String>,
}

impl UserAttrs {
    /// Whether no attribute is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == UserAttrs::default()
    }
}

/// Attributes before the checks of their values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    #[serde(default)]
    badges: Vec<Badge>,
    level: Option<u32>,
    member_since: Option<u64>,
    color: Option<u32>,
    avatar: Option<String>,
}

impl TryFrom<Unchecked> for UserAttrs {
    type Error = AttrsError;

    fn try_from(attrs: Unchecked) -> Result<Self, AttrsError> {
        let Unchecked { badges, level, member_since, color, avatar } = attrs;
        let is_twice = |at: usize| badges[..at].iter().any(|known| known.name() == badges[at].name());
        if badges.len() > BADGES_MAX || (0..badges.len()).any(is_twice) {
            return Err(AttrsError::Badges);
        }
        if level.is_some_and(|level| level > LEVEL_MAX) {
            return Err(AttrsError::Range("level", LEVEL_MAX.into()));
        }
        if member_since.is_some_and(|secs| secs > SECS_MAX) {
            return Err(AttrsError::Range("member_since", SECS_MAX));
        }
        if color.is_some_and(|color| color > 0xff_ffff) {
            return Err(AttrsError::Range("color", 0xff_ffff));
        }
        let is_id = |id: &String| (1..=64).contains(&id.len()) && id.bytes().all(is_id_byte);
        if avatar.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(AttrsError::Avatar);
        }
        Ok(UserAttrs { badges, level, member_since, color, avatar })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<UserAttrs, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn attributes_are_written_as_they_were_read() {
        let json = r#"{"badges":["member/12","vip"],"level":21,"member_since":1600000000,"color":16711680,"avatar":"a-7.png"}"#;
        let attrs = read(json).unwrap();
        assert_eq!(serde_json::to_string(&attrs).unwrap(), json);
        assert_eq!((attrs.badges[0].name(), attrs.badges[1].name()), ("member", "vip"));
        assert!(read("{}").unwrap().is_empty() && !attrs.is_empty());
    }

    #[test]
    fn an_attribute_of_a_wrong_form_is_refused_by_name() {
        for (json, named) in [
            (r#"{"badges":["<b>"]}"#, "badges"),
            (r#"{"badges":["Vip"]}"#, "badges"),
            (r#"{"badges":["vip/"]}"#, "badges"),
            (r#"{"badges":["vip/a b"]}"#, "badges"),
            (r#"{"badges":["vip","vip/2"]}"#, "each name once"),
            (r#"{"badges":["a","b","c","d","e","f","g","h","i"]}"#, "at most 8"),
            (r#"{"level":1000001}"#, "level"),
            (r#"{"level":-1}"#, "-1"),
            (r#"{"member_since":253402300800}"#, "member_since"),
            (r#"{"color":16777216}"#, "color"),
            (r#"{"avatar":"../x"}"#, "avatar"),
            (r#"{"avatar":""}"#, "avatar"),
            (r#"{"role":"host"}"#, "unknown field `role`"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
        }
    }

    #[test]
    fn attributes_of_any_values_are_within_their_maximum() {
        let badges = (0..BADGES_MAX).map(|n| format!("{n}{}/{}", "b".repeat(23), "v".repeat(16)));
        let attrs = serde_json::json!({ "badges": badges.collect::<Vec<_>>(), "level": LEVEL_MAX,
            "member_since": SECS_MAX, "color": 0xff_ffff, "avatar": "a".repeat(64) });
        let attrs: UserAttrs = serde_json::from_value(attrs).unwrap();
        assert!(serde_json::to_vec(&attrs).unwrap().len() <= ATTRS_BYTES_MAX);
    }
}
