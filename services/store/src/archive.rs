//! What the archive takes in, and how it is asked.

use std::sync::Arc;

use barrage_protocol::{Class, Message, Sequence};
use serde_json::value::RawValue;

use crate::{GiftRecord, StoreError};

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

/// The page size that is used for the one asked for.
pub(crate) fn page(limit: usize) -> usize {
    limit.clamp(1, HISTORY_LIMIT_MAX)
}

/// The same as a bound value.
pub(crate) fn rows(limit: usize) -> i64 {
    crate::row::int(page(limit) as u64)
}

/// A message that may be kept, with what is known only to the store.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) message: &'a Message,
    pub(crate) body: &'a str,
    pub(crate) stream_started_at_ms: u64,
}

impl Kept<'_> {
    /// Position in its stream; 0 for one from before the stream began.
    pub(crate) fn offset_ms(&self) -> u64 {
        self.message.at_ms.saturating_sub(self.stream_started_at_ms)
    }
}

/// The body as text, if the message may be kept at all.
pub(crate) fn body(message: &Message) -> Result<&str, StoreError> {
    let sequence = message.sequence;
    let refuse = |reason| StoreError::Unacceptable { sequence, reason };
    if message.class == Class::Pulse || sequence == Sequence::ZERO {
        return Err(refuse("a pulse has no place in the chain"));
    }
    if sequence > Sequence::MAX {
        return Err(refuse("its sequence is beyond 2^53"));
    }
    let raw: &RawValue = serde_json::from_slice(&message.body).map_err(|_| refuse("its body is not JSON"))?;
    Ok(raw.get())
}

/// The ledger rows of a batch, in its order.
pub(crate) fn gifts(entries: &[ArchiveEntry]) -> impl Iterator<Item = &GiftRecord> {
    entries.iter().filter_map(|entry| match &entry.effect {
        Effect::Gift(gift) => Some(gift),
        Effect::None | Effect::Recall(_) => None,
    })
}

/// What a batch hides, with the message that asks for it.
pub(crate) fn recalls(entries: &[ArchiveEntry]) -> impl Iterator<Item = (&Message, Sequence)> {
    entries.iter().filter_map(|entry| match entry.effect {
        Effect::Recall(sequence) => Some((&*entry.message, sequence)),
        Effect::None | Effect::Gift(_) => None,
    })
}
