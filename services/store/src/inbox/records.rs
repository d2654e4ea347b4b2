//! What callers read from the inbox.

use barrage_inbox::{
    Conversation, ConversationNumber, HiddenItem, Item, Member, Mention, Position, Undelivered, User, Version,
};
use barrage_protocol::{Sequence, UserId};

/// Part of what a user's inbox has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwayRange {
    /// The rows that changed after this version, and all groups that the user is in.
    pub after: Version,
    /// Of these, those of conversations below this place, in the order of the answer; `None` from the first.
    pub below: Option<(Version, ConversationNumber)>,
}

impl AwayRange {
    /// Returns the whole range after a version.
    #[must_use]
    pub const fn after(after: Version) -> Self {
        AwayRange { after, below: None }
    }
}

/// What a user's inbox has got after a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// The user, with the newest version and the stored total.
    pub user: User,
    /// Changed conversations of the user, and all groups that it is in, the newest version first.
    pub memberships: Vec<Membership>,
    /// There are more conversations behind the last one.
    pub more: bool,
    /// Unread items of all groups that count in the user's total.
    pub group_unread: u64,
    /// Items that the user has hidden.
    pub hidden: Vec<HiddenItem>,
    /// Letters of the user without an effect.
    pub undelivered: Vec<Undelivered>,
    /// Mentions of the user after the positions that it has read.
    pub mentions: Vec<Mention>,
    /// Users whom the user blocks.
    pub blocked: Vec<UserId>,
    /// Positions of the lanes that the inbox has taken, by lane.
    pub lanes: Vec<(u16, Sequence)>,
}

/// A conversation of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Conversation that the user is in.
    pub conversation: Conversation,
    /// The user's row in it.
    pub member: Member,
    /// The other user of a direct conversation.
    pub peer: Option<UserId>,
    /// Position up to which the other user has read, when both show it.
    pub peer_read: Option<Position>,
}

/// An item with the id of its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    /// Item as its table has it.
    pub item: Item,
    /// Sender of the item.
    pub sender: UserId,
}

/// Part of a conversation's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemRange {
    /// The oldest items after a position.
    After(Position),
    /// The newest items before a position.
    Before(Position),
}
