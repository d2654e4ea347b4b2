//! A batch of messages on its way into the archive. Pure.

use std::collections::BTreeMap;

use barrage_protocol::{Class, Message, RoomId, Sequence};
use serde_json::value::RawValue;

use crate::error::StoreError;
use crate::records::archive::{ArchiveEntry, Effect};
use crate::records::gift::GiftRecord;

/// A valid message, with the fields that only the store computes.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) message: &'a Message,
    pub(crate) body: &'a str,
    pub(crate) stream_started_at_ms: u64,
}

impl Kept<'_> {
    /// Returns the offset in the stream; 0 for a message from before its start.
    pub(crate) fn offset_ms(&self) -> u64 {
        self.message.at_ms.saturating_sub(self.stream_started_at_ms)
    }
}

/// Returns the body of each message as text; fails when a message cannot be stored.
pub(crate) fn bodies(entries: &[ArchiveEntry]) -> Result<Vec<&str>, StoreError> {
    entries.iter().map(|entry| body(&entry.message)).collect()
}

fn body(message: &Message) -> Result<&str, StoreError> {
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

/// Returns the greatest position of a batch in its partition; `None` for an empty one.
pub(crate) fn greatest(entries: &[ArchiveEntry]) -> Option<Sequence> {
    entries.iter().map(|entry| entry.at).max()
}

/// Returns the ledger rows of a batch, in its order.
pub(crate) fn gifts(entries: &[ArchiveEntry]) -> impl Iterator<Item = &GiftRecord> {
    entries.iter().filter_map(|entry| match &entry.effect {
        Effect::Gift(gift) => Some(gift),
        Effect::None | Effect::Recall(_) | Effect::Purge(_) | Effect::Clear => None,
    })
}

/// Returns the positions that a batch hides, each with the message that asks for it.
pub(crate) fn recalls(entries: &[ArchiveEntry]) -> impl Iterator<Item = (&Message, Sequence)> {
    entries.iter().filter_map(|entry| match entry.effect {
        Effect::Recall(sequence) => Some((&*entry.message, sequence)),
        Effect::None | Effect::Gift(_) | Effect::Purge(_) | Effect::Clear => None,
    })
}

/// Messages of a user, or of all, before a position of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hidden<'a> {
    pub(crate) room: &'a RoomId,
    /// User whose messages are hidden; empty for all messages.
    pub(crate) user: &'a str,
    pub(crate) before: Sequence,
    /// Time of the message that hides them.
    pub(crate) at_ms: u64,
}

/// Returns what the purges and clears of a batch hide: the newest of each room and user.
pub(crate) fn hidden(entries: &[ArchiveEntry]) -> Vec<Hidden<'_>> {
    let mut newest: BTreeMap<(&RoomId, &str), Hidden<'_>> = BTreeMap::new();
    for entry in entries {
        let user = match &entry.effect {
            Effect::Purge(user) => user.as_str(),
            Effect::Clear => "",
            Effect::None | Effect::Gift(_) | Effect::Recall(_) => continue,
        };
        let Message { room, sequence, at_ms, .. } = &*entry.message;
        let hidden = Hidden { room, user, before: *sequence, at_ms: *at_ms };
        let known = newest.entry((room, user)).or_insert(hidden);
        if known.before < hidden.before {
            *known = hidden;
        }
    }
    newest.into_values().collect()
}
