//! What reaches attached devices without a request of theirs.

use std::time::Duration;

use barrage_protocol::inbox::ConversationView;
use barrage_testkit::wait;
use serde_json::{Value, json};

use super::device::Device;
use super::person::Person;
use crate::support::start;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn titles_mentions_and_the_end_of_a_group_reach_devices_without_a_request() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let made = ann.done("POST", "/v1/groups", json!({ "title": "Fans" })).await;
    let id = made["conversation"].as_str().unwrap();
    let group = format!("/v1/groups/{id}");
    bob.done("POST", &format!("{group}/join"), Value::Null).await;
    bob.done("PATCH", &format!("/v1/conversations/{id}"), json!({ "notify": "mention" })).await;
    // The gateway has heard the courier: who attaches now is rung for nothing else than news.
    wait::until_true(Duration::from_secs(20), "an envelope of the courier", async || {
        server.metric("barrage_gateway_mail_losses_total").await > 0.0
    })
    .await;
    let mut device = Device::open(server.public, server.public, "bob", &bob.token).await;
    let row = |expected: fn(&ConversationView) -> bool| {
        move |book: &barrage_client::InboxBook| book.conversations().get(id).is_some_and(expected)
    };
    device.until("group", row(|row| row.group.is_some())).await;
    // The user was told of the join a moment ago, and is rung for it.
    device.listen(Duration::from_millis(500)).await;
    let syncs = device.syncs;
    ann.done("PATCH", &group, json!({ "title": "Friends" })).await;
    let renamed = |row: &ConversationView| row.group.as_ref().is_some_and(|group| group.title == "Friends");
    device.until("new title", row(renamed)).await;
    let post = json!({ "type": "text", "id": "g1", "text": "Bob?", "mentions": ["bob"] });
    ann.done("POST", &format!("/v1/conversations/{id}/messages"), post).await;
    device.until("mention in a group that does not count", row(|row| row.mentions == [1])).await;
    device.until_unread(0).await;
    ann.done("DELETE", &group, Value::Null).await;
    device.until("end of the group", row(|row| row.deleted)).await;
    assert_eq!(device.syncs, syncs, "a request was made");
}
