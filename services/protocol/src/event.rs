//! Custom events: messages of a customer's own servers to a room, under a type of their own.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Class, MessageId, Sequence};

/// Maximum bytes of an event's data as compact JSON.
pub const EVENT_DATA_BYTES_MAX: usize = 4_096;
/// First bytes of the body of a custom event, by which readers tell it from other messages.
const BODY_PREFIX: &str = r#"{"type":"event","#;

/// Why a text is no type of an event; the error text states the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "event type must be 2 to 8 names joined by dots, such as shop.card: at most 64 characters out of a-z 0-9 _ -, \
     and not below barrage."
)]
pub struct EventTypeError;

/// Type of a custom event: a namespace and a name, such as `shop.card`. The namespace `barrage` is
/// reserved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EventType(Arc<str>);

impl EventType {
    /// Maximum length in bytes (the alphabet is ASCII).
    pub const LEN_MAX: usize = 64;
    /// Maximum number of names between the dots.
    const NAMES_MAX: usize = 8;

    /// Parses a text of 2 to 8 names joined by dots.
    ///
    /// # Errors
    /// When the text has another form, or the reserved namespace `barrage`.
    pub fn parse(text: &str) -> Result<Self, EventTypeError> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
        };
        let names = text.split('.').count();
        let has_form = text.len() <= Self::LEN_MAX
            && (2..=Self::NAMES_MAX).contains(&names)
            && text.split('.').all(is_name)
            && !text.starts_with("barrage.");
        has_form.then(|| EventType(text.into())).ok_or(EventTypeError)
    }

    /// Returns the type as text, such as `shop.card`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for EventType {
    type Err = EventTypeError;
    fn from_str(text: &str) -> Result<Self, EventTypeError> {
        Self::parse(text)
    }
}

impl JsonSchema for EventType {
    fn schema_name() -> Cow<'static, str> {
        "EventType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": Self::LEN_MAX,
            "pattern": "^[a-z0-9_-]+(\\.[a-z0-9_-]+){1,7}$",
        })
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Class that a custom event may have: every one that has a position in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventClass {
    /// Never dropped, like signals of the platform.
    Signal,
    /// Never dropped, like a gift; no entry in the gift ledger.
    Gift,
    /// The server may drop the event under load.
    Chat,
}

impl From<EventClass> for Class {
    fn from(class: EventClass) -> Self {
        match class {
            EventClass::Signal => Class::Signal,
            EventClass::Gift => Class::Gift,
            EventClass::Chat => Class::Chat,
        }
    }
}

/// Body of `POST /v1/admin/rooms/{room}/events`: one event for all viewers of the room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRequest {
    /// Id of the event, unique within its room; the same id again within the dedup window sends nothing.
    pub id: MessageId,
    /// Type with its namespace, such as `shop.card`.
    pub event: EventType,
    /// Class, which decides whether the event may be dropped under load.
    pub class: EventClass,
    /// Any JSON of at most 4,096 bytes in its compact form; `null` when absent.
    #[serde(default)]
    pub data: Value,
}

/// Answer to a custom event, which is durable by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventAnswer {
    /// Id of the request, as its sender chose it.
    pub id: MessageId,
    /// Position of the event in the room's chain; for a duplicate, of the first one.
    pub sequence: Sequence,
    /// The room has an event under this id already, and the server sent nothing.
    pub duplicate: bool,
}

/// Body of a custom event as viewers get it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomEvent {
    /// Always `event`, first in the body.
    r#type: EventTag,
    /// Type with its namespace, such as `shop.card`.
    pub event: EventType,
    /// Id that its sender chose.
    pub id: MessageId,
    /// Data as the sender gave it.
    #[serde(default)]
    pub data: Value,
    /// Unix time in milliseconds at which the server accepted the event.
    pub at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventTag {
    Event,
}

impl CustomEvent {
    /// Makes the body of an event that the server accepts at `at_ms`.
    #[must_use]
    pub fn new(request: EventRequest, at_ms: u64) -> Self {
        let EventRequest { id, event, data, .. } = request;
        CustomEvent { r#type: EventTag::Event, event, id, data, at_ms }
    }

    /// Reads a message body; `None` when the message is no custom event. Costs a comparison of 16
    /// bytes for other messages.
    #[must_use]
    pub fn read(body: &str) -> Option<Self> {
        if body.starts_with(BODY_PREFIX) { serde_json::from_str(body).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_have_a_namespace_and_a_bounded_form() {
        for good in ["shop.card", "a.b.c.d.e.f.g.h", "goal-1.sub_2"] {
            assert_eq!(EventType::parse(good).unwrap().as_str(), good);
        }
        let long = format!("a.{}", "b".repeat(63));
        for bad in [
            "",
            "card",
            ".card",
            "shop.",
            "shop..card",
            "Shop.card",
            "a b.c",
            "barrage.x",
            "a.b.c.d.e.f.g.h.i",
            &long,
        ] {
            assert!(EventType::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn body_begins_with_its_type_and_reads_back() {
        let request: EventRequest =
            serde_json::from_str(r#"{"id":"e1","event":"shop.card","class":"chat","data":{"price":3}}"#)
                .unwrap();
        let body = serde_json::to_string(&CustomEvent::new(request, 7)).unwrap();
        assert!(body.starts_with(BODY_PREFIX), "{body}");
        let read = CustomEvent::read(&body).unwrap();
        assert_eq!((read.event.as_str(), read.at_ms, &read.data["price"]), ("shop.card", 7, &Value::from(3)));
        assert_eq!(CustomEvent::read(r#"{"type":"chat","text":"{\"type\":\"event\","}"#), None);
        let pulse = r#"{"id":"e1","event":"shop.card","class":"pulse"}"#;
        assert!(serde_json::from_str::<EventRequest>(pulse).is_err());
    }
}
