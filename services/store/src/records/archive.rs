//! Entries of the message archive, and pages of it.

use std::sync::Arc;

use barrage_protocol::{Message, Sequence, UserId};

use super::gift::GiftRecord;

/// A message to archive, with its effect on other records.
#[derive(Debug, Clone)]
pub struct ArchiveEntry {
    /// Position of the message in its partition. The mark of the archive is the greatest one.
    pub at: Sequence,
    /// The message; its body must be a JSON text.
    pub message: Arc<Message>,
    /// Written in the same transaction as the message, so that no crash leaves an archived gift
    /// without its ledger row.
    pub effect: Effect,
}

/// Effect of a message on other records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// No effect on other records, as for chat.
    None,
    /// A payment: adds a row to the gift ledger.
    Gift(GiftRecord),
    /// Hides an earlier message of the room. A gift's ledger row stays.
    Recall(Sequence),
    /// Hides what the user wrote in the room before this message. Rows of the gift ledger stay.
    Purge(UserId),
    /// Hides all messages of the room before this one. Rows of the gift ledger stay.
    Clear,
}

/// Page of a room's history, named by a position of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest messages of the room, up to the limit.
    Latest,
    /// The oldest messages after this position, up to the limit.
    After(Sequence),
    /// The newest messages before this position, up to the limit.
    Before(Sequence),
    /// The newest messages with a medium before this position, up to the limit.
    MediaBefore(Sequence),
}
