//! Ids of conversations, and the numbers that the store gives to users and conversations.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use barrage_protocol::UserId;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of the hash in the id of a direct conversation.
const HASH_BYTES: usize = 16;
/// Maximum length of the part after the dot.
const NAME_LEN_MAX: usize = 32;

/// Error of a text that is no id of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "conversation id must be \"d.\" and 32 hexadecimal digits, or \"g.\" and 1 to 32 characters out of A-Z a-z 0-9 _-"
)]
pub struct ConversationIdError;

/// Kind of a conversation, which its id shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Letters between two users.
    Direct,
    /// Items for all members of a group.
    Group,
}

/// Id of a conversation. Its dot keeps it apart from every room id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ConversationId(Arc<str>);

impl ConversationId {
    /// Returns the id of the conversation of two users, in whatever order they are named.
    #[must_use]
    pub fn direct(one: &UserId, other: &UserId) -> Self {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        // A line feed is in no user id, so that no two pairs have the same text.
        let hash =
            Sha256::new().chain_update(first.as_str()).chain_update("\n").chain_update(second.as_str());
        let mut id = String::with_capacity(2 + 2 * HASH_BYTES);
        id.push_str("d.");
        for byte in &hash.finalize()[..HASH_BYTES] {
            // Writing to a string cannot fail.
            _ = write!(id, "{byte:02x}");
        }
        ConversationId(id.into())
    }

    /// Parses the id of a direct conversation or a group.
    pub fn parse(text: &str) -> Result<Self, ConversationIdError> {
        let Some((kind, name)) = text.split_once('.') else { return Err(ConversationIdError) };
        let is_valid = match kind {
            "d" => {
                name.len() == 2 * HASH_BYTES
                    && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            }
            "g" => {
                (1..=NAME_LEN_MAX).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            }
            _ => false,
        };
        if is_valid { Ok(ConversationId(text.into())) } else { Err(ConversationIdError) }
    }

    /// Returns the kind that the id shows.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.0.starts_with("d.") { Kind::Direct } else { Kind::Group }
    }

    /// Returns the id as text, for paths and columns.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ConversationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Number of a user in the store's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserNumber(pub i64);

/// Number of a conversation in the store's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationNumber(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_users_find_the_same_conversation_and_no_other_pair_does() {
        let user = |id: &str| UserId::parse(id).unwrap();
        let (a, b) = (user("ann"), user("bob"));
        let id = ConversationId::direct(&a, &b);
        assert_eq!(id, ConversationId::direct(&b, &a));
        assert_ne!(id, ConversationId::direct(&user("an"), &user("nbob")));
        assert_eq!(ConversationId::parse(id.as_str()), Ok(id.clone()));
        assert_eq!(id.kind(), Kind::Direct);
    }

    #[test]
    fn id_of_another_form_is_refused() {
        let long = format!("g.{}", "x".repeat(33));
        let upper = format!("d.{}", "A".repeat(32));
        for bad in ["", "d.", "g.", "room", "s.ledger", "g.a.b", "g.*", "g.>", "d.00", &long, &upper] {
            assert_eq!(ConversationId::parse(bad), Err(ConversationIdError), "{bad:?}");
            assert!(serde_json::from_value::<ConversationId>(bad.into()).is_err());
        }
        assert_eq!(ConversationId::parse("g.fans_1").unwrap().kind(), Kind::Group);
    }
}
