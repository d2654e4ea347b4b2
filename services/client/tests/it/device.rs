//! A device of the inbox: when it presents a cursor, when it asks again, and how it moves.

use std::time::Duration;

use barrage_client::{Device, DeviceConfig, DeviceEvent, InboxChange};
use serde_json::json;

use crate::fake::{Fake, Socket, Ws, soon};

async fn started() -> (Fake, Device, Socket) {
    let mut fake = Fake::start(Ws::TakenByNewer).await;
    let config =
        DeviceConfig { facts: None, ..DeviceConfig::new(format!("http://{}", fake.address), "token") };
    let mut device = Device::start(config);
    let socket = attached(&mut fake).await;
    assert!(matches!(soon(device.next()).await, Some(DeviceEvent::Attached { .. })));
    (fake, device, socket)
}

/// Takes the next connection, and attaches it.
async fn attached(fake: &mut Fake) -> Socket {
    let mut socket = fake.socket().await;
    let terms = json!({ "id": "c1", "ping_interval_ms": 60_000 });
    socket.send(&json!({ "type": "attached", "user": "ann", "connection": terms }).to_string()).await;
    socket
}

/// Answers the next request of the inbox, and returns its query.
async fn answered(fake: &mut Fake, version: u64, more: bool) -> String {
    let asked = fake.request().await;
    assert_eq!(asked.path, "/v1/inbox");
    let query = asked.query.clone();
    let answer = json!({ "cursor": format!("c{version}"), "version": version, "unread": 0, "more": more });
    asked.json(answer.to_string());
    query
}

async fn change(device: &mut Device) -> InboxChange {
    match soon(device.next()).await {
        Some(DeviceEvent::Change(change)) => *change,
        other => panic!("no change, but {other:?}"),
    }
}

#[tokio::test]
async fn cursor_is_presented_once_the_program_has_written_its_change() {
    let (mut fake, mut device, mut socket) = started().await;
    assert!(!answered(&mut fake, 1, true).await.contains("cursor"), "a new device has none");
    let first = change(&mut device).await;
    assert_eq!((first.place.cursor.as_deref(), first.place.version), (Some("c1"), 1));
    socket.send(r#"{"type":"bell"}"#).await;
    let early = tokio::time::timeout(Duration::from_millis(300), fake.request()).await;
    assert!(early.is_err(), "the program has not written the change");
    let (second, query) = tokio::join!(change(&mut device), answered(&mut fake, 2, false));
    assert!(query.contains("cursor=c1"), "{query}");
    assert_eq!(second.place.cursor.as_deref(), Some("c2"));
}

#[tokio::test]
async fn answers_older_than_mail_are_asked_for_after_pauses() {
    let (mut fake, mut device, mut socket) = started().await;
    answered(&mut fake, 5, false).await;
    assert_eq!(change(&mut device).await.place.version, 5);
    socket.send(r#"{"type":"bell","version":6}"#).await;
    let mut requests = 0;
    let asking = async {
        loop {
            let (change, _) = tokio::join!(change(&mut device), answered(&mut fake, 4, false));
            assert_eq!(change.place.version, 5, "the older answer changes nothing");
            requests += 1;
        }
    };
    drop(tokio::time::timeout(Duration::from_millis(1_200), asking).await);
    assert!((2..=5).contains(&requests), "{requests} requests in 1.2 s");
}

#[tokio::test]
async fn device_moves_before_its_gateway_closes() {
    let (mut fake, mut device, mut socket) = started().await;
    answered(&mut fake, 1, false).await;
    change(&mut device).await;
    let url = format!("ws://{}/v1/inbox/ws", fake.address);
    let endpoints = json!([{ "transport": "ws", "url": url, "gateway": "g" }]);
    let reconnect = json!({ "type": "reconnect", "after_ms": 0, "deadline_ms": 5_000, "endpoints": endpoints, "message": "drain" });
    socket.send(&reconnect.to_string()).await;
    let mut second = attached(&mut fake).await;
    assert!(matches!(soon(device.next()).await, Some(DeviceEvent::Attached { .. })), "no wait in between");
    socket.left().await;
    let query = answered(&mut fake, 1, false).await;
    assert!(query.contains("cursor=c1"), "what came during the move is asked for: {query}");
    change(&mut device).await;
    let mail = json!({ "type": "mail", "previous": 1, "version": 2, "unread_direct": 3 });
    second.send(&mail.to_string()).await;
    let moved = change(&mut device).await;
    assert_eq!((moved.unread, moved.place.version, moved.place.cursor.as_deref()), (3, 2, Some("c1")));
}
