//! Attributes of rooms: exact over processes, in force for one that catches up, and durable.

use std::sync::Arc;

use barrage_bus::{AttributeChange, Bus, BusConfig, BusError, Change, ChangeError, RoomPatch};
use barrage_protocol::RoomId;
use barrage_protocol::attribute::{ATTRIBUTES_PER_ROOM_MAX, Attribute};

use crate::engine::Engine;

fn room() -> RoomId {
    "a".parse().unwrap()
}

fn set(key: &str, text: &str, request: u64) -> AttributeChange {
    let value = Some(Attribute { text: text.into(), expires_at_ms: None });
    AttributeChange { key: key.parse().unwrap(), value, if_version: None, request, fingerprint: request }
}

async fn change(bus: &Arc<dyn Bus>, change: AttributeChange) -> Result<u64, BusError> {
    let changed = bus.change(Change::Attribute { room: room(), change }).await?;
    Ok(changed.attributes().version())
}

pub(crate) async fn attributes_are_exact_over_processes<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let (one, other) = (engine.bus(), engine.another().await);
    let unknown = change(&one, set("k", "x", 1)).await;
    assert_eq!(unknown, Err(BusError::Refused(ChangeError::UnknownRoom)));
    one.change(Change::Patch(room(), RoomPatch::Ensure { title: "A".into() })).await.unwrap();
    other.catch_up(&room()).await.unwrap();
    // Of two changes under one version, one is made.
    let new = |text, request| AttributeChange { if_version: Some(0), ..set("score", text, request) };
    let (first, second) = tokio::join!(change(&one, new("a", 2)), change(&other, new("b", 3)));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let version = first.or(second).unwrap();
    for bus in [&one, &other] {
        bus.catch_up(&room()).await.unwrap();
        let settings = bus.settings().borrow().clone();
        assert_eq!(settings.attributes[&room()].get(&"score".parse().unwrap()).unwrap().version, version);
        assert!(settings.room_state(&room()).attributes.complete_to >= version);
    }
    // The bound holds exactly, whoever writes.
    let fill = |bus: Arc<dyn Bus>, offset: usize| async move {
        let mut made = 0;
        for n in (offset..ATTRIBUTES_PER_ROOM_MAX + 6).step_by(2) {
            made += usize::from(change(&bus, set(&format!("k{n}"), "x", 100 + n as u64)).await.is_ok());
        }
        made
    };
    let (by_one, by_other) = tokio::join!(fill(Arc::clone(&one), 0), fill(Arc::clone(&other), 1));
    assert_eq!(by_one + by_other + 1, ATTRIBUTES_PER_ROOM_MAX);
    one.catch_up(&room()).await.unwrap();
    let before = one.settings().borrow().attributes.clone();
    drop((one, other));
    let engine = engine.restart().await;
    assert_eq!(engine.bus().settings().borrow().attributes, before);
}
