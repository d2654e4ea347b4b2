//! Items of a conversation and the small rows beside them.

use barrage_protocol::inbox::LetterKind;
use barrage_protocol::{MessageId, Sequence};
use serde::{Deserialize, Serialize};

use crate::id::{ConversationId, ConversationNumber, UserNumber};
use crate::law::{Position, Version};

/// Whether an item counts as unread, and how clients show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// What a sender wrote.
    Letter(LetterKind),
    /// Recalls an earlier item. It has a position and does not count.
    Recall,
}

impl ItemKind {
    /// All kinds, for tables and tests.
    pub const ALL: [ItemKind; 5] = [
        ItemKind::Letter(LetterKind::Text),
        ItemKind::Letter(LetterKind::Sticker),
        ItemKind::Letter(LetterKind::Image),
        ItemKind::Letter(LetterKind::File),
        ItemKind::Recall,
    ];

    /// Returns whether an item of this kind counts as unread.
    #[must_use]
    pub fn is_countable(self) -> bool {
        self != ItemKind::Recall
    }

    /// Returns the name in columns and answers.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            ItemKind::Letter(LetterKind::Text) => "text",
            ItemKind::Letter(LetterKind::Sticker) => "sticker",
            ItemKind::Letter(LetterKind::Image) => "image",
            ItemKind::Letter(LetterKind::File) => "file",
            ItemKind::Recall => "recall",
        }
    }
}

/// An item as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Conversation of the item.
    pub conversation: ConversationNumber,
    /// Position in the conversation.
    pub position: Position,
    /// Countable items of the conversation up to this one.
    pub count: u64,
    /// Countable items of the sender up to this one.
    pub own: u64,
    /// Sender of the item.
    pub sender: UserNumber,
    /// Id that the sender chose; `None` for a recall.
    pub id: Option<MessageId>,
    /// Unix time of acceptance, in milliseconds.
    pub at_ms: u64,
    /// Position in the lane.
    pub sequence: Sequence,
    /// Kind of the item.
    pub kind: ItemKind,
    /// A JSON object; empty for a recall and a recalled item.
    pub body: String,
    /// Item that a recall takes back.
    pub target: Option<Position>,
    /// Whether the item is shown.
    pub state: ItemState,
}

/// Whether an item is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// The item is shown.
    #[default]
    Shown,
    /// The item keeps its place and count; its body is gone.
    Recalled,
}

/// One item that one user has hidden from itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HiddenItem {
    /// User who hid it.
    pub user: UserNumber,
    /// Conversation of the item.
    pub conversation: ConversationNumber,
    /// Position of the item.
    pub position: Position,
    /// Version of the user's inbox that hid it.
    pub version: Version,
}

/// A user mentioned by an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mention {
    /// User who is mentioned.
    pub user: UserNumber,
    /// Conversation of the item.
    pub conversation: ConversationNumber,
    /// Position of the item.
    pub position: Position,
}

/// A letter that was accepted and has no effect. Its sender alone learns of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Sender of the letter.
    pub user: UserNumber,
    /// Version of the sender's inbox that has it.
    pub version: Version,
    /// Conversation of the letter, which may not exist.
    pub conversation: ConversationId,
    /// Id that the sender chose.
    pub id: MessageId,
    /// Why the letter has no effect.
    pub refusal: Refusal,
    /// Unix time of acceptance, in milliseconds.
    pub at_ms: u64,
}

/// Why an event has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A letter to oneself.
    ToOneself,
    /// One of the two users blocks the other.
    Blocked,
    /// The receiver takes no letters, or no more letters, of a stranger.
    RequestsOnly,
    /// The user is not in the conversation, or the conversation does not exist.
    NotMember,
    /// The user may read and not send.
    Muted,
    /// The sender has used the id for another letter.
    Conflict,
    /// No item is at the position.
    NoItem,
    /// The time for a recall is over.
    TooLate,
    /// The role does not allow it.
    Forbidden,
    /// The group has as many members as it may.
    GroupFull,
    /// The user is in as many groups as it may be.
    TooManyGroups,
    /// The group's id is taken.
    Exists,
    /// The owner cannot leave before another member owns the group.
    OwnerStays,
}

impl Refusal {
    /// All refusals, for tables and tests.
    pub const ALL: [Refusal; 13] = [
        Refusal::ToOneself,
        Refusal::Blocked,
        Refusal::RequestsOnly,
        Refusal::NotMember,
        Refusal::Muted,
        Refusal::Conflict,
        Refusal::NoItem,
        Refusal::TooLate,
        Refusal::Forbidden,
        Refusal::GroupFull,
        Refusal::TooManyGroups,
        Refusal::Exists,
        Refusal::OwnerStays,
    ];

    /// Returns the name in columns, answers and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Refusal::ToOneself => "to_oneself",
            Refusal::Blocked => "blocked",
            Refusal::RequestsOnly => "requests_only",
            Refusal::NotMember => "not_member",
            Refusal::Muted => "muted",
            Refusal::Conflict => "conflict",
            Refusal::NoItem => "no_item",
            Refusal::TooLate => "too_late",
            Refusal::Forbidden => "forbidden",
            Refusal::GroupFull => "group_full",
            Refusal::TooManyGroups => "too_many_groups",
            Refusal::Exists => "exists",
            Refusal::OwnerStays => "owner_stays",
        }
    }
}
