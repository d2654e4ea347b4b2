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

/// What a signal hides: messages of its room at lower positions than its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hide {
    /// Position of the signal.
    before: Sequence,
    what: Hidden,
}

#[derive(Debug, Clone, PartialEq)]
enum Hidden {
    /// A recall: the message at this position.
    Message(u64),
    /// A purge: the messages of this user.
    User(Value),
    /// A clear: all messages.
    All,
}

impl Hide {
    fn of(message: &Message) -> Option<Hide> {
        if message.class != Class::Signal {
            return None;
        }
        let mut signal = body(&message.body);
        let what = match signal["signal"].as_str()? {
            "recall" => Hidden::Message(signal["sequence"].as_u64()?),
            "purge" => Hidden::User(signal["user"].take()),
            "clear" => Hidden::All,
            _ => return None,
        };
        Some(Hide { before: message.sequence, what })
    }

    /// Returns whether the signal hides the message at a position. `user` returns the user in its body.
    pub(crate) fn hides(&self, sequence: Sequence, user: impl FnOnce() -> Value) -> bool {
        sequence < self.before
            && match &self.what {
                Hidden::Message(hidden) => *hidden == sequence.0,
                Hidden::User(hidden) => *hidden == user(),
                Hidden::All => true,
            }
    }
}

/// Returns whether a later signal on the bus hides the message: a recall, a purge or a clear.
pub(super) async fn is_hidden(
    bus: &dyn Bus,
    room: &RoomId,
    sequence: Sequence,
    found: &Found,
) -> Result<bool, Refusal> {
    let hides = hides_after(bus, room, sequence).await?;
    Ok(hides.iter().any(|hide| hide.hides(sequence, || found.body["user"].clone())))
}

/// Returns the recalls, purges and clears of a room behind a position, as far as the bus keeps them. Of a room
/// without newer messages this is one call of the bus.
pub(crate) async fn hides_after(bus: &dyn Bus, room: &RoomId, after: Sequence) -> Result<Vec<Hide>, Refusal> {
    let topic = Topic::Room(room.clone());
    let limits = RangeLimits { chat_max: 1, ..RangeLimits::default() };
    let last = bus.last(&topic).await?;
    let (mut after, mut hides) = (after, Vec::new());
    for _ in 0..READS_MAX {
        if after >= last {
            return Ok(hides);
        }
        let range = bus.range(&topic, after, None, limits).await?;
        hides.extend(range.messages.iter().filter_map(|message| Hide::of(message)));
        if range.covered_to <= after {
            return Ok(hides);
        }
        after = range.covered_to;
    }
    let message = "the room has too many newer signals; take a newer message";
    Err(Refusal::new(Code::Unavailable, message).retry_after_ms(STORE_RETRY_MS))
}

/// Parses a body; one that is no JSON counts as `null`.
fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Message;

    use super::*;

    fn hide(sequence: u64, signal: &str) -> Option<Hide> {
        Hide::of(&Message {
            room: "r".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence(sequence - 1),
            class: Class::Signal,
            sender: None,
            id: None,
            to: None,
            at_ms: 1,
            trace: None,
            body: format!(r#"{{"type":"signal",{signal}}}"#).into(),
        })
    }

    #[test]
    fn a_signal_hides_what_is_before_it_alone() {
        let recall = hide(9, r#""signal":"recall","sequence":4"#).unwrap();
        let purge = hide(9, r#""signal":"purge","user":"ann""#).unwrap();
        let clear = hide(9, r#""signal":"clear""#).unwrap();
        let by = |user: &str| Value::from(user);
        assert!(recall.hides(Sequence(4), || by("bo")) && !recall.hides(Sequence(5), || by("bo")));
        assert!(purge.hides(Sequence(8), || by("ann")) && !purge.hides(Sequence(8), || by("bo")));
        assert!(!purge.hides(Sequence(10), || by("ann")), "written after the purge");
        assert!(clear.hides(Sequence(8), || by("bo")) && !clear.hides(Sequence(10), || by("bo")));
        assert_eq!(hide(9, r#""signal":"open""#), None);
    }
}
