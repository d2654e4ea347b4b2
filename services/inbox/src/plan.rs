//! The plan of a batch: events and the rows that they read become the rows to write.
//!
//! A plan is pure. The store loads the rows of [`crate::Needs`] and writes the [`Changes`] in one
//! transaction, together with the position of the lane.

mod groups;
mod letters;
mod planner;
mod views;

use crate::conversation::Conversation;
use crate::event::Entry;
use crate::id::{ConversationNumber, UserNumber};
use crate::item::{HiddenItem, Item, Mention, Refusal, Undelivered};
use crate::law::Position;
use crate::member::Member;
use crate::rows::Rows;
use crate::user::User;
use planner::Planner;

/// Rows that a batch writes, each once, and the outcome of each event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Users in the order of their numbers. The version of each is 1 more than before.
    pub users: Vec<User>,
    /// New and changed conversations.
    pub conversations: Vec<Conversation>,
    /// Conversations that stay as they are, and whose members change. They are not written.
    pub seen: Vec<Conversation>,
    /// New and changed members.
    pub members: Vec<Member>,
    /// New items, in the order of the batch.
    pub items: Vec<Item>,
    /// Items from before the batch that lose their body.
    pub recalled: Vec<(ConversationNumber, Position)>,
    /// Items that users hide from themselves.
    pub hidden: Vec<HiddenItem>,
    /// Users that new items mention.
    pub mentions: Vec<Mention>,
    /// Groups whose title or rules changed, or that were deleted. Their rows are in `conversations`.
    pub regrouped: Vec<ConversationNumber>,
    /// Users who changed their rules for letters. Their rows are in `users`.
    pub preferred: Vec<UserNumber>,
    /// Blocks that begin or end.
    pub blocks: Vec<BlockChange>,
    /// Letters without an effect.
    pub undelivered: Vec<Undelivered>,
    /// Outcomes in the order of the events.
    pub outcomes: Vec<Outcome>,
}

/// A block that begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockChange {
    /// The first user blocks the second, since a Unix time in milliseconds.
    Begun(UserNumber, UserNumber, u64),
    /// The first user blocks the second no more.
    Ended(UserNumber, UserNumber),
}

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new item has this position.
    Sent(ConversationNumber, Position),
    /// The sender had sent the item under this id before.
    Duplicate(ConversationNumber, Position),
    /// Rows changed as asked for.
    Done,
    /// Everything was as asked for already.
    Unchanged,
    /// The event has no effect.
    Refused(Refusal),
}

/// Decides about the events in their order.
#[must_use]
pub fn plan(rows: Rows, entries: &[Entry]) -> Changes {
    let mut planner = Planner::new(rows);
    for entry in entries {
        planner.take(entry);
    }
    planner.finish()
}

impl Changes {
    /// Returns the number of rows that the store writes for the batch, without the lane's position.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.users.len()
            + self.conversations.len()
            + self.members.len()
            + self.items.len()
            + self.recalled.len()
            + self.hidden.len()
            + self.mentions.len()
            + self.blocks.len()
            + self.undelivered.len()
    }
}
