//! What a quiet room costs: thousands of them are open, and nobody writes in most.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use barrage_bus::{Bus, BusConfig, BusMetrics, Draft, EmbeddedBus, Topic};
use barrage_protocol::Class;

/// Resident bytes of this process, which has no other test.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

const ROOMS: usize = 10_000;
const BYTES_MAX: usize = 4_096;

#[tokio::test]
async fn quiet_room_with_one_message_and_a_subscriber_costs_at_most_4_kib() {
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
        body: r#"{"type":"chat","user":"user-12345","name":"Ann","text":"a message of the usual length"}"#
            .into(),
    };
    // What is made once, for all rooms.
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
