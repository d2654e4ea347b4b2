//! Decisions of the inbox: letters, groups, unread, versions.
//!
//! [`plan`] turns the events of a lane and the rows that they read into the rows to write. Everything
//! here is pure: it has no I/O, no clock and no randomness. `services/store` has the tables.

mod conversation;
mod cursor;
mod event;
mod id;
mod item;
mod law;
mod member;
#[cfg(feature = "model")]
pub mod model;
mod needs;
mod plan;
mod policy;
mod rows;
mod user;

pub use barrage_protocol::inbox::{
    Folder, GroupSettings, HistoryPolicy, JoinPolicy, LetterKind, MENTIONS_MAX, Notify, Preferences,
    Receipts, Role, View, WritePolicy,
};
pub use conversation::{Conversation, ConversationState, MEMBERS_MAX, RECALL_MS};
pub use cursor::{Cursor, CursorError, Page, Since};
pub use event::{Entry, Event, EventError, Letter, Place, Standing};
pub use id::{ConversationId, ConversationIdError, ConversationNumber, Kind, UserNumber};
pub use item::{HiddenItem, Item, ItemKind, ItemState, Mention, Refusal, Undelivered};
pub use law::{Counters, Mark, Position, ReadMark, Version};
pub use member::Member;
pub use needs::Needs;
pub use plan::{BlockChange, Changes, Outcome, plan};
pub use policy::{REQUEST_LETTERS_MAX, folder_of};
pub use rows::{Rows, SentLetter, Target};
pub use user::{GROUPS_PER_USER_MAX, User};
