//! The rows that the store has loaded for a batch.

use std::collections::{HashMap, HashSet};

use barrage_protocol::{MessageId, UserId};

use crate::conversation::Conversation;
use crate::id::{ConversationId, ConversationNumber, UserNumber};
use crate::item::{ItemKind, ItemState};
use crate::law::{Mark, Position, ReadMark};
use crate::member::Member;
use crate::user::User;

/// Rows for the keys of [`crate::Needs`]. A key without a row is absent.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Numbers of the users that the batch names and the tables have.
    pub numbers: HashMap<UserId, UserNumber>,
    /// Users by number: those that the batch names, and those of its direct conversations.
    pub users: HashMap<UserNumber, User>,
    /// Conversations that exist, by id.
    pub conversations: HashMap<ConversationId, Conversation>,
    /// Numbers for new conversations, at least one for each conversation without a row.
    pub free_numbers: Vec<ConversationNumber>,
    /// Members by conversation and user.
    pub members: HashMap<(ConversationNumber, UserNumber), Member>,
    /// Number of open groups that a user is in; absent for 0.
    pub groups: HashMap<UserNumber, u32>,
    /// Blocks, the blocking user first.
    pub blocks: HashSet<(UserNumber, UserNumber)>,
    /// Items by the id that their sender chose.
    pub letters: HashMap<(ConversationNumber, UserNumber, MessageId), SentLetter>,
    /// Places before the head that users read up to.
    pub reads: HashMap<(ConversationNumber, UserNumber, Position), ReadMark>,
    /// Items that are to be recalled.
    pub targets: HashMap<(ConversationNumber, Position), Target>,
}

impl Rows {
    /// Adds a user with its number.
    pub fn add_user(&mut self, user: User) {
        self.numbers.insert(user.id.clone(), user.number);
        self.users.insert(user.number, user);
    }
}

/// An item that a sender has sent under an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentLetter {
    /// Position of the item.
    pub position: Position,
    /// Kind of the item.
    pub kind: ItemKind,
    /// Body of the item; empty when it was recalled.
    pub body: String,
}

/// An item that is to be recalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Sender of the item.
    pub sender: UserNumber,
    /// Unix time of its acceptance, in milliseconds.
    pub at_ms: u64,
    /// Kind of the item.
    pub kind: ItemKind,
    /// Whether it is shown.
    pub state: ItemState,
}

impl ReadMark {
    /// Returns the place of an item of a direct conversation for one of its two users. Of the countable
    /// items, those that the item's sender has not sent are the other user's.
    #[must_use]
    pub fn in_direct(at: Mark, sender: UserNumber, own: u64, reader: UserNumber) -> Self {
        let own = if sender == reader { own } else { at.count.saturating_sub(own) };
        ReadMark { at, own }
    }
}
