//! Identifiers, parsed once at the edge and then valid by type.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Why a text is no identifier; the error text states the length and the alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be 1 to {max} characters out of A-Z a-z 0-9 {extra}")]
pub struct IdError {
    kind: &'static str,
    max: usize,
    extra: &'static str,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $extra:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Maximum length in bytes (the alphabet is ASCII).
            pub const LEN_MAX: usize = $max;

            /// Parses a text. The alphabet keeps wildcards, separators and spaces out of bus subjects,
            /// keys and paths.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || $extra.as_bytes().contains(&b);
                if text.is_empty() || text.len() > $max || !text.bytes().all(allowed) {
                    return Err(IdError { kind: $kind, max: $max, extra: $extra });
                }
                Ok(Self(text.into()))
            }

            /// Returns the id as text, for keys, paths and logs.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                // A hyphen is a character of its own at the end of the list alone.
                let others = $extra.replace('-', "");
                let pattern = format!("^[A-Za-z0-9{others}-]{{1,{}}}$", $max);
                json_schema!({ "type": "string", "pattern": pattern })
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(
    /// Id of a room: the audience of one live stream.
    RoomId, "room id", 64, "_-"
);

impl RoomId {
    /// Id of the room that only probes join. It is in no list of rooms, has no history, and counts
    /// nowhere.
    pub const PROBE: &'static str = "barrage-probe";

    /// Returns the id of the probes' room.
    #[must_use]
    pub fn probe() -> RoomId {
        RoomId(Self::PROBE.into())
    }

    /// Returns the id under which moderation sees letters, which belong to no room.
    #[must_use]
    pub fn letters() -> RoomId {
        RoomId("barrage-letters".into())
    }

    /// Returns the id under which moderation sees items of groups, which belong to no room.
    #[must_use]
    pub fn groups() -> RoomId {
        RoomId("barrage-groups".into())
    }

    /// Whether this is the room that only probes join.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.as_str() == Self::PROBE
    }
}

identifier!(
    /// Reference to a medium, signed by the role media for one user: what a post or a letter carries. Clients treat
    /// it as opaque.
    MediaReference, "media reference", 2_048, "_-."
);

identifier!(
    /// Id of a user, from the token.
    UserId, "user id", 64, "_-.:@"
);
identifier!(
    /// Id of a message, chosen by its sender; unique within that sender and room.
    MessageId, "message id", 64, "_-.:"
);

/// Position of a message on the bus. Positions grow, never repeat, and may skip. They fit in 53 bits,
/// which JavaScript represents exactly. 0 is the position before the first message.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Position before the first message of every room.
    pub const ZERO: Sequence = Sequence(0);
    /// Greatest value that JSON readers with doubles represent exactly.
    pub const MAX: Sequence = Sequence((1 << 53) - 1);
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_what_could_be_a_wildcard_or_a_path() {
        for bad in ["", "a.b", "*", ">", "a b", "../x", "房间", &"x".repeat(65)] {
            assert!(RoomId::parse(bad).is_err(), "{bad:?}");
            assert!(serde_json::from_value::<RoomId>(bad.into()).is_err());
        }
        assert_eq!(RoomId::parse("a_B-9").unwrap().as_str(), "a_B-9");
    }
}
