//! Attributes of a room: short texts by key, which hosts and programs set and all viewers get.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{MessageId, Sequence};

/// Attributes of one room at most; a further one is refused.
pub const ATTRIBUTES_PER_ROOM_MAX: usize = 100;
/// Maximum length of an attribute's text in bytes.
pub const ATTRIBUTE_TEXT_BYTES_MAX: usize = 4_096;
/// Maximum bytes of all keys and texts of one room together: every newcomer gets them.
pub const ATTRIBUTES_BYTES_MAX: usize = 64 * 1_024;
/// Rules of one room that say who may write which attributes, at most.
pub const ATTRIBUTE_RULES_MAX: usize = 16;
/// Longest time to live of an attribute in seconds: 30 days.
pub const ATTRIBUTE_TTL_SECS_MAX: u64 = 30 * 24 * 3_600;

/// Why a text is no key of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an attribute's key is 1 to 128 characters out of A-Z a-z 0-9 _-.: and begins with a letter or digit"
)]
pub struct AttributeKeyError;

/// Key of an attribute: 1 to 128 letters, digits, `_`, `-`, `.` and `:`, the first a letter or digit.
/// The part before a `.` or `:` groups keys; rules about writers go by prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AttributeKey(Arc<str>);

impl AttributeKey {
    /// Maximum length in bytes (the alphabet is ASCII).
    pub const LEN_MAX: usize = 128;

    /// Parses a text. The alphabet keeps paths, spaces and control characters out.
    pub fn parse(text: &str) -> Result<Self, AttributeKeyError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !begins_well || text.len() > Self::LEN_MAX || !text.bytes().all(allowed) {
            return Err(AttributeKeyError);
        }
        Ok(AttributeKey(text.into()))
    }

    /// Returns the key as text, for paths and maps.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttributeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for AttributeKey {
    type Err = AttributeKeyError;
    fn from_str(text: &str) -> Result<Self, AttributeKeyError> {
        Self::parse(text)
    }
}

impl JsonSchema for AttributeKey {
    fn schema_name() -> Cow<'static, str> {
        "AttributeKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$" })
    }
}

impl<'de> Deserialize<'de> for AttributeKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// One attribute, as viewers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attribute {
    /// Text of at most 4,096 bytes without control characters; programs often write JSON into it.
    pub text: String,
    /// Unix milliseconds at which the room removes the attribute; absent when it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
}

/// Body of `PUT /v1/rooms/{room}/attributes/{key}`: a text for one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeRequest {
    /// Id of the change, unique within its sender and room; the same id again repeats nothing.
    pub id: MessageId,
    /// New text: at most 4,096 bytes without control characters; it may be empty.
    #[schemars(length(max = 4_096))]
    pub text: String,
    /// Version that the attribute must have now, 0 for one that must not exist. Absent: whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u64>,
    /// Seconds until the room removes the attribute, 1 to 2,592,000 (30 days). Absent: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub ttl_secs: Option<u64>,
}

/// Answer to a change of an attribute, which is durable and signalled by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttributeAnswer {
    /// Id of the request, as its sender chose it.
    pub id: MessageId,
    /// Key of the attribute.
    pub key: AttributeKey,
    /// Version of the attribute after the change, for `if_version` of the next one.
    pub version: u64,
    /// Position of the signal in the room's chain; absent when there was nothing to remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// The room has this change already, and the server changed nothing.
    pub duplicate: bool,
}

/// One attribute with its key and version, as `GET` answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttributeView {
    /// Key of the attribute.
    pub key: AttributeKey,
    /// Version of the last change, for `if_version` of the next one.
    pub version: u64,
    /// Text and end of the attribute.
    #[serde(flatten)]
    pub attribute: Attribute,
}

/// Answer to `GET /v1/rooms/{room}/attributes`: all attributes, by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttributesAnswer {
    /// Attributes of the room in the order of their keys.
    pub attributes: Vec<AttributeView>,
    /// Rules that say who may write; the longest prefix of a key counts.
    pub rules: Vec<AttributeRule>,
}

/// Who may write the attributes whose keys begin with a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeRule {
    /// Beginning of the keys, at most 128 characters of a key's alphabet; empty for all keys.
    #[schemars(length(max = 128))]
    pub prefix: String,
    /// Least role of those who may write, in this room.
    pub role: WriterRole,
}

/// Least role of those who may write an attribute. Without a rule it is `moderator`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WriterRole {
    /// Everyone with a token for the room.
    Viewer,
    /// Moderators of the room and above.
    #[default]
    Moderator,
    /// Hosts of the room and above.
    Host,
    /// Programs with an admin token alone.
    Admin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_no_path_and_has_no_control_character() {
        for bad in ["", "../x", "..", ".", ":a", "a/b", "a b", "a\nb", "a\0", "键", &"x".repeat(129)] {
            assert!(AttributeKey::parse(bad).is_err(), "{bad:?}");
            assert!(serde_json::from_value::<AttributeKey>(bad.into()).is_err(), "{bad:?}");
        }
        for good in ["score", "card.1:title", "9-a_b", &"x".repeat(128)] {
            assert_eq!(AttributeKey::parse(good).unwrap().as_str(), good);
        }
    }
}
