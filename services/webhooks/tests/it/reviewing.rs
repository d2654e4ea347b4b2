//! Reviews arrive when they open and when they are decided, also when no process looked meanwhile.

use std::collections::BTreeSet;

use barrage_bus::{Change, ReviewChange, ReviewItem, RoomPatch, Verdict};
use barrage_protocol::review::{Review, ReviewDecision, ReviewKind};
use barrage_protocol::{MessageId, Sequence};
use barrage_store::{AuditRecord, DeliveryState};
use barrage_testkit::wait;
use serde_json::{Value, json};

use crate::receiver::{Receiver, Reply};
use crate::site::{NAME, PATIENCE, Site};

/// Number under which the position among the reviews is stored.
const PARTITION: u16 = u16::MAX - 1;

fn review_id(n: u32) -> MessageId {
    format!("rv-{n}").parse().unwrap()
}

/// Adds an entry to the queue of the room `demo`, and returns the time at which it was opened.
async fn open(site: &Site, n: u32) -> u64 {
    let at_ms = barrage_clock::unix_ms();
    let review = Review {
        id: review_id(n),
        kind: ReviewKind::Message,
        user: "ann".parse().unwrap(),
        rule: "links".into(),
        detail: "example.com".into(),
        matched: Some("example.com".into()),
        message: Some(json!({ "type": "chat", "text": "see example.com" })),
        report: None,
        at_ms,
        lock: None,
        fallback_at_ms: None,
    };
    let item = ReviewItem { review, held: None, verdict: None };
    change(site, ReviewChange::Add(Box::new(item))).await;
    at_ms
}

/// Decides an entry as an uplink does: decision, line of the audit log, removal from the queue.
async fn approve(site: &Site, n: u32, opened_at_ms: u64) {
    let (id, decided_at_ms) = (review_id(n), barrage_clock::unix_ms());
    let by = "mod".parse().unwrap();
    let decision = ReviewDecision::Approve;
    let verdict = Verdict { decision, by, at_ms: decided_at_ms, mute_secs: 0, after: Sequence::ZERO };
    change(site, ReviewChange::Decide { id: id.clone(), verdict }).await;
    let line = AuditRecord {
        at_ms: decided_at_ms,
        room: "demo".parse().ok(),
        user: "ann".parse().ok(),
        actor: "mod".into(),
        action: "review-approve".into(),
        detail: json!({
            "review": id, "kind": "message", "rule": "links", "sequence": 7,
            "opened_at_ms": opened_at_ms, "decided_at_ms": decided_at_ms,
        }),
    };
    // Two uplinks that carry out one interrupted decision write two lines.
    site.store.append_audit(&[line.clone(), line]).await.unwrap();
    change(site, ReviewChange::End { id, sequence: Some(Sequence(7)), until_ms: None }).await;
}

async fn change(site: &Site, change: ReviewChange) {
    site.bus.change(Change::Review { room: "demo".parse().unwrap(), change }).await.unwrap();
}

async fn start(receiver: &Receiver) -> Site {
    let site = Site::start(&receiver.url(), |config| {
        config.endpoints[0].events = vec!["review.*".into()];
    })
    .await;
    let ensure = RoomPatch::Ensure { title: "Demo".into() };
    site.bus.change(Change::Patch("demo".parse().unwrap(), ensure)).await.unwrap();
    wait::until_true(PATIENCE, "the first positions", async || {
        let deliveries = site.store.deliveries();
        let review = deliveries.mark(NAME, PARTITION).await.unwrap();
        review.is_some() && deliveries.mark(NAME, u16::MAX).await.unwrap().is_some()
    })
    .await;
    site
}

async fn arrived(receiver: &Receiver, expected: &[String]) {
    let expected: BTreeSet<_> = expected.iter().cloned().collect();
    wait::until_true(PATIENCE, "all events of reviews", async || {
        receiver.ids().into_iter().collect::<BTreeSet<_>>() == expected
    })
    .await;
}

#[tokio::test]
async fn a_review_arrives_when_it_opens_and_when_it_is_decided() {
    let receiver = Receiver::start(|_| Reply::Status(204, "")).await;
    let site = start(&receiver).await;
    let at_ms = open(&site, 1).await;
    let opened = format!("review/rv-1/{at_ms}/opened");
    arrived(&receiver, std::slice::from_ref(&opened)).await;
    approve(&site, 1, at_ms).await;
    arrived(&receiver, &[opened, format!("review/rv-1/{at_ms}/decided")]).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2, "each once");
    let body: Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!(body["type"], "review.opened");
    assert_eq!(body["data"]["message"]["text"], "see example.com", "{body}");
    let body: Value = serde_json::from_str(&requests[1].body).unwrap();
    assert_eq!(
        (&body["data"]["decision"], &body["data"]["by"]),
        (&json!("approve"), &json!("mod")),
        "{body}"
    );
}

#[tokio::test]
async fn reviews_of_a_time_without_webhooks_arrive_after_the_start() {
    let receiver = Receiver::start(|_| Reply::Status(204, "")).await;
    let mut site = start(&receiver).await;
    site.kill().await;
    let decided_at = open(&site, 1).await;
    approve(&site, 1, decided_at).await;
    let waiting_at = open(&site, 2).await;
    site.run();
    let expected = [
        format!("review/rv-1/{decided_at}/opened"),
        format!("review/rv-1/{decided_at}/decided"),
        format!("review/rv-2/{waiting_at}/opened"),
    ];
    arrived(&receiver, &expected).await;
    // A kill before an attempt is recorded would send its event again.
    wait::until_true(PATIENCE, "three recorded deliveries", async || {
        let log = site.log().await;
        log.iter().filter(|line| line.state == DeliveryState::Delivered).count() == 3
    })
    .await;
    site.kill().await;
    site.run();
    let later = open(&site, 3).await;
    let with_later: Vec<_> =
        expected.iter().cloned().chain([format!("review/rv-3/{later}/opened")]).collect();
    arrived(&receiver, &with_later).await;
    assert_eq!(receiver.requests().len(), 4, "a restart sends none again");
}
