//! What callers read from the inbox.

use barrage_inbox::{Conversation, HiddenItem, Item, Member, Mention, Position, Undelivered, User};
use barrage_protocol::{Sequence, UserId};

/// What a user's inbox has got after a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// The user, with the newest version and the stored total.
    pub user: User,
    /// Changed conversations of the user, and all groups that it is in, the newest version first.
    pub memberships: Vec<Membership>,
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
