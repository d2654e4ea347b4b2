//! Events of a lane: everything that changes an inbox.

use barrage_protocol::inbox::{GroupSettings, LetterKind, Preferences, Role, View};
use barrage_protocol::{MessageId, Sequence, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::ConversationId;
use crate::law::Position;

/// An event with its place in the lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the lane.
    pub sequence: Sequence,
    /// Unix time of acceptance, in milliseconds.
    pub at_ms: u64,
    /// What is asked for.
    pub event: Event,
}

/// Something that a user asked for and the lane accepted. The plan of the batch decides whether it has an
/// effect: a block or a removal may have come before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A letter to another user.
    Letter {
        /// Sender of the letter.
        sender: UserId,
        /// Receiver of the letter.
        to: UserId,
        /// What the sender wrote.
        letter: Letter,
        /// What the uplink knows of the sender.
        #[serde(default)]
        standing: Standing,
    },
    /// An item for a group.
    Post {
        /// Sender of the item.
        sender: UserId,
        /// Group of the item.
        group: ConversationId,
        /// What the sender wrote.
        letter: Letter,
        /// Users that the text mentions, at most [`crate::MENTIONS_MAX`].
        #[serde(default)]
        mentions: Vec<UserId>,
    },
    /// The user has read up to a position.
    Read(Place),
    /// The user hides one item from itself.
    Hide(Place),
    /// The user clears the items up to a position from itself.
    Clear(Place),
    /// The user recalls an item for all.
    Recall(Place),
    /// The user changes how it sees a conversation.
    See {
        /// User whose view changes.
        user: UserId,
        /// Conversation of the view.
        conversation: ConversationId,
        /// Fields of the view that change.
        view: View,
    },
    /// The user changes who may write to it.
    Prefer {
        /// User whose rules change.
        user: UserId,
        /// Rules that hold from now on.
        preferences: Preferences,
    },
    /// The user blocks another one.
    Block {
        /// User who blocks the other.
        user: UserId,
        /// User who is blocked.
        other: UserId,
    },
    /// The user ends a block.
    Unblock {
        /// User who had blocked.
        user: UserId,
        /// User who was blocked.
        other: UserId,
    },
    /// The user makes a group and owns it.
    Create {
        /// Owner of the group.
        user: UserId,
        /// Id of the group, which the uplink chose at random.
        group: ConversationId,
        /// Title and rules of the group.
        settings: GroupSettings,
    },
    /// A moderator changes a group's title or rules.
    Change {
        /// Moderator or owner who decides.
        user: UserId,
        /// Group whose settings change.
        group: ConversationId,
        /// New title and rules.
        settings: GroupSettings,
    },
    /// The owner deletes a group.
    Delete {
        /// Owner of the group.
        user: UserId,
        /// Group that is deleted.
        group: ConversationId,
    },
    /// The user joins a group, or asks to.
    Join {
        /// User who joins or asks.
        user: UserId,
        /// Group that the user joins.
        group: ConversationId,
        /// What the uplink knows of the user.
        #[serde(default)]
        standing: Standing,
    },
    /// The user leaves a group.
    Leave {
        /// User who leaves the group.
        user: UserId,
        /// Group that the user leaves.
        group: ConversationId,
    },
    /// A moderator gives a member another role: admits, mutes, removes ([`Role::Banned`]), promotes.
    Appoint {
        /// Moderator or owner who decides.
        by: UserId,
        /// Member whose role changes.
        user: UserId,
        /// Group of the role.
        group: ConversationId,
        /// Role of the member from now on.
        role: Role,
    },
}

/// What a sender wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Id that the sender chose; unique for the sender and conversation for ever.
    pub id: MessageId,
    /// Kind of the letter.
    pub kind: LetterKind,
    /// A JSON object, opaque to the inbox.
    pub body: String,
}

/// A place in a conversation, named by a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// User who names it.
    pub user: UserId,
    /// Conversation of the place.
    pub conversation: ConversationId,
    /// Position in the conversation.
    pub position: Position,
}

/// What the uplink knows of a sender or joiner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The uplink knows nothing that helps.
    #[default]
    Stranger,
    /// The receiver's rules trust the user: a giver of gifts, or a holder of the room's badge.
    Trusted,
}

impl Event {
    /// Returns the text whose hash chooses the lane: the conversation, or the user for what concerns no
    /// conversation.
    #[must_use]
    pub fn lane_key(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Event::Letter { sender, to, .. } => ConversationId::direct(sender, to).as_str().to_owned().into(),
            Event::Post { group, .. }
            | Event::Create { group, .. }
            | Event::Change { group, .. }
            | Event::Delete { group, .. }
            | Event::Join { group, .. }
            | Event::Leave { group, .. }
            | Event::Appoint { group, .. } => group.as_str().into(),
            Event::Read(place) | Event::Hide(place) | Event::Clear(place) | Event::Recall(place) => {
                place.conversation.as_str().into()
            }
            Event::See { conversation, .. } => conversation.as_str().into(),
            Event::Prefer { user, .. } | Event::Block { user, .. } | Event::Unblock { user, .. } => {
                user.as_str().into()
            }
        }
    }

    /// Returns the key under which a lane knows a letter: its conversation, sender and id. `None` for events that
    /// have the same effect when they come twice.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let (sender, letter) = match self {
            Event::Letter { sender, letter, .. } | Event::Post { sender, letter, .. } => (sender, letter),
            _ => return None,
        };
        Some(format!("{} {sender} {}", self.lane_key(), letter.id))
    }

    /// Returns a hash of what a letter says, for its key; 0 for other events.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let (Event::Letter { letter, .. } | Event::Post { letter, .. }) = self else { return 0 };
        let hash = Sha256::new().chain_update([letter.kind as u8]).chain_update(&letter.body).finalize();
        hash[..8].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }

    /// Returns the event as a lane keeps it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an event is plain data")
    }

    /// Parses an event of a lane.
    pub fn from_json(text: &[u8]) -> Result<Self, EventError> {
        Ok(serde_json::from_slice(text)?)
    }
}

/// Error of a text that is no event of this version.
#[derive(Debug, thiserror::Error)]
#[error("the text is no inbox event")]
pub struct EventError(#[from] serde_json::Error);

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(sender: &str, to: &str, body: &str) -> Event {
        let user = |id| UserId::parse(id).unwrap();
        let id = MessageId::parse("m1").unwrap();
        let letter = Letter { id, kind: LetterKind::Text, body: body.into() };
        Event::Letter { sender: user(sender), to: user(to), letter, standing: Standing::Stranger }
    }

    #[test]
    fn event_is_read_as_it_was_written() {
        let event = letter("a:@.b", "c", "{\"text\":\"\u{5f39}\"}");
        assert_eq!(Event::from_json(&event.to_json()).unwrap(), event);
        let read = br#"{"event":"read","user":"a","conversation":"g.x","position":7}"#;
        assert!(
            matches!(Event::from_json(read).unwrap(), Event::Read(place) if place.position == Position(7))
        );
        for bad in [&b"{}"[..], br#"{"event":"sealed"}"#, b"", br#"{"event":"read","user":"a b"}"#] {
            assert!(Event::from_json(bad).is_err());
        }
    }

    #[test]
    fn key_is_that_of_the_sender_and_the_hash_that_of_the_text() {
        let one = letter("a", "b", "{}");
        assert_eq!(one.key(), letter("a", "b", "{} ").key());
        assert_ne!(one.fingerprint(), letter("a", "b", "{} ").fingerprint());
        assert_ne!(one.key(), letter("b", "a", "{}").key());
        assert_eq!(one.lane_key(), letter("b", "a", "{}").lane_key());
        let place = Place {
            user: UserId::parse("a").unwrap(),
            conversation: ConversationId::parse("g.x").unwrap(),
            position: Position(1),
        };
        assert_eq!(Event::Read(place).key(), None);
    }
}
