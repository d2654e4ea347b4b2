//! Limits of senders: refusals with a retry time, the display quota of a room, sums of likes.

use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket, wait};
use serde_json::json;

use crate::support::{self, MESSAGES, gift, paid_gift, start_with};

fn chat(id: impl std::fmt::Display) -> String {
    support::chat(&id.to_string(), &format!("hello {id}"))
}

#[tokio::test]
async fn refusal_has_limit_scope_and_retry_time() {
    let server =
        start_with(&[("UPLINK__LIMITS__USER_PER_S", "2"), ("UPLINK__LIMITS__BURST_SECS", "2")]).await;
    let token = server.token("u1", "demo", "viewer").await;
    for n in 0..4 {
        assert_eq!(server.post(MESSAGES, &token, chat(n)).await.status, 200);
    }
    let refused = server.post(MESSAGES, &token, chat(4)).await;
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"));
    let error = &refused.body["error"];
    assert_eq!((&error["limit"]["rule"], &error["limit"]["scope"]), (&json!("user_per_s"), &json!("user")));
    assert_eq!((&error["limit"]["limit"], &error["limit"]["remaining"]), (&json!(4), &json!(0)));
    let wait_ms = error["retry_after_ms"].as_u64().unwrap();
    assert!((1..=500).contains(&wait_ms), "{wait_ms}");
    assert_eq!(refused.retry_after, Some(1));
    assert_eq!(refused.ratelimit.as_deref(), Some("\"user_per_s\";r=0;t=1"));
    // The limit does not affect another user, and ends after the retry time.
    let other = server.token("u2", "demo", "viewer").await;
    assert_eq!(server.post(MESSAGES, &other, chat(0)).await.status, 200);
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    assert_eq!(server.post(MESSAGES, &token, chat(5)).await.status, 200);
}

#[tokio::test]
async fn address_limit_counts_the_posts_of_all_users() {
    let server =
        start_with(&[("UPLINK__LIMITS__ADDRESS_PER_S", "3"), ("UPLINK__LIMITS__BURST_SECS", "1")]).await;
    let users = [server.token("u1", "demo", "viewer").await, server.token("u2", "demo", "viewer").await];
    let mut answers = Vec::new();
    for n in 0..8 {
        answers.push(server.post(MESSAGES, &users[n % 2], chat(n)).await);
    }
    let hit = answers
        .iter()
        .find(|answer| answer.status == 429)
        .expect("eight posts at once pass a limit of three");
    assert_eq!(hit.body["error"]["limit"]["rule"], "address_per_s");
}

/// 500 chats at once go to a room that shows 50 a second.
#[tokio::test]
async fn room_over_its_display_quota_holds_chat_of_viewers_alone() {
    let server = start_with(&[("UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "50")]).await;
    let token = server.token("u1", "demo", "viewer").await;
    let moderator = server.token("m1", "demo", "moderator").await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    let (mut shown, mut held) = (0, 0);
    for n in 0..500 {
        let answer = server.post(MESSAGES, &token, chat(n)).await;
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
    assert_eq!(server.post(MESSAGES, &token, paid_gift("g")).await.body["outcome"], "broadcast");
    assert_eq!(server.post(MESSAGES, &moderator, chat("m")).await.body["outcome"], "broadcast");
    // Viewers get the shown chats, the gift and the chat of the moderator.
    let mut got = 0;
    while got < shown + 2 {
        got += viewer.next_batch().await.messages.len();
    }
    assert_eq!(got, shown + 2);
}

/// 1,000 posts of ten likes each.
#[tokio::test]
async fn likes_reach_a_viewer_as_one_sum_a_second() {
    let server = start_with(&[]).await;
    let token = server.token("u1", "demo", "viewer").await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    for n in 0..1_000 {
        let like = json!({ "type": "like", "id": format!("l{n}"), "count": 10 }).to_string();
        assert_eq!(server.post(MESSAGES, &token, like).await.status, 200);
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
async fn word_lists_check_names_of_senders_too() {
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
    let server = start_with(&[("MODERATION__LISTS", &lists)]).await;
    let guest = async |name: &str| {
        let answer = server.post("/v1/guest", "", json!({ "name": name }).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["token"].as_str().unwrap().to_owned()
    };
    // The name has Cyrillic letters and a space.
    let impostor = guest("the аdmіn").await;
    for post in [chat("a"), gift("g")] {
        let refused = server.post(MESSAGES, &impostor, post).await;
        assert_eq!((refused.status, refused.code()), (422, "bad_text"), "{refused:?}");
        assert!(refused.body["error"]["message"].as_str().unwrap().contains("your name"), "{refused:?}");
    }
    let masked = guest("damn fan").await;
    assert_eq!(server.post(MESSAGES, &masked, chat("b")).await.body["outcome"], "broadcast");
    let name = wait::until(Duration::from_secs(20), "a message in the history", async || {
        let history = server.get("/v1/rooms/demo/history").await;
        Some(history.body["messages"].get(0)?["body"]["name"].clone())
    })
    .await;
    assert_eq!(name, "**** fan");
    // A list for names alone does not apply to texts.
    let text = support::chat("c", "ask the admin");
    assert_eq!(server.post(MESSAGES, &masked, text).await.body["outcome"], "broadcast");
    let empty = server.post("/v1/guest", "", json!({ "name": "\u{2800}\u{AD}" }).to_string()).await;
    assert_eq!((empty.status, empty.code()), (422, "bad_text"));
}

/// The requests inside count against `tunnel_per_s` and against `history_per_s`.
#[tokio::test]
async fn tunnel_costs_as_much_as_its_requests() {
    let server = start_with(&[
        ("HTTP__UNLIMITED_NETWORKS", "[]"),
        ("HTTP__LIMITS__TUNNEL_PER_S", "20"),
        ("HTTP__LIMITS__HISTORY_PER_S", "10"),
        ("HTTP__LIMITS__BURST_SECS", "1"),
    ])
    .await;
    let mut body = Vec::new();
    // A fragment is no part of the path, and no way past its limit.
    for path in ["/v1/rooms/demo/history?limit=1", "/v1/rooms/demo/history#x"].repeat(8) {
        let inner = json!({ "method": "GET", "path": path }).to_string();
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
    assert!((10..16).contains(&passed), "{passed} of 16 history pages passed a limit of 10 a second");
    assert!(first.contains("\"rule\":\"history_per_s\""), "{first}");
    // 16 of 20 tokens are spent.
    let mut refused = None;
    for _ in 0..20 {
        let answer = post().await;
        if answer.status() == 429 {
            assert!(answer.headers().contains_key("retry-after"));
            refused = Some(answer.text().await.unwrap());
            break;
        }
    }
    let refused = refused.expect("a tunnel over its limit must be refused");
    assert!(refused.contains("\"rule\":\"tunnel_per_s\""), "{refused}");
}
