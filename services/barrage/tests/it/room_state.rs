//! The state of a room as newcomers get it, on every transport; attributes through the public routes.

use std::time::Duration;

use barrage_client::{Viewer, ViewerConfig};
use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{BatchMessage, Hello, ServerFrame};
use barrage_protocol::state::RoomState;
use barrage_testkit::{Answer, Frame, RawSocket, Server, ServerOptions, wait};
use http::Method;
use serde_json::{Value, json};

use crate::support::{BINARY, MESSAGES, chat, start_with};

const ATTRIBUTES: &str = "/v1/rooms/demo/attributes";
/// Longest wait for an effect.
const EFFECT_MAX: Duration = Duration::from_secs(30);

/// Sends one request with a token to the public listener.
async fn send(server: &Server, method: Method, path: &str, token: &str, body: Option<String>) -> Answer {
    let url = format!("http://{}{path}", server.public);
    let request = reqwest::Client::new().request(method, url).bearer_auth(token);
    let request = if let Some(body) = body { request.body(body) } else { request };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    Answer { status, body, retry_after: None, ratelimit: None }
}

async fn put(server: &Server, token: &str, key: &str, body: &Value) -> Answer {
    send(server, Method::PUT, &format!("{ATTRIBUTES}/{key}"), token, Some(body.to_string())).await
}

async fn act(server: &Server, token: &str, id: &str, action: &Value) {
    let request = json!({ "id": id, "action": action }).to_string();
    let answer = server.post("/v1/rooms/demo/actions", token, request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn hello_of(server: &Server) -> Hello {
    // Clients of version 1.0 get no state.
    let offered = [("Sec-WebSocket-Protocol", "barrage.v1.1.json")];
    let mut socket = RawSocket::connect(server.public, "/v1/rooms/demo/ws", &offered).await.unwrap();
    socket.send_text(r#"{"type":"join"}"#).await;
    match socket.next().await {
        Frame::Protocol(ServerFrame::Hello(hello), _) => hello,
        other => panic!("no hello: {other:?}"),
    }
}

/// The state of the first event of a stream.
async fn state_by_events(server: &Server) -> RoomState {
    let url = format!("http://{}/v1/rooms/demo/sse", server.public);
    let mut response = reqwest::get(url).await.unwrap();
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
    }
    let json = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let ServerFrame::Hello(hello) = ServerFrame::parse(json.as_bytes()).unwrap() else { panic!("{text}") };
    *hello.state.unwrap()
}

async fn state_by_poll(server: &Server) -> RoomState {
    let answer = server.get("/v1/rooms/demo/poll").await;
    serde_json::from_value(answer.body["state"].clone()).unwrap()
}

fn texts(state: &RoomState) -> Vec<(String, String)> {
    state.attributes.values().map(|(key, it)| (key.to_string(), it.text.clone())).collect()
}

fn viewer(server: &Server, transport: Transport) -> Viewer {
    let mut config = ViewerConfig::new(format!("http://{}", server.public), "demo".parse().unwrap());
    config.transports = vec![transport];
    Viewer::start(config)
}

#[tokio::test]
async fn newcomers_and_viewers_have_the_same_state_on_every_transport() {
    let server = start_with(&[("UPLINK__LIMITS__USER_PER_S", "1000")]).await;
    let host = server.token("hal", "demo", "host").await;
    let admin = server.token("boss", "*", "admin").await;
    let transports = [Transport::Ws, Transport::Sse, Transport::Poll];
    let early = transports.map(|transport| viewer(&server, transport));
    let watched: Vec<_> = early.iter().map(Viewer::state).collect();
    let mut drained = Vec::new();
    for mut viewer in early {
        drained.push(tokio::spawn(async move { while viewer.next().await.is_some() {} }));
    }
    for mut state in watched.clone() {
        wait::within(EFFECT_MAX, "a state", state.wait_for(|state| state.settings.is_some())).await.unwrap();
    }
    let post = server.post(MESSAGES, &host, chat("c1", "no spoilers")).await;
    act(&server, &host, "p1", &json!({ "type": "pin", "sequence": post.body["sequence"] })).await;
    act(&server, &host, "s1", &json!({ "type": "slow_mode", "secs": 7 })).await;
    act(&server, &host, "k1", &json!({ "type": "reactions", "names": ["gg", "fire"] })).await;
    let title = json!({ "title": "Launch night" });
    assert_eq!(server.admin("PUT", "/rooms/demo", &admin, &title).await.status, 200);
    let first = put(&server, &host, "score", &json!({ "id": "t1", "text": "1:0", "if_version": 0 })).await;
    assert_eq!((first.status, &first.body["duplicate"]), (200, &json!(false)), "{first:?}");
    let version = first.body["version"].as_u64().unwrap();
    let stale = put(&server, &host, "score", &json!({ "id": "t2", "text": "9:9", "if_version": 0 })).await;
    assert_eq!((stale.status, stale.code()), (409, "conflict"));
    let next = json!({ "id": "t3", "text": "2:0", "if_version": version });
    assert_eq!(put(&server, &host, "score", &next).await.status, 200);
    put(&server, &admin, "card", &json!({ "id": "t4", "text": "gone" })).await;
    let removed = send(&server, Method::DELETE, &format!("{ATTRIBUTES}/card?id=t5"), &host, None).await;
    assert_eq!(removed.status, 200, "{removed:?}");

    let expected = *hello_of(&server).await.state.unwrap();
    assert_eq!(texts(&expected), [("score".to_owned(), "2:0".to_owned())]);
    let settings = expected.settings.clone().unwrap().value.unwrap();
    assert_eq!((&*settings.title, settings.slow_mode_secs), ("Launch night", 7));
    assert_eq!(serde_json::to_value(settings.reactions).unwrap(), json!(["gg", "fire"]));
    assert_eq!(expected.pinned.clone().unwrap().value.unwrap().message["text"], "no spoilers");
    assert_eq!(state_by_events(&server).await, expected);
    assert_eq!(state_by_poll(&server).await, expected);
    for (mut state, transport) in watched.into_iter().zip(transports) {
        let same = state.wait_for(|state| {
            texts(state) == texts(&expected)
                && (&state.settings, &state.pinned) == (&expected.settings, &expected.pinned)
        });
        let known = wait::within(EFFECT_MAX, "the same state", same).await.map(drop);
        assert!(known.is_ok(), "{transport:?}");
    }
    act(&server, &host, "c1", &json!({ "type": "clear" })).await;
    assert!(hello_of(&server).await.state.unwrap().pinned.unwrap().value.is_none());
    drained.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn newcomers_get_the_super_chats_on_top_and_viewers_the_same() {
    let server = start_with(&[]).await;
    let (host, admin) = (server.token("hal", "demo", "host").await, server.token("boss", "*", "admin").await);
    let mut early = viewer(&server, Transport::Ws);
    let mut known = early.state();
    let drained = tokio::spawn(async move { while early.next().await.is_some() {} });
    wait::within(EFFECT_MAX, "a state", known.wait_for(|state| state.settings.is_some())).await.unwrap();
    let mut sequences = Vec::new();
    for (id, amount_minor) in [("s1", 3_000), ("s2", 12_000)] {
        let post = json!({
            "type": "super_chat", "id": id, "text": "well done", "amount_minor": amount_minor, "currency": "EUR",
        });
        let answer = server.post(MESSAGES, &admin, post.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        sequences.push(answer.body["sequence"].as_u64().unwrap());
    }
    let read = json!({ "type": "super_chat_read", "sequence": sequences[1], "on": true });
    act(&server, &host, "r1", &read).await;
    let levels = |state: &RoomState| -> Vec<_> {
        let open = state.super_chats.values().map(|(at, open)| (at.0, open));
        open.map(|(at, open)| (at, open.message["tier"]["level"].as_u64().unwrap(), open.read)).collect()
    };
    let expected = vec![(sequences[0], 5, false), (sequences[1], 7, true)];
    assert_eq!(levels(&hello_of(&server).await.state.unwrap()), expected);
    assert_eq!(levels(&state_by_events(&server).await), expected);
    assert_eq!(levels(&state_by_poll(&server).await), expected);
    let same = known.wait_for(|state| levels(state) == expected);
    wait::within(EFFECT_MAX, "the same super chats", same).await.unwrap();
    act(&server, &host, "x1", &json!({ "type": "clear" })).await;
    let none = known.wait_for(|state| levels(state).is_empty());
    wait::within(EFFECT_MAX, "no super chats", none).await.unwrap();
    assert!(levels(&hello_of(&server).await.state.unwrap()).is_empty());
    drained.abort();
}

#[tokio::test]
async fn an_attribute_with_a_time_to_live_leaves_every_viewer_and_a_restart_keeps_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let options = || ServerOptions { data_dir: Some(folder.path().into()), ..ServerOptions::default() };
    let mut server = Server::start(BINARY, options()).await;
    let host = server.token("hal", "demo", "host").await;
    let mut socket = RawSocket::joined(server.public, "demo").await;
    put(&server, &host, "goal", &json!({ "id": "t1", "text": "100 roses", "ttl_secs": 1 })).await;
    put(&server, &host, "score", &json!({ "id": "t2", "text": "1:0" })).await;
    let mut known = *hello_of(&server).await.state.unwrap();
    let mut messages: Vec<BatchMessage> = Vec::new();
    while !messages.iter().any(|message| {
        message.body.get().contains(r#"{"goal":{"version":"#) && !message.body.get().contains("100 roses")
    }) {
        let batch = wait::within(EFFECT_MAX, "the removal", socket.next_batch()).await;
        messages.extend(batch.messages);
    }
    for message in &messages {
        let body: Value = serde_json::from_str(message.body.get()).unwrap();
        known.merge(serde_json::from_value(body["state"].clone()).unwrap());
    }
    assert_eq!(texts(&known), [("score".to_owned(), "1:0".to_owned())]);
    server.kill().await;
    let server = Server::start(BINARY, options()).await;
    assert_eq!(texts(&hello_of(&server).await.state.unwrap()), texts(&known));
    let again = put(&server, &host, "score", &json!({ "id": "t2", "text": "1:0" })).await;
    assert_eq!((again.status, &again.body["duplicate"]), (200, &json!(true)));
}

#[tokio::test]
async fn hostile_attributes_are_refused_with_the_rule() {
    let server = start_with(&[("UPLINK__LIMITS__USER_PER_S", "10000")]).await;
    let [ann, host] =
        [("ann", "viewer"), ("hal", "host")].map(|(user, role)| server.token(user, "demo", role));
    let (ann, host) = tokio::join!(ann, host);
    let elsewhere = server.token("eve", "other", "host").await;
    let text = |id: &str, text: &str| json!({ "id": id, "text": text });
    assert_eq!(put(&server, &ann, "score", &text("a1", "x")).await.code(), "forbidden");
    assert_eq!(put(&server, &elsewhere, "score", &text("a1", "x")).await.status, 403);
    for key in ["..%2Fx", ".a", "a%0Ab", "a%00b", "%E9%94%AE", &"x".repeat(129)] {
        assert_eq!(put(&server, &host, key, &text("a2", "x")).await.code(), "bad_request", "{key}");
    }
    for bad in ["a\nb", "a\u{0}b", "\u{1b}[31m", &"x".repeat(4_097)] {
        assert_eq!(put(&server, &host, "score", &text("a3", bad)).await.code(), "bad_text", "{bad:?}");
    }
    let large = put(&server, &host, "score", &text("a4", &"x".repeat(1 << 20))).await;
    assert_eq!((large.status, large.code()), (413, "too_large"), "{large:?}");
    let unknown = json!({ "id": "a5", "text": "x", "owner": "me" });
    assert_eq!(put(&server, &host, "score", &unknown).await.code(), "bad_request");
    let (mut made, mut refused) = (0, 0);
    for n in 0..130 {
        let answer = put(&server, &host, &format!("k{n}"), &text(&format!("k{n}"), "x")).await;
        match answer.status {
            200 => made += 1,
            _ => {
                refused += 1;
                assert_eq!(answer.code(), "conflict", "{answer:?}");
            }
        }
    }
    assert_eq!((made, refused), (100, 30));
    let listed = send(&server, Method::GET, ATTRIBUTES, &ann, None).await;
    assert_eq!(listed.body["attributes"].as_array().unwrap().len(), 100);
    assert_eq!(send(&server, Method::GET, &format!("{ATTRIBUTES}/none"), &ann, None).await.status, 404);
    let roles = "/v1/rooms/demo/roles";
    assert_eq!(send(&server, Method::GET, roles, &ann, None).await.code(), "forbidden");
    act(&server, &host, "r1", &json!({ "type": "role", "user": "mia", "role": "moderator" })).await;
    let roles = send(&server, Method::GET, roles, &host, None).await;
    assert_eq!(roles.body, json!({ "roles": [{ "user": "mia", "role": "moderator" }] }));
}
