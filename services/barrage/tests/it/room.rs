//! A room from the side of its viewers: chain, resume, repair, fallbacks, moderation, drain.

use std::time::Duration;

use barrage_protocol::frame::{RepairOutcome, ServerFrame};
use barrage_protocol::{Class, Sequence};
use barrage_testkit::{Frame, RawSocket, Server, wait};
use serde_json::json;

use crate::support::{self, MESSAGES, chat, paid_gift, start, start_with};

async fn hello(socket: &mut RawSocket) -> barrage_protocol::frame::Hello {
    match socket.next().await {
        Frame::Protocol(ServerFrame::Hello(hello), _) => hello,
        other => panic!("no hello, but {other:?}"),
    }
}

/// Posts a gift and returns its sequence.
async fn gift(server: &Server, token: &str, id: &str) -> u64 {
    let answer = server.post(MESSAGES, token, paid_gift(id)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["sequence"].as_u64().unwrap()
}

#[tokio::test]
async fn resume_delivers_the_missed_messages_in_one_round_trip() {
    let server = start().await;
    let token = server.token("u1", "demo", "viewer").await;
    let mut viewer = RawSocket::join(server.public, "demo", Some(&token), None).await;
    let start = hello(&mut viewer).await;
    assert_eq!(start.user.unwrap().as_str(), "u1");
    let first = gift(&server, &token, "g1").await;
    let batch = viewer.next_batch().await;
    assert_eq!((batch.previous, batch.sequence), (start.sequence, Sequence(first)));
    drop(viewer);
    for n in 2..6 {
        gift(&server, &token, &format!("g{n}")).await;
    }
    let mut viewer = RawSocket::join(server.public, "demo", Some(&token), Some(first)).await;
    let again = hello(&mut viewer).await;
    assert!(again.resume);
    let batch = viewer.next_batch().await;
    let repair = batch.repair.unwrap();
    assert_eq!((repair.outcome, repair.skipped), (RepairOutcome::Complete, 0));
    assert_eq!((batch.previous, batch.sequence), (Sequence(first), again.sequence));
    // Messages of the open batch of the room follow.
    let (mut position, mut missed) = (batch.sequence, batch.messages.len());
    while missed < 4 {
        let batch = viewer.next_batch().await;
        assert_eq!(batch.previous, position);
        position = batch.sequence;
        missed += batch.messages.len();
    }
    assert_eq!((position, missed), (Sequence(first + 4), 4));
    // A repair of a range in the middle.
    viewer.send_text(&json!({ "type": "repair", "after": first + 1, "before": first + 3 }).to_string()).await;
    let part = viewer.next_batch().await;
    assert_eq!(part.messages.iter().map(|m| m.sequence.0).collect::<Vec<_>>(), [first + 2]);
    // A position that the room never had.
    let mut lost = RawSocket::join(server.public, "demo", None, Some(1 << 50)).await;
    hello(&mut lost).await;
    assert_eq!(lost.next_batch().await.repair.unwrap().outcome, RepairOutcome::Gone);
}

#[tokio::test]
async fn repair_beyond_the_kept_chat_has_the_number_of_skipped_messages() {
    let server = start_with(&[("BUS__CHAT_PER_ROOM_MAX", "10")]).await;
    let token = server.token("u1", "demo", "viewer").await;
    gift(&server, &token, "early").await;
    for n in 0..30 {
        let post = chat(&format!("c{n}"), &format!("hello {n}"));
        assert_eq!(server.post(MESSAGES, &token, post).await.status, 200);
    }
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    viewer.send_text(r#"{"type":"repair","after":0,"before":9007199254740991}"#).await;
    let batch = viewer.next_batch().await;
    let repair = batch.repair.unwrap();
    assert_eq!((repair.outcome, repair.skipped), (RepairOutcome::Partial, 20));
    assert_eq!(batch.left_out.chat, 20);
    assert_eq!(batch.messages.iter().filter(|m| m.class == Class::Gift).count(), 1);
    assert_eq!(batch.messages.len(), 11);
}

#[tokio::test]
async fn both_encodings_and_both_fallbacks_deliver_the_same_messages() {
    let server = start().await;
    let token = server.token("u1", "demo", "viewer").await;
    let path = "/v1/rooms/demo/ws";
    let deflate = [("Sec-WebSocket-Protocol", "barrage.v1.deflate")];
    let mut deflated = RawSocket::connect(server.public, path, &deflate).await.unwrap();
    deflated.send_text(r#"{"type":"join"}"#).await;
    let mut plain = RawSocket::join(server.public, "demo", None, None).await;
    hello(&mut deflated).await;
    hello(&mut plain).await;
    let long_poll = tokio::spawn(reqwest_get(format!(
        "http://{}/v1/rooms/demo/poll?after=0&wait_secs=20",
        server.public
    )));
    let posts: Vec<_> = (0..20)
        .map(|n| json!({ "type": "chat", "id": format!("c{n}"), "text": format!("弹幕弹幕 {n}") }))
        .collect();
    let package = json!({ "messages": posts }).to_string();
    let answer = server.post("/v1/rooms/demo/packages", &token, package).await;
    assert_eq!(answer.body["answers"].as_array().unwrap().len(), 20, "{answer:?}");
    let (mut a, mut b) = (Vec::new(), Vec::new());
    while a.len() < 20 {
        a.extend(
            deflated.next_batch().await.messages.into_iter().map(|m| (m.sequence, m.body.get().to_owned())),
        );
    }
    while b.len() < 20 {
        b.extend(
            plain.next_batch().await.messages.into_iter().map(|m| (m.sequence, m.body.get().to_owned())),
        );
    }
    assert_eq!(a, b);
    let woken: serde_json::Value = serde_json::from_str(&long_poll.await.unwrap()).unwrap();
    assert!(
        !woken["messages"].as_array().unwrap().is_empty(),
        "the long poll must answer at the first message"
    );
    let poll = server.get("/v1/rooms/demo/poll?after=0&wait=0").await;
    assert_eq!(poll.body["messages"].as_array().unwrap().len(), 20);
    let events = sse(&server, "/v1/rooms/demo/sse?after=0", 20).await;
    assert!(events.contains("event: hello") && events.contains(&format!("id: {}", a[19].0)), "{events}");
}

async fn reqwest_get(url: String) -> String {
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// Reads events until this many messages have been seen.
async fn sse(server: &Server, path: &str, messages: usize) -> String {
    let mut response = reqwest::get(format!("http://{}{path}", server.public)).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while text.matches("\"class\":\"chat\"").count() < messages {
        let chunk = tokio::time::timeout(Duration::from_secs(10), response.chunk()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream ended")).unwrap());
    }
    text
}

#[tokio::test]
async fn moderation_actions_are_in_force_at_once() {
    let server = start().await;
    let admin = server.token("boss", "*", "admin").await;
    let token = server.token("u1", "demo", "viewer").await;
    let moderator = server.token("m1", "demo", "moderator").await;
    let mut viewer = RawSocket::join(server.public, "demo", Some(&token), None).await;
    hello(&mut viewer).await;
    let chat = |id: &str| support::chat(id, "hi");

    let answer = server.admin("POST", "/rooms/demo/mute", &admin, &json!({ "user": "u1", "secs": 60 })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let muted = server.post(MESSAGES, &token, chat("1")).await;
    assert_eq!((muted.status, muted.code()), (403, "muted"));
    assert!(muted.retry_after.unwrap() > 50);
    // The gateway notifies the muted user until the client acknowledges.
    let notice = loop {
        if let Frame::Protocol(ServerFrame::Notice(notice), _) = viewer.next().await {
            break notice;
        }
    };
    assert!(notice.body.get().contains("\"mute\""));
    let again = loop {
        if let Frame::Protocol(ServerFrame::Notice(notice), _) = viewer.next().await {
            break notice;
        }
    };
    assert_eq!(again.sequence, notice.sequence);
    viewer.send_text(&json!({ "type": "ack", "sequences": [notice.sequence] }).to_string()).await;
    let later = viewer.next_within(Duration::from_secs(4)).await;
    assert!(
        !matches!(later, Some(Frame::Protocol(ServerFrame::Notice(_), _))),
        "an acknowledged notice must not be sent again"
    );
    server.admin("POST", "/rooms/demo/unmute", &admin, &json!({ "user": "u1" })).await;
    assert_eq!(server.post(MESSAGES, &token, chat("2")).await.status, 200);

    server.admin("POST", "/rooms/demo/mute-all", &admin, &json!({ "on": true })).await;
    assert_eq!(server.post(MESSAGES, &token, chat("3")).await.code(), "room_muted");
    assert_eq!(server.post(MESSAGES, &moderator, chat("3")).await.status, 200);
    gift(&server, &token, "g-muted-room").await;
    server.admin("POST", "/rooms/demo/mute-all", &admin, &json!({ "on": false })).await;

    server.admin("POST", "/rooms/demo/slow-mode", &admin, &json!({ "secs": 30 })).await;
    assert_eq!(server.post(MESSAGES, &token, chat("4")).await.status, 200);
    let slow = server.post(MESSAGES, &token, chat("5")).await;
    assert_eq!((slow.status, slow.code()), (429, "slow_mode"));
    assert!((1..=30).contains(&slow.retry_after.unwrap()));

    let recalled = gift(&server, &token, "recalled").await;
    server.admin("POST", "/rooms/demo/recall", &admin, &json!({ "sequence": recalled })).await;
    wait::until_true(Duration::from_secs(10), "a history without the recalled message", async || {
        let history = server.get("/v1/rooms/demo/history?limit=100").await.body;
        let list = history["messages"].as_array().unwrap();
        let has_signal = list.iter().any(|m| m["body"]["signal"] == "recall");
        has_signal && !list.iter().any(|m| m["sequence"] == recalled)
    })
    .await;

    let everywhere = server.admin("POST", "/broadcast", &admin, &json!({ "text": "five minutes" })).await;
    assert_eq!(everywhere.body["rooms"], 1);
    server.admin("POST", "/rooms/demo/kick", &admin, &json!({ "user": "u1", "secs": 60 })).await;
    assert_eq!(viewer.until_closed().await, (Some("kicked".into()), Some(4016)));
    let mut back = RawSocket::join(server.public, "demo", Some(&token), None).await;
    assert_eq!(back.until_closed().await, (Some("kicked".into()), Some(4016)));

    let mut other = RawSocket::joined(server.public, "demo").await;
    server.admin("POST", "/rooms/demo/close", &admin, &json!({})).await;
    assert_eq!(other.until_closed().await, (Some("room_closed".into()), Some(4015)));
    assert_eq!(server.post(MESSAGES, &moderator, chat("9")).await.code(), "room_closed");
}

#[tokio::test]
async fn viewer_switches_rooms_on_one_connection() {
    let server = start().await;
    let admin = server.token("boss", "*", "admin").await;
    let made = server.admin("PUT", "/rooms/other", &admin, &json!({ "title": "另一个房间" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let token = server.token("u1", "*", "viewer").await;
    let mut viewer = RawSocket::join(server.public, "demo", Some(&token), None).await;
    hello(&mut viewer).await;
    viewer.send_text(r#"{"type":"switch","room":"nowhere"}"#).await;
    loop {
        if let Frame::Protocol(ServerFrame::Error(error), _) = viewer.next().await {
            assert_eq!(error.code.label(), "unknown_room");
            break;
        }
    }
    viewer.send_text(r#"{"type":"switch","room":"other"}"#).await;
    let switched = loop {
        if let Frame::Protocol(ServerFrame::Hello(hello), _) = viewer.next().await {
            break hello;
        }
    };
    assert_eq!(switched.room.as_str(), "other");
    gift(&server, &token, "in-demo").await;
    server.post("/v1/rooms/other/messages", &token, chat("c", "here")).await;
    loop {
        let batch = viewer.next_batch().await;
        assert_eq!(batch.room.as_str(), "other");
        if batch.messages.iter().any(|m| m.body.get().contains("here")) {
            break;
        }
    }
}

#[tokio::test]
async fn tunnel_answers_each_request_in_order() {
    let server = start().await;
    let token = server.token("u1", "demo", "viewer").await;
    let framed = |value: &serde_json::Value| {
        let json = value.to_string();
        [&(json.len() as u32).to_be_bytes()[..], json.as_bytes()].concat()
    };
    let post = json!({ "method": "POST", "path": MESSAGES, "token": token, "body": { "type": "chat", "id": "t", "text": "tunnel" } });
    let bad = json!({ "method": "POST", "path": MESSAGES, "token": "x", "body": {} });
    let body = [framed(&post), framed(&post), framed(&bad)].concat();
    let response = reqwest::Client::new()
        .post(format!("http://{}/v1/tunnel", server.public))
        .body(body)
        .send()
        .await
        .unwrap();
    let mut bytes = &response.bytes().await.unwrap()[..];
    let mut answers = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let (json, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        answers.push(serde_json::from_slice::<serde_json::Value>(json).unwrap());
        bytes = rest;
    }
    assert_eq!(answers[0]["body"]["outcome"], "broadcast");
    assert_eq!(answers[1]["body"]["outcome"], "duplicate");
    assert_eq!(
        (&answers[2]["status"], &answers[2]["body"]["error"]["code"]),
        (&json!(401), &json!("unauthorized"))
    );
    for broken in [vec![0, 0], vec![0, 0, 0, 9, b'{'], Vec::new()] {
        assert_eq!(server.post("/v1/tunnel", "", broken).await.code(), "bad_request");
    }
}

#[tokio::test]
async fn shutdown_sends_reconnect_and_all_messages_and_exits_with_0() {
    let mut server = start().await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    let token = server.token("u1", "demo", "viewer").await;
    let sequence = gift(&server, &token, "last").await;
    let reading = tokio::spawn(async move {
        let (mut reconnects, mut newest) = (false, 0);
        loop {
            match viewer.next().await {
                Frame::Protocol(ServerFrame::Reconnect(_), _) => reconnects = true,
                Frame::Protocol(ServerFrame::Batch(batch), _) => newest = batch.sequence.0,
                Frame::Close(code) => return (reconnects, newest, code),
                Frame::End => panic!("the connection ended without a close frame"),
                _ => {}
            }
        }
    });
    assert_eq!(server.stop("INT").await, Some(0));
    assert_eq!(reading.await.unwrap(), (true, sequence, 4300));
}

#[tokio::test]
async fn hottest_rooms_are_named_with_viewers_and_rates() {
    let server = start().await;
    let (admin, host) =
        (server.token("boss", "*", "admin").await, server.token("host", "demo", "host").await);
    let created = server.admin("PUT", "/rooms/top", &admin, &json!({ "title": "Top" })).await;
    assert_eq!((created.status, &created.body["id"]), (201, &json!("top")));
    let mut viewers = Vec::new();
    for _ in 0..3 {
        viewers.push(RawSocket::joined(server.public, "demo").await);
    }
    let mut quiet = RawSocket::joined(server.public, "top").await;
    let mut hottest = serde_json::Value::Null;
    let mut posts = 0;
    wait::until_true(Duration::from_secs(20), "the room among the hottest", async || {
        posts += 1;
        assert_eq!(
            server.post(MESSAGES, &host, chat(&format!("c{posts}"), &format!("hello {posts}"))).await.status,
            200
        );
        hottest = server.admin("GET", "/top-rooms", &admin, &json!(null)).await.body;
        hottest["rooms"][0]["room"] == "demo" && server.metric("barrage_room_top_deliveries").await > 0.0
    })
    .await;
    let (demo, top) = (&hottest["rooms"][0], &hottest["rooms"][1]);
    assert_eq!((&demo["viewers"], &top["heat"]), (&json!(3), &json!("idle")));
    assert!(demo["heat"].is_string(), "by the rate of the posts: {demo}");
    assert!(demo["deliveries_per_s"].as_f64().unwrap() > demo["messages_per_s"].as_f64().unwrap(), "{demo}");
    assert_eq!(
        (&top["room"], &top["viewers"], &top["deliveries_per_s"]),
        (&json!("top"), &json!(1), &json!(0.0))
    );
    quiet.send_text(r#"{"type":"ping"}"#).await;
    let viewer = server.token("u1", "demo", "viewer").await;
    assert_eq!(server.admin("GET", "/top-rooms", &viewer, &json!(null)).await.status, 403);
}
