//! Actions of moderators on the public listener: roles by actions by transports, the history, and
//! `kill -9` between an action and its answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Answer, Frame, RawSocket, Server, ServerOptions, wait};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{BINARY, MESSAGES, chat, start, start_with};

const ACTIONS: &str = "/v1/rooms/demo/actions";
/// Longest wait for an effect.
const EFFECT_MAX: Duration = Duration::from_secs(20);
const ROUNDS: usize = 20;

fn request(id: &str, action: &Value) -> String {
    json!({ "id": id, "action": action, "reason": "a test" }).to_string()
}

async fn act(server: &Server, token: &str, id: &str, action: &Value) -> Answer {
    server.post(ACTIONS, token, request(id, action)).await
}

/// Counts the signals of frames or of an answer by name.
fn count(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for rest in text.split("\"signal\":\"").skip(1) {
        *counts.entry(rest.split('"').next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts
}

/// Collects what a stream of server-sent events sends, until its end.
fn collect_events(server: &Server, token: Option<&str>) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let request = reqwest::Client::new().get(format!("http://{}/v1/rooms/demo/sse?after=0", server.public));
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    let collected = Arc::clone(&text);
    tokio::spawn(async move {
        let mut response = request.send().await.unwrap();
        while let Ok(Some(chunk)) = response.chunk().await {
            collected.lock().push_str(&String::from_utf8_lossy(&chunk));
        }
    });
    text
}

/// Every action, with the least role for it and the signal that the room gets.
fn table(sequence: u64) -> Vec<(Value, &'static str, Option<&'static str>)> {
    vec![
        (json!({ "type": "recall", "sequence": sequence }), "moderator", Some("recall")),
        (json!({ "type": "mute", "user": "ann", "secs": 60 }), "moderator", None),
        (json!({ "type": "unmute", "user": "ann" }), "moderator", None),
        (json!({ "type": "warn", "user": "ann", "text": "be kind" }), "moderator", None),
        (json!({ "type": "kick", "user": "ann" }), "moderator", Some("kick")),
        (json!({ "type": "ban", "user": "ann", "secs": 60 }), "moderator", Some("kick")),
        (json!({ "type": "unban", "user": "ann" }), "moderator", None),
        (json!({ "type": "slow_mode", "secs": 1 }), "moderator", Some("slow_mode")),
        (json!({ "type": "mute_all", "on": false }), "moderator", Some("mute_all")),
        (json!({ "type": "pin", "sequence": sequence + 1 }), "moderator", Some("pin")),
        (json!({ "type": "unpin" }), "moderator", Some("unpin")),
        (json!({ "type": "speak", "rule": { "level_min": 0 } }), "moderator", Some("speak")),
        (json!({ "type": "shield", "on": false }), "moderator", Some("speak")),
        (json!({ "type": "shield_bundle", "rules": [] }), "host", Some("speak")),
        (json!({ "type": "attribute_rules", "rules": [] }), "host", None),
        (json!({ "type": "moderation_delay", "secs": 0 }), "moderator", Some("moderation_delay")),
        (json!({ "type": "reactions", "names": ["fire"] }), "moderator", Some("reactions")),
        (json!({ "type": "announce", "text": "hello" }), "moderator", Some("announcement")),
        (json!({ "type": "role", "user": "cy", "role": "moderator" }), "host", Some("role")),
        (json!({ "type": "purge", "user": "ann" }), "moderator", Some("purge")),
        (json!({ "type": "clear" }), "moderator", Some("clear")),
    ]
}

#[tokio::test]
async fn each_role_does_its_actions_and_each_transport_gets_their_signals() {
    let server = start_with(&[("UPLINK__LIMITS__USER_PER_S", "1000")]).await;
    let ann = server.token("ann", "demo", "viewer").await;
    let mut socket = RawSocket::joined(server.public, "demo").await;
    let events = collect_events(&server, None);
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for (rank, role) in ["viewer", "moderator", "host", "admin"].into_iter().enumerate() {
        let token = server.token(&format!("the-{role}"), "demo", role).await;
        // Slow mode and a clear of the role before must not reach these two messages.
        act(
            &server,
            &server.token("the-admin", "demo", "admin").await,
            &format!("off-{role}"),
            &json!({ "type": "slow_mode", "secs": 0 }),
        )
        .await;
        *expected.entry("slow_mode".into()).or_default() += 1;
        let first = server.post(MESSAGES, &ann, chat(&format!("{role}-1"), &format!("one for {role}"))).await;
        let second =
            server.post(MESSAGES, &ann, chat(&format!("{role}-2"), &format!("two for {role}"))).await;
        assert_eq!((first.status, second.status), (200, 200), "{first:?} {second:?}");
        let sequence = first.body["sequence"].as_u64().unwrap();
        assert_eq!(second.body["sequence"], sequence + 1, "the table pins the second");
        for (n, (action, least, signal)) in table(sequence).into_iter().enumerate() {
            let answer = act(&server, &token, &format!("a{n}"), &action).await;
            let is_allowed = rank >= if least == "host" { 2 } else { 1 };
            match is_allowed {
                true => assert_eq!(
                    (answer.status, &answer.body["duplicate"]),
                    (200, &json!(false)),
                    "{role} {action} {answer:?}"
                ),
                false => assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{role} {action}"),
            }
            if let Some(signal) = signal.filter(|_| is_allowed) {
                *expected.entry(signal.into()).or_default() += 1;
            }
        }
    }
    let mut heard = BTreeMap::new();
    while heard.get("clear") != expected.get("clear") {
        for message in socket.next_batch().await.messages {
            for (signal, n) in count(message.body.get()) {
                *heard.entry(signal).or_default() += n;
            }
        }
    }
    assert_eq!(heard, expected, "by WebSocket");
    wait::until_true(EFFECT_MAX, "the signals by event stream", async || count(&events.lock()) == expected)
        .await;
    let poll = server.get("/v1/rooms/demo/poll?after=0&wait=0").await;
    assert_eq!(count(&poll.body.to_string()), expected, "by long poll");
    wait::until_true(EFFECT_MAX, "a history without what was cleared", async || {
        let history = server.get("/v1/rooms/demo/history?after=0&limit=100").await.body;
        let messages = history["messages"].as_array().unwrap().clone();
        messages.len() == 1 && messages[0]["body"]["signal"] == "clear"
    })
    .await;
}

#[tokio::test]
async fn a_banned_user_leaves_every_transport_and_a_warned_one_is_told_on_it() {
    let server = start().await;
    let (ann, moderator) =
        (server.token("ann", "demo", "viewer").await, server.token("mod", "demo", "moderator").await);
    let mut socket = RawSocket::join(server.public, "demo", Some(&ann), None).await;
    let events = collect_events(&server, Some(&ann));
    wait::until_true(EFFECT_MAX, "the hello of the stream", async || events.lock().contains("hello")).await;
    let warn = json!({ "type": "warn", "user": "ann", "text": "be kind" });
    assert_eq!(act(&server, &moderator, "w1", &warn).await.status, 200);
    let notice = wait::within(EFFECT_MAX, "the warning", async {
        loop {
            if let Frame::Protocol(ServerFrame::Notice(notice), _) = socket.next().await {
                return notice;
            }
        }
    });
    assert_eq!(notice.await.body.get(), r#"{"type":"signal","signal":"warn","user":"ann","text":"be kind"}"#);
    wait::until_true(EFFECT_MAX, "the warning in the stream", async || events.lock().contains("be kind"))
        .await;
    let poll = async |wait_secs: u32| {
        let url = format!("http://{}/v1/rooms/demo/poll?after=0&wait_secs={wait_secs}&ack=", server.public);
        let answer = reqwest::Client::new().get(url).bearer_auth(&ann).send().await.unwrap();
        answer.text().await.unwrap()
    };
    assert!(poll(0).await.contains("be kind"));
    let answered = std::time::Instant::now();
    let ban = act(&server, &moderator, "b1", &json!({ "type": "ban", "user": "ann", "secs": 600 })).await;
    assert_eq!(ban.status, 200, "{ban:?}");
    let (_, code) = socket.until_closed().await;
    assert_eq!(code, Some(4016));
    wait::until_true(EFFECT_MAX, "the end of the stream", async || events.lock().contains("\"kicked\""))
        .await;
    assert!(poll(0).await.contains("\"kicked\""));
    assert_eq!(server.post(MESSAGES, &ann, chat("c1", "hello")).await.code(), "kicked");
    println!("a ban was in force everywhere after {} ms", answered.elapsed().as_millis());
    act(&server, &moderator, "u1", &json!({ "type": "unban", "user": "ann" })).await;
    assert_eq!(server.post(MESSAGES, &ann, chat("c2", "hello again")).await.status, 200);
}

#[tokio::test]
async fn a_moderator_of_one_room_is_refused_in_another() {
    let server = start().await;
    let admin = server.token("boss", "*", "admin").await;
    assert_eq!(server.admin("PUT", "/rooms/other", &admin, &json!({})).await.status, 201);
    let of_demo = server.token("mod", "demo", "moderator").await;
    let clear = request("c1", &json!({ "type": "clear" }));
    let refused = server.post("/v1/rooms/other/actions", &of_demo, clear.clone()).await;
    assert_eq!((refused.status, refused.code()), (403, "wrong_room"));
    // A role of the room demo, with a token for both rooms.
    let everywhere = server.token("mia", "*", "viewer").await;
    let role = json!({ "type": "role", "user": "mia", "role": "moderator" });
    let host = server.token("hal", "demo", "host").await;
    assert_eq!(act(&server, &host, "r1", &role).await.status, 200);
    let refused = server.post("/v1/rooms/other/actions", &everywhere, clear.clone()).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    assert_eq!(server.post(ACTIONS, &everywhere, clear).await.status, 200);
}

/// One action that was sent before the server was killed, and its answer when one came.
struct Sent {
    id: String,
    action: Value,
    answer: Option<Value>,
}

/// Acts until the server is gone.
async fn act_until_killed(server: Arc<Server>, token: String, round: usize) -> Vec<Sent> {
    let mut sent = Vec::new();
    for n in 0.. {
        let name = format!("u{round}-{n}");
        for action in [
            json!({ "type": "announce", "text": format!("news {round} {n}") }),
            json!({ "type": "mute", "user": name, "secs": 3_600 }),
            json!({ "type": "unmute", "user": name }),
            json!({ "type": "ban", "user": name, "secs": 3_600 }),
        ] {
            let id = format!("{round}-{n}-{}", action["type"].as_str().unwrap());
            let answer = server.try_post(ACTIONS, &token, request(&id, &action)).await;
            let answer = answer.map(|answer| {
                assert_eq!(answer.status, 200, "{answer:?}");
                answer.body
            });
            let is_gone = answer.is_none();
            sent.push(Sent { id, action, answer });
            if is_gone {
                return sent;
            }
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_action_has_its_effect_once_after_kills() {
    let dir = tempfile::tempdir().unwrap();
    let environment = ["USER_PER_S", "ADDRESS_PER_S"]
        .map(|limit| (format!("BARRAGE_UPLINK__LIMITS__{limit}"), "100000".to_owned()));
    let data_dir = Some(dir.path().join("data"));
    let options = ServerOptions { environment: environment.into(), data_dir, ..ServerOptions::default() };
    let (mut answered, mut unanswered, mut random) = (0, 0, 0x9e37_79b9_7f4a_7c15_u64);
    let mut announced: BTreeMap<String, usize> = BTreeMap::new();
    let mut server = Arc::new(Server::start(BINARY, options.clone()).await);
    // The key of the tokens is in the folder, and survives each kill.
    let (token, admin) =
        (server.token("mod", "demo", "moderator").await, server.token("boss", "*", "admin").await);
    for round in 0..ROUNDS {
        let acting = tokio::spawn(act_until_killed(Arc::clone(&server), token.clone(), round));
        // xorshift: another delay in each round, the same delays in each run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(Duration::from_millis(20 + random % 150)).await;
        server.kill_by_id().await;
        let sent = acting.await.unwrap();
        drop(server);

        server = Arc::new(Server::start(BINARY, options.clone()).await);
        for Sent { id, action, answer } in &sent {
            let again = act(&server, &token, id, action).await;
            assert_eq!(again.status, 200, "{again:?}");
            if let Some(answer) = answer {
                answered += 1;
                assert_eq!(again.body["duplicate"], true, "{id} was answered before");
                assert_eq!(again.body.get("sequence"), answer.get("sequence"), "{id}");
                assert_eq!(again.body.get("until_ms"), answer.get("until_ms"), "{id}");
            } else {
                unanswered += 1;
            }
            if action["type"] == "announce" {
                announced.insert(action["text"].as_str().unwrap().to_owned(), 0);
            }
        }
        // A replayed mute took nothing back: who was unmuted later is not muted now.
        let listed =
            server.admin("GET", "/rooms/demo/restrictions?limit=1000", &admin, &Value::Null).await.body;
        let last: BTreeMap<&str, &str> = sent
            .iter()
            .filter_map(|sent| Some((sent.action["user"].as_str()?, sent.action["type"].as_str()?)))
            .collect();
        for (name, action) in last {
            let listed = listed["restrictions"].as_array().unwrap();
            let found = listed.iter().find(|user| user["user"] == name).cloned().unwrap_or_default();
            let in_force = (found.get("muted_until").is_some(), found.get("kicked_until").is_some());
            assert_eq!(in_force, (action == "mute", action == "ban"), "{name} after {action}");
        }
    }
    let mut after = 0;
    loop {
        let page = server.get(&format!("/v1/rooms/demo/poll?after={after}&wait=0")).await.body;
        for message in page["messages"].as_array().unwrap() {
            if message["body"]["signal"] == "announcement" {
                *announced.get_mut(message["body"]["text"].as_str().unwrap()).unwrap() += 1;
            }
        }
        let reached = page["sequence"].as_u64().unwrap();
        if reached == after {
            break;
        }
        after = reached;
    }
    let wrong: Vec<_> = announced.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "of {} announcements: {wrong:?}", announced.len());
    println!("{answered} actions were answered before a kill, {unanswered} were not");
    assert!(unanswered >= ROUNDS / 2 && answered > ROUNDS, "too few for the test: {answered}, {unanswered}");
}
