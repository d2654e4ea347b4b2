//! A conversation's row, and the settings of a group.

use barrage_protocol::{RoomId, Sequence};
use serde::{Deserialize, Serialize};

use crate::id::{ConversationId, ConversationNumber, UserNumber};
use crate::law::{Mark, Position};

/// Maximum number of members of a group. A larger audience is a room.
pub const MEMBERS_MAX: u32 = 10_000;
/// Maximum number of mentions in one item.
pub const MENTIONS_MAX: usize = 20;
/// Time in which a sender may recall an item of its own, in milliseconds.
pub const RECALL_MS: u64 = 120_000;

/// A conversation as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Number in the tables.
    pub number: ConversationNumber,
    /// Id for the outside.
    pub id: ConversationId,
    /// Owner of a group; the first sender of a direct conversation.
    pub owner: UserNumber,
    /// The other user of a direct conversation; `None` for a group.
    pub peer: Option<UserNumber>,
    /// Newest item, and the number of countable items.
    pub head: Mark,
    /// Position in the lane of the last event that changed the conversation.
    pub sequence: Sequence,
    /// Unix time of the newest item, in milliseconds.
    pub at_ms: u64,
    /// Number of members of a group; 2 in a direct conversation.
    pub members: u32,
    /// Whether the conversation takes items.
    pub state: ConversationState,
    /// Title and rules of a group; the default in a direct conversation.
    pub settings: GroupSettings,
}

impl Conversation {
    /// Returns the two users of a direct conversation; `None` for a group.
    #[must_use]
    pub fn pair(&self) -> Option<[UserNumber; 2]> {
        self.peer.map(|peer| [self.owner, peer])
    }
}

/// Whether a conversation takes items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationState {
    /// The conversation takes items.
    #[default]
    Open,
    /// Its owner has deleted it; nobody reads or writes it any more.
    Deleted,
}

/// Title and rules of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    /// Title that members see.
    #[serde(default)]
    pub title: String,
    /// Room that the group belongs to.
    #[serde(default)]
    pub room: Option<RoomId>,
    /// Who may join the group.
    #[serde(default)]
    pub join: JoinPolicy,
    /// What a new member may read.
    #[serde(default)]
    pub history: HistoryPolicy,
    /// Seconds that a member waits between two items; the uplink enforces them.
    #[serde(default)]
    pub slow_mode_secs: u32,
}

/// Who may join a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinPolicy {
    /// Everybody whom no ban excludes.
    #[default]
    Open,
    /// Those whom a moderator admits.
    Ask,
    /// Those whom the uplink knows as holders of the room's badge.
    Badge,
}

/// What a new member of a group may read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryPolicy {
    /// Items from after the join.
    #[default]
    SinceJoin,
    /// All items that the store keeps.
    All,
}

impl HistoryPolicy {
    /// Returns the position before the first item that a member who joins at `head` may read.
    #[must_use]
    pub fn joined_position(self, head: Mark) -> Position {
        match self {
            HistoryPolicy::SinceJoin => head.position,
            HistoryPolicy::All => Position(0),
        }
    }
}
