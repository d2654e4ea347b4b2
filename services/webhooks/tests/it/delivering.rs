//! Events arrive signed, at least once, also over kills.

use std::collections::BTreeSet;
use std::time::Duration;

use barrage_protocol::Class;
use barrage_store::{AuditRecord, DeliveryState, Replay};
use barrage_testkit::{NatsServer, wait};

use crate::receiver::{Receiver, Reply};
use crate::site::{NAME, PATIENCE, Site, nats};

const OK: Reply = Reply::Status(204, "");

async fn all_arrive(receiver: &Receiver, expected: &[String]) {
    wait::until_true(PATIENCE, "all events", async || {
        let arrived: BTreeSet<_> = receiver.ids().into_iter().collect();
        expected.iter().all(|id| arrived.contains(id))
    })
    .await;
}

#[tokio::test]
async fn gifts_arrive_one_by_one_and_chat_in_batches() {
    let receiver = Receiver::start(|_| OK).await;
    let site = Site::start(&receiver.url(), |config| {
        config.batch_window_ms = 300;
        config.parallel_max = 1;
    })
    .await;
    let mut chat = Vec::new();
    for n in 0..30 {
        chat.push(site.publish(Class::Chat, "demo", &format!(r#"{{"type":"chat","text":"{n}"}}"#)).await);
    }
    let gift = site.gift("demo").await;
    let arrived = || {
        let bodies = receiver.requests().into_iter().map(|request| request.body);
        let events: Vec<serde_json::Value> =
            bodies.map(|body| serde_json::from_str(&body).unwrap()).collect();
        let messages = events.iter().filter_map(|event| event["data"]["messages"].as_array()).flatten();
        messages.map(|message| message["sequence"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    wait::until_true(PATIENCE, "each chat message", async || arrived().len() == chat.len()).await;
    all_arrive(&receiver, &[gift]).await;
    assert_eq!(arrived(), chat, "once, and in order within a batch");
    let requests = receiver.requests();
    assert!(requests.len() <= 10, "{} requests", requests.len());
    for request in requests {
        let [timestamp, signature, kind] = ["webhook-timestamp", "webhook-signature", "content-type"];
        let secs: u64 = request.headers[timestamp].parse().unwrap();
        assert!(secs.abs_diff(barrage_clock::unix_ms() / 1_000) < 120);
        assert!(request.headers[signature].starts_with("v1,") && request.headers[kind] == "application/json");
        assert!(request.body.starts_with(r#"{"type":""#) && request.body.contains(r#""room":"demo""#));
    }
}

#[tokio::test]
async fn no_gift_is_missing_after_kills_in_the_middle() {
    let receiver = Receiver::start(|n| if n % 3 == 0 { Reply::Status(500, "") } else { OK }).await;
    let mut site = Site::start(&receiver.url(), |config| config.batch_window_ms = 1).await;
    let mut gifts = Vec::new();
    for round in 0..6 {
        for _ in 0..20 {
            gifts.push(site.gift("demo").await);
        }
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
        site.kill().await;
        gifts.push(site.gift("demo").await);
        site.run();
    }
    all_arrive(&receiver, &gifts).await;
    let bodies: BTreeSet<_> =
        receiver.requests().into_iter().map(|request| (request.id().to_owned(), request.body)).collect();
    assert_eq!(bodies.len(), gifts.len(), "an id has one body in all attempts");
}

#[tokio::test]
async fn each_partition_of_nats_has_a_position_of_its_own() {
    let server = NatsServer::start().await;
    let receiver = Receiver::start(|_| OK).await;
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::start_on(nats(&server).await, folder, &receiver.url(), |_| {}).await;
    let mut gifts = Vec::new();
    for room in ["a", "b", "c", "d", "e", "f"] {
        gifts.push(site.gift(room).await);
    }
    site.kill().await;
    for room in ["a", "b", "c", "d", "e", "f"] {
        gifts.push(site.gift(room).await);
    }
    site.run();
    all_arrive(&receiver, &gifts).await;
}

#[tokio::test]
async fn new_receiver_gets_no_old_event_and_a_replay_sends_one_again() {
    let receiver = Receiver::start(|_| OK).await;
    let mut site = Site::start(&receiver.url(), |_| {}).await;
    let gift = site.gift("demo").await;
    all_arrive(&receiver, std::slice::from_ref(&gift)).await;
    site.newest("a recorded delivery", |line| line.state == DeliveryState::Delivered).await;
    let replayed = site.store.deliveries().replay(NAME, Replay::Event(&gift), 0).await.unwrap();
    assert_eq!(replayed, 1);
    wait::until_true(PATIENCE, "the event again", async || receiver.ids() == [gift.as_str(), &gift]).await;
    site.kill().await;
    site.config.endpoints[0].name = "other".into();
    site.run();
    wait::until_true(PATIENCE, "the first position of the new receiver", async || {
        site.store.deliveries().mark("other", 0).await.unwrap().is_some()
    })
    .await;
    let second = site.gift("demo").await;
    all_arrive(&receiver, std::slice::from_ref(&second)).await;
    assert_eq!(receiver.ids(), [gift.as_str(), &gift, &second]);
}

#[tokio::test]
async fn lines_of_the_audit_log_arrive_with_actor_and_reason() {
    let receiver = Receiver::start(|_| OK).await;
    let mut site = Site::start(&receiver.url(), |_| {}).await;
    let line = |actor: &str| AuditRecord {
        at_ms: 7,
        room: "demo".parse().ok(),
        user: "bob".parse().ok(),
        actor: actor.into(),
        action: "mute".into(),
        detail: serde_json::json!({ "reason": "spam" }),
    };
    wait::until_true(PATIENCE, "the first position in the log", async || {
        site.store.deliveries().mark(NAME, u16::MAX).await.unwrap().is_some()
    })
    .await;
    site.store.append_audit(&[line("a"), line("b")]).await.unwrap();
    wait::until_true(PATIENCE, "two lines", async || receiver.requests().len() == 2).await;
    site.kill().await;
    site.store.append_audit(&[line("c")]).await.unwrap();
    site.run();
    wait::until_true(PATIENCE, "the line after a kill", async || {
        receiver.requests().iter().any(|request| request.body.contains(r#""actor":"c""#))
    })
    .await;
    let ids: BTreeSet<_> = receiver.ids().into_iter().collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["audit/1", "audit/2", "audit/3"]);
}
