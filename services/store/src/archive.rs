//! What the archive takes in, and how it is asked.

use std::sync::Arc;

use barrage_protocol::{Message, Sequence};

use crate::GiftRecord;

/// Most messages that one page of history holds; a greater limit is lowered to
/// it, so that no reader can make the store build an unbounded answer.
pub const HISTORY_LIMIT_MAX: usize = 1_000;

/// One message on its way into the archive, with what it changes besides.
#[derive(Debug, Clone)]
pub struct ArchiveEntry {
    /// The message; its body must be a JSON text.
    pub message: Arc<Message>,
    /// Written in the same transaction as the message, so that no crash leaves
    /// an archived gift without its ledger row.
    pub effect: Effect,
}

/// What a message changes besides the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It is money: a row for the ledger.
    Gift(GiftRecord),
    /// It hides an earlier message of its room.
    Recall(Sequence),
}

/// Which page of a room's history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest.
    Latest,
    /// The oldest that are newer than this position.
    After(Sequence),
    /// The newest that are older than this position.
    Before(Sequence),
}
