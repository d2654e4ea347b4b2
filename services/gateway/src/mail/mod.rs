//! Mail of attached viewers: who is attached, what was lost, and what waits for one viewer. All of it is pure.
//!
//! The way of mail never meets that of rooms: an index beside the shards is touched by attaches, detaches and mail
//! alone, and a shard keeps the boxes of its attached viewers apart from the viewers.

mod attached;
mod chains;
mod item;
mod letter;
mod mailbox;
mod rings;

pub(crate) use attached::{Attached, AttachedChanges, Slot};
pub(crate) use chains::MailChains;
pub(crate) use item::MailItem;
pub(crate) use letter::Letter;
pub(crate) use mailbox::{Limits as MailLimits, MailBox, MailCounts, Next};
pub(crate) use rings::{Rings, SPREAD};
