//! One message of a room, looked up in the bus's retention and then in the history.

use barrage_bus::{Bus, RangeLimits, Topic};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Class, Code, Message, RoomId, Sequence};
use barrage_store::{HistoryRange, Store};
use serde_json::Value;

/// Milliseconds after which a client may try again when the store is away.
const STORE_RETRY_MS: u64 = 1_000;
/// Reads of the bus that look for a signal that hides a message. The bus keeps fewer signals of a room
/// than these reads return, unless they are large.
const READS_MAX: usize = 32;

/// A message of a room.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) class: Class,
    /// Body as it was broadcast.
    pub(crate) body: Value,
}

impl Found {
    pub(super) fn is_super_chat(&self) -> bool {
        self.body["type"] == "super_chat"
    }
}

/// Returns the message at this position; `None` where the room has none.
pub(super) async fn find(
    bus: &dyn Bus,
    store: &dyn Store,
    room: &RoomId,
    sequence: Sequence,
) -> Result<Option<Found>, Refusal> {
    let Some(after) = sequence.0.checked_sub(1).map(Sequence).filter(|_| sequence < Sequence::MAX) else {
        return Ok(None);
    };
    let limits = RangeLimits { chat_max: 1, precious_max: 1, ..RangeLimits::default() };
    let topic = Topic::Room(room.clone());
    let range = bus.range(&topic, after, Some(Sequence(sequence.0 + 1)), limits).await?;
    if let Some(message) = range.messages.iter().find(|message| message.sequence == sequence) {
        return Ok(Some(Found { class: message.class, body: body(&message.body) }));
    }
    let page = store.history(room, HistoryRange::After(after), 1).await.map_err(|error| {
        tracing::warn!(%error, "the history cannot be read");
        Refusal::new(Code::Unavailable, "the history cannot be read now").retry_after_ms(STORE_RETRY_MS)
    })?;
    let found = page.messages.first().filter(|message| message.sequence == sequence);
    Ok(found.map(|message| Found { class: message.class, body: body(message.body.get().as_bytes()) }))
}

/// Returns whether a later signal on the bus hides the message: a recall, a purge or a clear.
pub(super) async fn is_hidden(
    bus: &dyn Bus,
    room: &RoomId,
    sequence: Sequence,
    found: &Found,
) -> Result<bool, Refusal> {
    let topic = Topic::Room(room.clone());
    let limits = RangeLimits { chat_max: 1, ..RangeLimits::default() };
    let last = bus.last(&topic).await?;
    let mut after = sequence;
    for _ in 0..READS_MAX {
        if after >= last {
            return Ok(false);
        }
        let range = bus.range(&topic, after, None, limits).await?;
        if range.messages.iter().any(|message| hides(message, sequence, found)) {
            return Ok(true);
        }
        if range.covered_to <= after {
            return Ok(false);
        }
        after = range.covered_to;
    }
    let message = "the room has too many newer signals; take a newer message";
    Err(Refusal::new(Code::Unavailable, message))
}

fn hides(message: &Message, sequence: Sequence, found: &Found) -> bool {
    if message.class != Class::Signal {
        return false;
    }
    let signal = body(&message.body);
    match signal["signal"].as_str() {
        Some("recall") => signal["sequence"] == sequence.0,
        Some("purge") => signal["user"] == found.body["user"],
        Some("clear") => true,
        Some(_) | None => false,
    }
}

/// Parses a body; one that is no JSON counts as `null`.
fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}
