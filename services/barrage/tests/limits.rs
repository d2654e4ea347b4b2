//! Limits of senders: refusals that say when to come back, the shared sample, sums.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket, Server, ServerOptions};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
const PATH: &str = "/v1/rooms/demo/messages";

async fn limited(limits: &[(&str, &str)]) -> Server {
    let environment = limits
        .iter()
        .map(|(name, value)| (format!("BARRAGE_UPLINK__LIMITS__{name}"), (*value).to_owned()))
        .collect();
    Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await
}

fn chat(id: impl std::fmt::Display) -> String {
    json!({ "type": "chat", "id": id.to_string(), "text": format!("hello {id}") }).to_string()
}

#[tokio::test]
async fn a_refusal_names_its_limit_and_when_to_come_back() {
    let server = limited(&[("USER_PER_S", "2"), ("BURST_SECS", "2")]).await;
    let token = server.token("u1", "demo", "viewer").await;
    for n in 0..4 {
        assert_eq!(server.post(PATH, &token, chat(n)).await.status, 200);
    }
    let refused = server.post(PATH, &token, chat(4)).await;
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"));
    let error = &refused.body["error"];
    assert_eq!((&error["limit"]["rule"], &error["limit"]["scope"]), (&json!("user_per_s"), &json!("user")));
    assert_eq!((&error["limit"]["limit"], &error["limit"]["remaining"]), (&json!(4), &json!(0)));
    let wait_ms = error["retry_after_ms"].as_u64().unwrap();
    assert!((1..=500).contains(&wait_ms), "{wait_ms}");
    assert_eq!(refused.retry_after, Some(1));
    assert_eq!(refused.ratelimit.as_deref(), Some("\"user_per_s\";r=0;t=1"));
    // Another user is not meant; and the wait is the truth.
    let other = server.token("u2", "demo", "viewer").await;
    assert_eq!(server.post(PATH, &other, chat(0)).await.status, 200);
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    assert_eq!(server.post(PATH, &token, chat(5)).await.status, 200);
}

#[tokio::test]
async fn an_address_is_limited_whoever_it_speaks_for() {
    let server = limited(&[("ADDRESS_PER_S", "3"), ("BURST_SECS", "1")]).await;
    let users = [server.token("u1", "demo", "viewer").await, server.token("u2", "demo", "viewer").await];
    let mut answers = Vec::new();
    for n in 0..8 {
        answers.push(server.post(PATH, &users[n % 2], chat(n)).await);
    }
    let hit = answers
        .iter()
        .find(|answer| answer.status == 429)
        .expect("eight posts at once pass a limit of three");
    assert_eq!(hit.body["error"]["limit"]["rule"], "address_per_s");
}

/// Five hundred chats at once into a room that shows 50 a second: some are shown,
/// the rest is held, gifts and moderators pass.
#[tokio::test]
async fn a_room_over_its_display_quota_holds_chat_and_nothing_else() {
    let server = limited(&[("ROOM_DISPLAY_CHAT_PER_S", "50")]).await;
    let token = server.token("u1", "demo", "viewer").await;
    let moderator = server.token("m1", "demo", "moderator").await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    let (mut shown, mut held) = (0, 0);
    for n in 0..500 {
        let answer = server.post(PATH, &token, chat(n)).await;
        assert_eq!(answer.status, 200);
        match answer.body["outcome"].as_str().unwrap() {
            "broadcast" => shown += 1,
            "held" => {
                held += 1;
                assert_eq!(answer.body["limit"]["rule"], "room_display_chat_per_s");
                assert!(answer.body["sequence"].is_null());
            }
            other => panic!("{other}"),
        }
    }
    assert!(shown >= 50 && held >= 100, "{shown} shown, {held} held");
    let gift =
        json!({ "type": "gift", "id": "g", "gift": { "name": "rose", "count": 1, "price_minor": 100 } })
            .to_string();
    assert_eq!(server.post(PATH, &token, gift).await.body["outcome"], "broadcast");
    assert_eq!(server.post(PATH, &moderator, chat("m")).await.body["outcome"], "broadcast");
    // What was held is nowhere: viewers get what was shown, the gift, the moderator.
    let mut got = 0;
    while got < shown + 2 {
        got += viewer.next_batch().await.messages.len();
    }
    assert_eq!(got, shown + 2);
}

/// Ten thousand likes cost a viewer a few small frames.
#[tokio::test]
async fn likes_travel_as_sums() {
    let server = limited(&[]).await;
    let token = server.token("u1", "demo", "viewer").await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    for n in 0..1_000 {
        let like = json!({ "type": "like", "id": format!("l{n}"), "count": 10 }).to_string();
        assert_eq!(server.post(PATH, &token, like).await.status, 200);
    }
    let (mut likes, mut frames) = (0, 0);
    let started = tokio::time::Instant::now();
    while likes < 10_000 {
        if let Frame::Protocol(ServerFrame::Batch(batch), _) = viewer.next().await
            && let Some(pulse) = batch.pulse
            && pulse.likes > 0
        {
            likes += pulse.likes;
            frames += 1;
        }
    }
    assert_eq!(likes, 10_000);
    let seconds = started.elapsed().as_secs() + 10;
    assert!(frames <= seconds, "{frames} frames in {seconds} s");
}

#[tokio::test]
async fn a_name_is_checked_by_the_lists_as_texts_are() {
    let folder = tempfile::tempdir().unwrap();
    let list = |name: &str, words: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, words).unwrap();
        file.display().to_string()
    };
    let lists = format!(
        r#"[{{name="hosts",file="{}",action="refuse",scope="names"}},{{name="abuse",file="{}",action="mask"}}]"#,
        list("hosts", "*admin"),
        list("abuse", "damn"),
    );
    let environment = vec![("BARRAGE_MODERATION__LISTS".to_owned(), lists)];
    let server = Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await;
    let guest = async |name: &str| {
        let answer = server.post("/v1/guest", "", json!({ "name": name }).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["token"].as_str().unwrap().to_owned()
    };
    // Cyrillic letters and a space.
    let impostor = guest("the аdmіn").await;
    let gift = json!({ "type": "gift", "id": "g", "gift": { "name": "rose", "count": 1 } }).to_string();
    for post in [chat("a"), gift] {
        let refused = server.post(PATH, &impostor, post).await;
        assert_eq!((refused.status, refused.code()), (422, "bad_text"), "{refused:?}");
        assert!(refused.body["error"]["message"].as_str().unwrap().contains("your name"), "{refused:?}");
    }
    let masked = guest("damn fan").await;
    assert_eq!(server.post(PATH, &masked, chat("b")).await.body["outcome"], "broadcast");
    let archived = async {
        loop {
            let history = server.get("/v1/rooms/demo/history").await;
            if let Some(message) = history.body["messages"].get(0) {
                return message["body"]["name"].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let name = tokio::time::timeout(Duration::from_secs(20), archived).await.expect("the history is empty");
    assert_eq!(name, "**** fan");
    // The text may say the word that only names may not.
    let said = json!({ "type": "chat", "id": "c", "text": "ask the admin" }).to_string();
    assert_eq!(server.post(PATH, &masked, said).await.body["outcome"], "broadcast");
    let nothing = server.post("/v1/guest", "", json!({ "name": "\u{2800}\u{AD}" }).to_string()).await;
    assert_eq!((nothing.status, nothing.code()), (422, "bad_text"));
}

/// The rule `http.limits.tunnel_per_s` counts what is inside, and that of history, too.
#[tokio::test]
async fn a_tunnel_costs_as_much_as_the_requests_that_it_holds() {
    let environment = [
        ("UNLIMITED_NETWORKS", "[]"),
        ("LIMITS__TUNNEL_PER_S", "20"),
        ("LIMITS__HISTORY_PER_S", "10"),
        ("LIMITS__BURST_SECS", "1"),
    ];
    let environment =
        environment.map(|(name, value)| (format!("BARRAGE_HTTP__{name}"), value.to_owned())).to_vec();
    let server = Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await;
    let inner = json!({ "method": "GET", "path": "/v1/rooms/demo/history?limit=1" }).to_string();
    let mut body = Vec::new();
    for _ in 0..16 {
        body.extend_from_slice(&u32::try_from(inner.len()).unwrap().to_be_bytes());
        body.extend_from_slice(inner.as_bytes());
    }
    let post = async || {
        let request = reqwest::Client::new().post(format!("http://{}/v1/tunnel", server.public));
        request.body(body.clone()).send().await.unwrap()
    };
    let first = post().await;
    assert_eq!(first.status(), 200);
    let first = String::from_utf8_lossy(&first.bytes().await.unwrap()).into_owned();
    let passed = first.matches("\"status\":200").count();
    assert!((10..16).contains(&passed), "{passed} of 16 pages of history, and 10 a second are admitted");
    assert!(first.contains("\"rule\":\"history_per_s\""), "{first}");
    // 16 of 20 are spent; a second gives them back.
    let mut refused = None;
    for _ in 0..20 {
        let answer = post().await;
        if answer.status() == 429 {
            assert!(answer.headers().contains_key("retry-after"));
            refused = Some(answer.text().await.unwrap());
            break;
        }
    }
    let refused = refused.expect("a tunnel is limited");
    assert!(refused.contains("\"rule\":\"tunnel_per_s\""), "{refused}");
}
