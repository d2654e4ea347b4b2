//! Reactions beside the like: their names, and the set that a room offers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Reactions of a room's own set, at most: pages show a button for each.
pub const ROOM_REACTIONS_MAX: usize = 12;

/// Why a text is no name of a reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a reaction is 1 to 16 characters out of a-z, 0-9 and _")]
pub struct ReactionNameError;

/// Name of a reaction: 1 to 16 lower-case letters, digits and underscores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ReactionName(Arc<str>);

impl ReactionName {
    /// Maximum length in bytes (the alphabet is ASCII).
    pub const LEN_MAX: usize = 16;

    /// Parses a text. The alphabet lets a name be a key of JSON, a class of a style sheet and a file name.
    pub fn parse(text: &str) -> Result<Self, ReactionNameError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if text.is_empty() || text.len() > Self::LEN_MAX || !text.bytes().all(allowed) {
            return Err(ReactionNameError);
        }
        Ok(ReactionName(text.into()))
    }

    /// Returns the name as text, for sums by name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReactionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for ReactionName {
    fn schema_name() -> Cow<'static, str> {
        "ReactionName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z0-9_]{1,16}$" })
    }
}

impl<'de> Deserialize<'de> for ReactionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_words_of_lower_case() {
        for bad in ["", "Fire", "a b", "a-b", "../x", "火", "__proto__x__yz_1234", &"x".repeat(17)] {
            assert_eq!(ReactionName::parse(bad), Err(ReactionNameError), "{bad:?}");
            assert!(serde_json::from_value::<ReactionName>(bad.into()).is_err());
        }
        assert_eq!(ReactionName::parse("plus_1").unwrap().as_str(), "plus_1");
    }
}
