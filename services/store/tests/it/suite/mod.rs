//! The rules that every engine must keep. Each function gets an empty store of its own.

pub(crate) mod accounts;
pub(crate) mod archive;
pub(crate) mod audit;
pub(crate) mod cut;
pub(crate) mod deliveries;
pub(crate) mod partitions;
pub(crate) mod polls;
pub(crate) mod records;

use std::sync::Arc;

use barrage_protocol::post::History;
use barrage_protocol::{Class, Message, RoomId, Sequence, UserId};
use barrage_store::{ArchiveEntry, Effect, GiftKind, GiftRecord, Room, Store};

pub(crate) fn room(id: &str) -> RoomId {
    RoomId::parse(id).unwrap()
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub(crate) fn a_room(id: &str, stream_started_at_ms: u64) -> Room {
    Room {
        id: room(id),
        title: format!("Room {id} 房间"),
        created_at_ms: 500,
        stream_started_at_ms,
        closed: false,
    }
}

pub(crate) fn message(id: &str, sequence: u64, at_ms: u64) -> Message {
    Message {
        room: room(id),
        sequence: Sequence(sequence),
        previous: Sequence::ZERO,
        class: Class::Chat,
        sender: Some(user("ann")),
        id: None,
        to: None,
        at_ms,
        trace: None,
        body: format!(r#"{{"type":"chat","text":"弹幕 {sequence}"}}"#).into(),
    }
}

pub(crate) fn kept(message: Message) -> ArchiveEntry {
    ArchiveEntry { at: message.sequence, message: Arc::new(message), effect: Effect::None }
}

pub(crate) fn chat(id: &str, sequence: u64, at_ms: u64) -> ArchiveEntry {
    kept(message(id, sequence, at_ms))
}

pub(crate) fn gift(id: &str, sequence: u64, count: u32, price_minor: u64) -> GiftRecord {
    GiftRecord {
        sequence: Sequence(sequence),
        room: room(id),
        user: user("ann"),
        kind: GiftKind::Gift,
        name: "Rocket".to_owned(),
        count,
        price_minor,
        currency: None,
        combo: Some(2),
        at_ms: 1_000 + sequence,
    }
}

pub(crate) fn gift_entry(id: &str, sequence: u64) -> ArchiveEntry {
    carrying(gift(id, sequence, 1, 100))
}

/// Returns the entry of the message that carries a gift.
pub(crate) fn carrying(gift: GiftRecord) -> ArchiveEntry {
    let message = message(gift.room.as_str(), gift.sequence.0, gift.at_ms);
    ArchiveEntry {
        at: message.sequence,
        message: Arc::new(Message { class: Class::Gift, ..message }),
        effect: Effect::Gift(gift),
    }
}

pub(crate) fn sequences(history: &History) -> Vec<u64> {
    history.messages.iter().map(|message| message.sequence.0).collect()
}

/// Returns the gift ledger of a room.
pub(crate) async fn ledger(store: &dyn Store, id: &str) -> Vec<GiftRecord> {
    store.gifts(&room(id), Sequence::ZERO, 1_000).await.unwrap()
}
