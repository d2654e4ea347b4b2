//! From messages of the bus to the events that one receiver wants: chat in batches, all else one by one.
//! Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrage_protocol::{Message, RoomId, Sequence};
use barrage_store::NewDelivery;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::config::{EndpointConfig, WebhooksConfig};
use crate::event::{self, MESSAGE_CREATED, ROOM_SURGE};
use crate::surge::{Surge, Surges};

/// Bytes of chat in one event, at most; a larger message goes alone. Standard Webhooks asks for bodies
/// below 20 KB.
const BATCH_BYTES_MAX: usize = 16_384;

/// Whether the receiver has room for chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// All events are stored.
    Free,
    /// Too many events wait: chat is dropped and counted.
    NoChat,
}

/// The events of one read, and what was left out.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) events: Vec<NewDelivery>,
    /// Chat messages that were dropped because too many events wait.
    pub(crate) dropped: u64,
    /// Messages whose body has no type.
    pub(crate) unreadable: u64,
}

/// Data of an event with chat messages.
#[derive(Debug, Serialize)]
struct Many<'a> {
    room: &'a RoomId,
    messages: Vec<Item<'a>>,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    sequence: Sequence,
    at_ms: u64,
    message: &'a RawValue,
}

#[derive(Debug, Serialize)]
struct SurgeData<'a> {
    room: &'a RoomId,
    at_ms: u64,
    #[serde(flatten)]
    surge: Surge,
}

/// Makes the events of messages that were read in one go.
pub(crate) fn events(
    messages: &[Arc<Message>],
    endpoint: &EndpointConfig,
    config: &WebhooksConfig,
    surges: &mut Surges,
    room: Room,
) -> Events {
    let wants = |kind: &str| event::wants(&endpoint.events, kind);
    let wants_surges = wants(ROOM_SURGE);
    let mut made = Events::default();
    let mut chat: BTreeMap<&RoomId, Vec<&Message>> = BTreeMap::new();
    for message in messages.iter().map(|message| &**message) {
        let is_of_room = endpoint.rooms.is_empty() || endpoint.rooms.contains(&message.room);
        if message.room.is_probe() || !is_of_room {
            continue;
        }
        let Some(kind) = event::kind(message) else {
            made.unreadable += 1;
            continue;
        };
        if kind == MESSAGE_CREATED {
            if wants_surges && let Some(surge) = surges.seen(&message.room, message.at_ms) {
                made.events.push(of_surge(message, surge));
            }
            if wants(kind) {
                match room {
                    Room::Free => chat.entry(&message.room).or_default().push(message),
                    Room::NoChat => made.dropped += 1,
                }
            }
        } else if wants(kind) {
            made.events.extend(event::of_message(kind, message));
        }
    }
    for (room, messages) in chat {
        made.events.extend(batches(room, &messages, config.batch_messages_max));
    }
    made
}

fn of_surge(message: &Message, surge: Surge) -> NewDelivery {
    let Message { room, at_ms, sequence, .. } = message;
    let data = SurgeData { room, at_ms: *at_ms, surge };
    event::make(format!("{room}/surge/{sequence}"), ROOM_SURGE, *at_ms, data)
}

/// Splits the chat of a room by number and bytes.
fn batches(room: &RoomId, messages: &[&Message], messages_max: usize) -> Vec<NewDelivery> {
    let mut made = Vec::new();
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let Some(body) = event::body(message) else { continue };
        let is_full = items.len() >= messages_max.max(1) || bytes + message.body.len() > BATCH_BYTES_MAX;
        if is_full && !items.is_empty() {
            made.extend(batch(room, std::mem::take(&mut items)));
            bytes = 0;
        }
        bytes += message.body.len();
        items.push(Item { sequence: message.sequence, at_ms: message.at_ms, message: body });
    }
    made.extend(batch(room, items));
    made
}

fn batch(room: &RoomId, messages: Vec<Item<'_>>) -> Option<NewDelivery> {
    let (first, last) = (messages.first()?.sequence, messages.last()?.sequence);
    let at_ms = messages.last()?.at_ms;
    Some(event::make(format!("{room}/{first}-{last}"), MESSAGE_CREATED, at_ms, Many { room, messages }))
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Class;

    use super::*;
    use crate::event::tests::message;

    fn endpoint(events: &[&str], rooms: &[&str]) -> EndpointConfig {
        EndpointConfig {
            name: "a".into(),
            url: "https://hook.example".into(),
            secret_file: "none".into(),
            events: events.iter().map(|&event| event.into()).collect(),
            rooms: rooms.iter().map(|room| room.parse().unwrap()).collect(),
        }
    }

    fn in_room(room: &str, message: Message) -> Arc<Message> {
        Arc::new(Message { room: room.parse().unwrap(), ..message })
    }

    fn chat(room: &str, sequence: u64) -> Arc<Message> {
        in_room(
            room,
            message(sequence, Class::Chat, &format!(r#"{{"type":"chat","text":"{}"}}"#, "x".repeat(100))),
        )
    }

    fn gift(sequence: u64) -> Arc<Message> {
        in_room("a", message(sequence, Class::Gift, r#"{"type":"gift","gift":{}}"#))
    }

    fn made(messages: &[Arc<Message>], endpoint: &EndpointConfig, room: Room) -> Events {
        let config = WebhooksConfig { batch_messages_max: 3, ..WebhooksConfig::default() };
        events(messages, endpoint, &config, &mut Surges::new(config.surge.clone()), room)
    }

    fn ids(events: &Events) -> Vec<&str> {
        events.events.iter().map(|event| event.event.as_str()).collect()
    }

    #[test]
    fn chat_comes_in_batches_by_room_and_gifts_one_by_one() {
        let messages =
            [chat("a", 1), chat("b", 2), gift(3), chat("a", 4), chat("a", 5), chat("a", 6), gift(7)];
        let all = made(&messages, &endpoint(&["*"], &[]), Room::Free);
        assert_eq!(ids(&all), ["a/3", "a/7", "a/1-5", "a/6-6", "b/2-2"]);
        let full = made(&messages, &endpoint(&["*"], &[]), Room::NoChat);
        assert_eq!((ids(&full), full.dropped), (vec!["a/3", "a/7"], 5));
        assert_eq!(ids(&made(&messages, &endpoint(&["gift.*"], &[]), Room::Free)), ["a/3", "a/7"]);
        assert_eq!(ids(&made(&messages, &endpoint(&["*"], &["b"]), Room::Free)), ["b/2-2"]);
        let probe = [chat(RoomId::PROBE, 1), in_room("a", message(2, Class::Chat, "[]"))];
        let none = made(&probe, &endpoint(&["*"], &[]), Room::Free);
        assert_eq!((ids(&none).len(), none.unreadable), (0, 1));
    }

    #[test]
    fn a_batch_is_bounded_in_bytes() {
        let large = |sequence| {
            let body = format!(r#"{{"type":"chat","text":"{}"}}"#, "x".repeat(7_000));
            in_room("a", message(sequence, Class::Chat, &body))
        };
        let messages: Vec<_> = (1..=5).map(large).collect();
        let made = made(&messages, &endpoint(&["*"], &[]), Room::Free);
        assert_eq!(ids(&made), ["a/1-2", "a/3-4", "a/5-5"]);
        assert!(made.events.iter().all(|event| event.body.len() < 20_000));
    }

    #[test]
    fn a_surge_is_an_event_of_the_room_beside_its_chat() {
        // The sequence of a message is its time in milliseconds.
        let per_second = |seconds: std::ops::Range<u64>, count: u64| -> Vec<_> {
            seconds.flat_map(|second| (0..count).map(move |n| chat("a", second * 1_000 + n))).collect()
        };
        let messages = [per_second(0..90, 2), per_second(90..100, 60)].concat();
        let surges = made(&messages, &endpoint(&["room.surge"], &[]), Room::Free);
        assert_eq!(surges.events.len(), 1, "{:?}", ids(&surges));
        let surge = &surges.events[0];
        assert!(surge.event.starts_with("a/surge/9") && surge.kind == ROOM_SURGE, "{}", surge.event);
        assert!(surge.body.contains(r#""data":{"room":"a","at_ms":"#), "{}", surge.body);
        let others = made(&messages, &endpoint(&["message.*"], &[]), Room::Free);
        assert!(others.events.iter().all(|event| event.kind == MESSAGE_CREATED));
        assert_eq!(ids(&made(&messages, &endpoint(&["room.surge"], &["b"]), Room::Free)).len(), 0);
    }
}
