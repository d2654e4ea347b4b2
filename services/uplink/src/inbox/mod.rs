//! Letters, groups and the inbox: the uplink's part.
//!
//! A request becomes an event of a lane, which is durable when it is answered. The courier writes the tables a
//! moment later. Checks here are quick and may be some seconds old; the courier's decision counts.

mod access;
mod change;
mod compose;
mod config;
mod control;
mod cursor;
mod erased;
mod groups;
mod letter_log;
mod marks;
mod pages;
mod privacy;
mod push;
mod read_buffer;
mod reads;
mod refusals;
mod reports;
mod send;
mod services;
mod sync;
mod trail;
mod view;

pub(crate) use change::{Block, ItemChange};
pub use config::InboxConfig;
pub use control::InboxParts;
pub(crate) use control::{InboxControl, InboxShared};
pub use erased::Pseudonyms;
pub(crate) use groups::GroupChange;
pub(crate) use pages::PageQuery;
pub(crate) use privacy::Erased;
pub(crate) use send::Target;
pub(crate) use sync::SyncQuery;
pub(crate) use trail::LetterTrail;
