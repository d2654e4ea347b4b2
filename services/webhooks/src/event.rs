//! Types of events, and the form of an event that comes from one message of the bus. Pure.

use barrage_protocol::{Class, Message, RoomId, Sequence};
use barrage_store::NewDelivery;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Type of chat messages, which come in batches.
pub(crate) const MESSAGE_CREATED: &str = "message.created";
/// Type of an event that comes from the rate of a room's chat, not from a message.
pub(crate) const ROOM_SURGE: &str = "room.surge";

/// Type of a crowd that was announced, some minutes before it comes.
pub(crate) const ROOM_PREWARM: &str = "room.prewarm";
/// Type of what moderators, administrators and rules did, from the audit log.
pub(crate) const MODERATION_ACTED: &str = "moderation.acted";
/// Type of an entry of a review queue that begins to wait for a moderator.
pub(crate) const REVIEW_OPENED: &str = "review.opened";
/// Type of a decision about an entry of a review queue.
pub(crate) const REVIEW_DECIDED: &str = "review.decided";

/// All types of events, in the order of the documentation.
pub const KINDS: [&str; 18] = [
    MESSAGE_CREATED,
    "message.recalled",
    "gift.created",
    "super_chat.created",
    "event.created",
    MODERATION_ACTED,
    "user.kicked",
    "user.purged",
    "user.role",
    "room.opened",
    "room.closed",
    "room.cleared",
    "room.settings",
    "room.signal",
    ROOM_SURGE,
    ROOM_PREWARM,
    REVIEW_OPENED,
    REVIEW_DECIDED,
];

/// Whether a pattern of the configuration names a type: a type, a prefix such as `gift.*`, or `*`.
pub(crate) fn is_known(pattern: &str) -> bool {
    KINDS.iter().any(|kind| matches(pattern, kind))
}

/// Whether one of the patterns has this type.
pub(crate) fn wants(patterns: &[String], kind: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, kind))
}

/// Whether a pattern has this type.
pub(crate) fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => prefix.ends_with('.') && kind.starts_with(prefix),
        None => pattern == kind,
    }
}

/// The part of a body that says what a message is.
#[derive(Debug, Deserialize)]
struct Head<'a> {
    r#type: &'a str,
    signal: Option<&'a str>,
}

/// Returns the type of the event of a message; `None` for a body that is no JSON object with a type.
pub(crate) fn kind(message: &Message) -> Option<&'static str> {
    let head: Head<'_> = serde_json::from_slice(&message.body).ok()?;
    Some(match (head.r#type, head.signal) {
        ("gift", _) => "gift.created",
        ("super_chat", _) => "super_chat.created",
        ("event", _) => "event.created",
        ("signal", Some(signal)) => of_signal(signal),
        _ if message.class == Class::Chat => MESSAGE_CREATED,
        _ => "room.signal",
    })
}

fn of_signal(signal: &str) -> &'static str {
    match signal {
        "recall" => "message.recalled",
        "purge" => "user.purged",
        "kick" => "user.kicked",
        "role" => "user.role",
        "open" => "room.opened",
        "close" => "room.closed",
        "clear" => "room.cleared",
        "mute_all" | "slow_mode" | "pin" | "unpin" => "room.settings",
        // A signal of a newer uplink: nothing is lost for a receiver.
        _ => "room.signal",
    }
}

/// Body of a request, as Standard Webhooks recommends.
#[derive(Debug, Serialize)]
struct Envelope<'a, T> {
    r#type: &'a str,
    timestamp: String,
    data: T,
}

/// Data of an event with one message.
#[derive(Debug, Serialize)]
struct One<'a> {
    room: &'a RoomId,
    sequence: Sequence,
    at_ms: u64,
    class: Class,
    message: &'a RawValue,
}

/// Returns the body of a message; `None` for one that is no JSON.
pub(crate) fn body(message: &Message) -> Option<&RawValue> {
    serde_json::from_slice(&message.body).ok()
}

/// Makes the event of one message. The id is the same whenever the message is read.
pub(crate) fn of_message(kind: &'static str, message: &Message) -> Option<NewDelivery> {
    let Message { room, sequence, at_ms, class, .. } = message;
    let data = One { room, sequence: *sequence, at_ms: *at_ms, class: *class, message: body(message)? };
    Some(make(format!("{room}/{sequence}"), kind, *at_ms, data))
}

/// Makes an event with its body.
pub(crate) fn make(id: String, kind: &'static str, at_ms: u64, data: impl Serialize) -> NewDelivery {
    let envelope = Envelope { r#type: kind, timestamp: rfc3339(at_ms), data };
    let body = serde_json::to_string(&envelope).expect("events are plain data");
    NewDelivery { event: id, kind: kind.to_owned(), at_ms, body }
}

fn rfc3339(at_ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message(sequence: u64, class: Class, body: &str) -> Message {
        Message {
            room: "demo".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence::ZERO,
            class,
            sender: None,
            id: None,
            to: None,
            at_ms: 1_700_000_000_000 + sequence,
            trace: None,
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn each_message_has_the_type_of_what_happened() {
        for (class, body, expected) in [
            (Class::Chat, r#"{"type":"chat","text":"x"}"#, Some("message.created")),
            (Class::Chat, r#"{"type":"something_new"}"#, Some("message.created")),
            (Class::Gift, r#"{"type":"gift","gift":{}}"#, Some("gift.created")),
            (Class::Gift, r#"{"type":"super_chat"}"#, Some("super_chat.created")),
            (Class::Chat, r#"{"type":"event","event":"a.b","data":{"type":"gift"}}"#, Some("event.created")),
            (Class::Signal, r#"{"type":"signal","signal":"recall","sequence":3}"#, Some("message.recalled")),
            (Class::Signal, r#"{"type":"signal","signal":"kick","user":"u"}"#, Some("user.kicked")),
            (Class::Signal, r#"{"type":"signal","signal":"close"}"#, Some("room.closed")),
            (Class::Signal, r#"{"type":"signal","signal":"slow_mode","secs":3}"#, Some("room.settings")),
            (Class::Signal, r#"{"type":"signal","signal":"something_new"}"#, Some("room.signal")),
            (Class::Signal, r#"{"type":"something_new"}"#, Some("room.signal")),
            (Class::Chat, "not json", None),
            (Class::Chat, "[]", None),
        ] {
            assert_eq!(kind(&message(1, class, body)), expected, "{body}");
            assert!(expected.is_none_or(|kind| KINDS.contains(&kind)));
        }
    }

    #[test]
    fn patterns_are_types_prefixes_or_all() {
        assert!(
            matches("*", "gift.created")
                && matches("gift.*", "gift.created")
                && matches("gift.created", "gift.created")
        );
        for pattern in ["gift*", "*.created", "gift.", "gif.*", ""] {
            assert!(!matches(pattern, "gift.created"), "{pattern}");
        }
        assert!(is_known("review.*") && !is_known("gifts.*") && !is_known("**"));
    }

    #[test]
    fn body_is_the_message_in_an_envelope_with_an_id_of_its_own() {
        let gift =
            message(9, Class::Gift, r#"{"type":"gift","gift":{"name":"火箭"},"n":12345678901234567890123}"#);
        let event = of_message("gift.created", &gift).unwrap();
        assert_eq!(event.event, "demo/9");
        let expected = r#"{"type":"gift.created","timestamp":"2023-11-14T22:13:20.009Z","data":{"room":"demo","sequence":9,"at_ms":1700000000009,"class":"gift","message":{"type":"gift","gift":{"name":"火箭"},"n":12345678901234567890123}}}"#;
        assert_eq!(event.body, expected);
    }
}
