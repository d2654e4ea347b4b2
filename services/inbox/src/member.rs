//! A member's row: one user in one conversation.

use barrage_protocol::inbox::{Folder, Notify, Role};

use crate::id::{ConversationNumber, Kind, UserNumber};
use crate::law::{Counters, Mark, Position, Version};

/// A user in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// User in the conversation.
    pub user: UserNumber,
    /// Conversation that the user is in.
    pub conversation: ConversationNumber,
    /// The other user of a direct conversation.
    pub peer: Option<UserNumber>,
    /// Version of the user's inbox when the row last changed.
    pub version: Version,
    /// Folder that shows the conversation.
    pub folder: Folder,
    /// What the user is notified of.
    pub notify: Notify,
    /// Role in a group; [`Role::Member`] in a direct conversation.
    pub role: Role,
    /// The user reads items after this position.
    pub joined: Position,
    /// The user reads items up to this position; `None` for a present member.
    pub left: Option<Position>,
    /// Counters of the law of unread.
    pub counters: Counters,
    /// The user has cleared the items up to this position.
    pub cleared: Position,
    /// Whether the conversation is at the top of the list.
    pub pinned: bool,
    /// Whether the user has marked the conversation as unread, which the law does not count.
    pub marked: bool,
    /// Unix time of the newest item, in milliseconds: a copy in direct conversations alone, for the list.
    pub at_ms: u64,
}

impl Member {
    /// Returns a member who joins a conversation with the counters given.
    #[must_use]
    pub fn new(user: UserNumber, conversation: ConversationNumber, counters: Counters) -> Self {
        Member {
            user,
            conversation,
            peer: None,
            version: Version(0),
            folder: Folder::Main,
            notify: Notify::All,
            role: Role::Member,
            joined: Position(0),
            left: None,
            counters,
            cleared: Position(0),
            pinned: false,
            marked: false,
            at_ms: 0,
        }
    }

    /// Returns whether the user is in the conversation now. An applicant is not yet; a banned user is no more.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.left.is_none() && self.role > Role::Applicant
    }

    /// Returns the number of unread items; 0 for a member who has left.
    #[must_use]
    pub fn unread(&self, head: Mark) -> u64 {
        if self.is_present() { self.counters.unread(head) } else { 0 }
    }

    /// Returns the unread items that count in the user's total.
    #[must_use]
    pub fn counted(&self, head: Mark) -> u64 {
        if self.folder == Folder::Main && self.notify == Notify::All { self.unread(head) } else { 0 }
    }

    /// Returns the unread items that are stored in the user's row: those of direct conversations.
    #[must_use]
    pub fn stored(&self, kind: Kind, head: Mark) -> u64 {
        match kind {
            Kind::Direct => self.counted(head),
            Kind::Group => 0,
        }
    }

    /// Returns whether time of joining, time of leaving and clearing let the user read an item. Hidden
    /// items are another table.
    #[must_use]
    pub fn may_read(&self, position: Position) -> bool {
        self.role > Role::Applicant
            && position > self.joined.max(self.cleared)
            && self.left.is_none_or(|left| position <= left)
    }
}
