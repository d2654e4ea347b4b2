//! Processes on one NATS server.

use std::path::Path;
use std::time::Duration;

use barrage_testkit::{NatsServer, RawSocket, Server, ServerOptions, wait};
use serde_json::json;

use super::STEP_MAX;
use crate::support::{BINARY, MESSAGES, chat, gift, paid_gift};

/// Starts `barrage up` on a NATS server, with the token key of another process.
async fn member(nats: &NatsServer, folder: &Path, name: &str, key_of: Option<&Server>) -> Server {
    let data_dir = folder.join(name);
    if let Some(other) = key_of {
        std::fs::create_dir(&data_dir).unwrap();
        std::fs::copy(other.data_dir().join("token.key"), data_dir.join("token.key")).unwrap();
    }
    let environment =
        [("BARRAGE_NATS__URLS", format!("[\"{}\"]", nats.url())), ("BARRAGE_GATEWAY__ID", name.to_owned())];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let options = ServerOptions { environment, data_dir: Some(data_dir), ..ServerOptions::default() };
    Server::start(BINARY, options).await
}

#[tokio::test]
async fn processes_on_one_nats_server_share_messages_ids_and_switches() {
    let nats = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let one = member(&nats, folder.path(), "one", None).await;
    let other = member(&nats, folder.path(), "other", Some(&one)).await;
    let token = one.token("u1", "demo", "viewer").await;
    let admin = one.token("a1", "*", "admin").await;
    let mut viewer = RawSocket::joined(other.public, "demo").await;
    let first = one.post(MESSAGES, &token, paid_gift("g1")).await;
    assert_eq!(first.body["outcome"], "broadcast");
    // The other process recognises the id.
    let again = other.post(MESSAGES, &token, paid_gift("g1")).await;
    assert_eq!(
        (&again.body["outcome"], &again.body["sequence"]),
        (&json!("duplicate"), &first.body["sequence"])
    );
    let batch = viewer.next_batch().await;
    assert_eq!(batch.messages.len(), 1);
    assert_eq!(json!(batch.messages[0].sequence), first.body["sequence"]);

    // A broadcast reaches each room once per id, through any process.
    assert_eq!(one.admin("PUT", "/rooms/stage-2", &admin, &json!({})).await.status, 201);
    let broadcast = json!({ "text": "five minutes", "id": "b-1" });
    let reached = one.admin("POST", "/broadcast", &admin, &broadcast).await;
    assert_eq!((reached.status, &reached.body["reached"]), (200, &json!(2)), "{reached:?}");
    let repeated = other.admin("POST", "/broadcast", &admin, &broadcast).await;
    assert_eq!((repeated.status, &repeated.body["repeated"]), (200, &json!(2)), "{repeated:?}");

    // Mute-all is in force at the other process within a second.
    assert_eq!(one.admin("POST", "/rooms/demo/mute-all", &admin, &json!({ "on": true })).await.status, 200);
    let mut id = 0;
    wait::until_true(Duration::from_secs(1), "mute-all in force at the other process", async || {
        id += 1;
        let post = chat(&format!("c{id}"), &format!("hello {id}"));
        other.post(MESSAGES, &token, post).await.code() == "room_muted"
    })
    .await;
}

/// A NATS server that hangs keeps its connections open and answers nothing.
#[tokio::test]
async fn entry_names_the_last_gateways_while_nats_hangs() {
    let nats = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let one = member(&nats, folder.path(), "one", None).await;
    nats.pause();
    // Three times as long as an instance may be silent.
    let hanging = tokio::time::Instant::now();
    while hanging.elapsed() < Duration::from_secs(15) {
        let answer = one.get("/v1/entry?room=demo").await;
        let secs = hanging.elapsed().as_secs();
        assert_eq!(answer.status, 200, "after {secs} s: {answer:?}");
        assert!(!answer.body["downlinks"].as_array().unwrap().is_empty(), "after {secs} s: {answer:?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    nats.resume();
    let token = one.token("u1", "demo", "viewer").await;
    wait::until_true(STEP_MAX, "an accepted post after NATS continues", async || {
        one.post(MESSAGES, &token, gift("g1")).await.status == 200
    })
    .await;
    assert_eq!(one.get("/v1/entry?room=demo").await.status, 200);
}
