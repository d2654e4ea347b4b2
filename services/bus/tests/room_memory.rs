//! Memory of a quiet room: thousands are open, and most receive no messages.
//!
//! A binary of its own, because it measures the resident memory of the whole process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use barrage_bus::{BusConfig, BusMetrics, Draft, EmbeddedBus, Log, Topic};
use barrage_protocol::Class;

/// Returns the resident bytes of this process.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

const ROOMS: usize = 10_000;
const BYTES_MAX: usize = 4_096;

#[tokio::test]
async fn a_quiet_room_with_one_message_and_a_subscriber_uses_at_most_4_kib() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = BusMetrics::new(&prometheus::Registry::new()).unwrap();
    let bus = EmbeddedBus::open(&EmbeddedBus::file(folder.path()), BusConfig::default(), metrics).unwrap();
    let chat = |n: usize| Draft {
        room: format!("room-{n}").parse().unwrap(),
        class: Class::Chat,
        sender: Some("user-12345".parse().unwrap()),
        id: Some(format!("message-{n}").parse().unwrap()),
        fingerprint: 1,
        to: None,
        trace: None,
        body: r#"{"type":"chat","user":"user-12345","name":"Ann","text":"a message of the usual length"}"#
            .into(),
    };
    // Allocates what is allocated once for all rooms.
    bus.publish(vec![chat(ROOMS)]).await.unwrap();
    let before = resident_bytes();
    let mut subscriptions = Vec::with_capacity(ROOMS);
    for n in 0..ROOMS {
        let topic = Topic::Room(format!("room-{n}").parse().unwrap());
        let mut subscription = bus.subscribe(&topic).await.unwrap();
        bus.publish(vec![chat(n)]).await.unwrap();
        subscription.next().await.unwrap();
        subscriptions.push(subscription);
    }
    let each = resident_bytes().saturating_sub(before) / ROOMS;
    println!("{each} bytes a room");
    assert!(each <= BYTES_MAX, "{each} bytes a room");
}
