//! Processes on one NATS server.

use std::path::Path;
use std::time::Duration;

use barrage_testkit::{NatsServer, RawSocket, Server, ServerOptions, wait};
use serde_json::json;

use super::STEP_MAX;
use crate::support::{BINARY, MESSAGES, chat, gift, paid_gift};

/// Starts `barrage up` on a NATS server, with the token key of another process.
pub(super) async fn member(nats: &NatsServer, folder: &Path, name: &str, key_of: Option<&Server>) -> Server {
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
    wait::until_true(Duration::from_secs(5), "the new room at the other process", async || {
        other.admin("GET", "/rooms", &admin, &json!({})).await.body.to_string().contains("stage-2")
    })
    .await;
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

#[tokio::test]
async fn an_action_is_in_force_at_the_other_process_within_a_second_and_done_once() {
    let nats = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let one = member(&nats, folder.path(), "one", None).await;
    let other = member(&nats, folder.path(), "other", Some(&one)).await;
    let (ann, host) = (one.token("ann", "demo", "viewer").await, one.token("hal", "demo", "host").await);
    let mut viewer = RawSocket::join(other.public, "demo", Some(&ann), None).await;
    let act = async |server: &Server, token: &str, id: &str, action: serde_json::Value| {
        let body = json!({ "id": id, "action": action }).to_string();
        server.post("/v1/rooms/demo/actions", token, body).await
    };
    let force = Duration::from_secs(1);
    let mut id = 0;
    let mut code = async |server: &Server| {
        id += 1;
        let post = chat(&format!("c{id}"), &format!("hello {id}"));
        server.post(MESSAGES, &ann, post).await.code().to_owned()
    };
    let mute = json!({ "type": "mute", "user": "ann", "secs": 60 });
    assert_eq!(act(&one, &host, "m1", mute.clone()).await.status, 200);
    wait::until_true(force, "the mute", async || code(&other).await == "muted").await;
    // The other process answers what this one did, and the later unmute stays in force.
    assert_eq!(act(&other, &host, "u1", json!({ "type": "unmute", "user": "ann" })).await.status, 200);
    let again = act(&other, &host, "m1", mute).await;
    assert_eq!((again.status, &again.body["duplicate"]), (200, &json!(true)), "{again:?}");
    assert_eq!(code(&other).await, "");

    let role = json!({ "type": "role", "user": "mia", "role": "moderator" });
    assert_eq!(act(&one, &host, "r1", role).await.status, 200);
    let mia = one.token("mia", "demo", "viewer").await;
    wait::until_true(force, "the role", async || {
        act(&other, &mia, "n1", json!({ "type": "unpin" })).await.status == 200
    })
    .await;
    // One action through both processes at the same time is one signal.
    let news = json!({ "type": "announce", "text": "doors open" });
    let (a, b) = tokio::join!(act(&one, &mia, "d1", news.clone()), act(&other, &mia, "d1", news));
    assert_eq!((a.status, b.status), (200, 200), "{a:?} {b:?}");
    assert_eq!(a.body["sequence"], b.body["sequence"]);
    let poll = other.get("/v1/rooms/demo/poll?after=0&wait=0").await.body.to_string();
    assert_eq!(poll.matches("doors open").count(), 1, "{poll}");

    let banned = act(&one, &mia, "b1", json!({ "type": "ban", "user": "ann", "secs": 60 })).await;
    assert_eq!(banned.status, 200);
    let closed = wait::within(force, "the end of the connection", viewer.until_closed()).await;
    assert_eq!(closed.1, Some(4016));
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
