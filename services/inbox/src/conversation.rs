//! A conversation's row, and the settings of a group.

use barrage_protocol::Sequence;
use barrage_protocol::inbox::{GroupSettings, HistoryPolicy};
use serde::{Deserialize, Serialize};

use crate::id::{ConversationId, ConversationNumber, UserNumber};
use crate::law::{Mark, Position};

/// Maximum number of members of a group. A larger audience is a room.
pub const MEMBERS_MAX: u32 = 10_000;
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

/// Returns the position before the first item that a member who joins at `head` may read.
pub(crate) fn joined_position(history: HistoryPolicy, head: Mark) -> Position {
    match history {
        HistoryPolicy::SinceJoin => head.position,
        HistoryPolicy::All => Position(0),
    }
}
