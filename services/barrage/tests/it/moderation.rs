//! Actions of moderators and operators: restrictions, rules for gifts, recalls, broadcasts, revoked
//! tokens, the audit log, and bounds of answers.

use std::time::Duration;

use barrage_testkit::{Answer, RawSocket, Server, ServerOptions, wait};
use serde_json::{Value, json};

use crate::support::{BINARY, MESSAGES, chat, start, start_with};

/// Longest wait for a state that another task reaches.
const STATE_MAX: Duration = Duration::from_secs(20);

fn gift(id: &str, name: &str, price_minor: u64) -> String {
    let gift = json!({ "name": name, "count": 1, "price_minor": price_minor });
    json!({ "type": "gift", "id": id, "gift": gift }).to_string()
}

#[tokio::test]
async fn mute_and_kick_are_independent_restrictions() {
    let server = start().await;
    let admin = server.token("boss", "*", "admin").await;
    let token = server.token("u1", "demo", "viewer").await;
    let act = async |verb: &str, body: Value| {
        let answer = server.admin("POST", &format!("/rooms/demo/{verb}"), &admin, &body).await;
        assert_eq!(answer.status, 200, "{verb}: {answer:?}");
        answer.body
    };
    let day = act("mute", json!({ "user": "u1", "secs": 86_400 })).await["until_ms"].as_u64().unwrap();
    act("kick", json!({ "user": "u1", "secs": 1 })).await;
    assert_eq!(server.post(MESSAGES, &token, chat("1", "hi")).await.code(), "kicked");
    let code = wait::until(STATE_MAX, "the end of the kick", async || {
        let code = server.post(MESSAGES, &token, chat("1", "hi")).await.code().to_owned();
        (code != "kicked").then_some(code)
    })
    .await;
    assert_eq!(code, "muted", "the end of a kick must not end a mute");
    let shorter = act("mute", json!({ "user": "u1", "secs": 5 })).await;
    assert_eq!(shorter["until_ms"], day, "a shorter mute must not replace a longer one");

    act("kick", json!({ "user": "u1", "secs": 600 })).await;
    act("mute", json!({ "user": "u2", "secs": 600 })).await;
    let listed = server.admin("GET", "/rooms/demo/restrictions", &admin, &json!(null)).await.body;
    let users: Vec<_> = listed["restrictions"].as_array().unwrap().iter().map(|it| &it["user"]).collect();
    assert_eq!(users, ["u1", "u2"]);
    assert!(listed["restrictions"][0]["kicked_until"].as_str().unwrap().ends_with('Z'));
    assert!(listed["restrictions"][0]["muted_until"].is_string());
    assert!(listed["restrictions"][1]["kicked_until"].is_null());
    let page = server.admin("GET", "/rooms/demo/restrictions?limit=1", &admin, &json!(null)).await.body;
    assert_eq!(page["next_after"], "u1");
    let page =
        server.admin("GET", "/rooms/demo/restrictions?limit=1&after=u1", &admin, &json!(null)).await.body;
    assert_eq!((&page["restrictions"][0]["user"], &page["next_after"]), (&json!("u2"), &Value::Null));

    act("unmute", json!({ "user": "u1" })).await;
    assert_eq!(
        server.post(MESSAGES, &token, chat("2", "hi")).await.code(),
        "kicked",
        "unmute must not lift a kick"
    );
    let refused = history(&server, &token, "").await;
    assert_eq!((refused.status, refused.code()), (403, "kicked"));
    act("unkick", json!({ "user": "u1" })).await;
    assert_eq!(server.post(MESSAGES, &token, chat("2", "hi")).await.status, 200);
    assert_eq!(history(&server, &token, "").await.status, 200);
}

/// Reads the history with a token; an empty token is not sent.
async fn history(server: &Server, token: &str, query: &str) -> Answer {
    let url = format!("http://{}/v1/rooms/demo/history{query}", server.public);
    let request = reqwest::Client::new().get(url);
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    Answer { status, body: response.json().await.unwrap(), retry_after: None, ratelimit: None }
}

#[tokio::test]
async fn free_gifts_obey_the_rules_for_chat() {
    let folder = tempfile::tempdir().unwrap();
    let (words, config) = (folder.path().join("words.txt"), folder.path().join("barrage.toml"));
    std::fs::write(&words, "scam\n").unwrap();
    let text = format!(
        "[[moderation.lists]]\nname = \"ban\"\nfile = {words:?}\naction = \"refuse\"\n\
         [moderation.links]\naction = \"refuse\"\n[uplink.limits]\nroom_display_chat_per_s = 5\n"
    );
    std::fs::write(&config, text).unwrap();
    let options = ServerOptions {
        arguments: vec!["--config".into(), config.to_string_lossy().into_owned()],
        environment: vec![("BARRAGE_UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S".into(), "5".into())],
        ..ServerOptions::default()
    };
    let server = Server::start(BINARY, options).await;
    let admin = server.token("boss", "*", "admin").await;
    let token = server.token("u1", "demo", "viewer").await;
    let post = async |body: String| server.post(MESSAGES, &token, body).await;

    for name in ["go to http://evil.com", "S\u{200B}c a.m"] {
        let answer = post(gift("g0", name, 0)).await;
        assert_eq!((answer.status, answer.code()), (422, "bad_text"), "{name}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(!message.contains("ban") && !message.contains("list"), "{message}");
    }
    // A combo does not count as a repeated text.
    for n in 0..8 {
        assert_eq!(post(gift(&format!("c{n}"), "rose", 100)).await.body["outcome"], "broadcast");
    }
    // Free gifts count against the display quota.
    let mut held = 0;
    for n in 0..60 {
        held += usize::from(post(gift(&format!("f{n}"), "heart", 0)).await.body["outcome"] == "held");
    }
    assert!(held > 0, "a room that shows 5 a second showed 60 free gifts at once");
    assert_eq!(post(gift("paid", "rose", 100)).await.body["outcome"], "broadcast");
    // Mute-all and slow mode apply to free gifts as well.
    server.admin("POST", "/rooms/demo/mute-all", &admin, &json!({ "on": true })).await;
    assert_eq!(post(gift("m1", "heart", 0)).await.code(), "room_muted");
    assert_eq!(post(gift("m2", "rose", 100)).await.body["outcome"], "broadcast");
    server.admin("POST", "/rooms/demo/mute-all", &admin, &json!({ "on": false })).await;
    server.admin("POST", "/rooms/demo/slow-mode", &admin, &json!({ "secs": 60 })).await;
    let codes = [post(gift("s1", "heart", 0)).await, post(gift("s2", "heart", 0)).await];
    assert_eq!(codes[1].code(), "slow_mode", "{codes:?}");
    server.admin("POST", "/rooms/demo/slow-mode", &admin, &json!({ "secs": 0 })).await;
    server.admin("PUT", "/switches/hold-chat", &admin, &json!({ "value": true })).await;
    let answer = post(gift("h1", "heart", 0)).await;
    assert_eq!(
        (&answer.body["outcome"], &answer.body["limit"]["rule"]),
        (&json!("held"), &json!("switch:hold-chat"))
    );
}

#[tokio::test]
async fn gifts_must_have_the_names_prices_and_role_of_the_configuration() {
    let gifts = r#"[{name="rose",price_minor=100},{name="heart",price_minor=0}]"#;
    let server = start_with(&[("UPLINK__GIFTS", gifts), ("UPLINK__GIFT_ROLE_MIN", "admin")]).await;
    let viewer = server.token("u1", "demo", "viewer").await;
    let payments = server.token("payments", "demo", "admin").await;
    assert_eq!(server.post(MESSAGES, &viewer, gift("1", "rose", 100)).await.code(), "forbidden");
    assert_eq!(server.post(MESSAGES, &payments, gift("1", "rose", 100)).await.status, 200);
    assert_eq!(server.post(MESSAGES, &payments, gift("2", "rose", 1)).await.code(), "bad_request");
    assert_eq!(server.post(MESSAGES, &viewer, gift("3", "heart", 0)).await.status, 200);
    assert_eq!(server.post(MESSAGES, &viewer, gift("4", "go to evil", 0)).await.code(), "bad_request");
    let amount = json!({
        "type": "super_chat", "id": "s", "text": "x", "amount_minor": 100_000_000_000_u64, "currency": "EUR",
    });
    assert_eq!(server.post(MESSAGES, &payments, amount.to_string()).await.code(), "bad_request");
}

#[tokio::test]
async fn recall_of_an_unknown_message_is_not_found() {
    let server = start().await;
    let admin = server.token("boss", "*", "admin").await;
    let token = server.token("u1", "demo", "viewer").await;
    let recall = async |sequence: u64| {
        server.admin("POST", "/rooms/demo/recall", &admin, &json!({ "sequence": sequence })).await
    };
    let sent = server.post(MESSAGES, &token, chat("1", "hi")).await.body["sequence"].as_u64().unwrap();
    for never in [0, sent + 1_000, u64::MAX] {
        let answer = recall(never).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{never}");
    }
    assert_eq!(recall(sent).await.status, 200);
    server.admin("PUT", "/rooms/other", &admin, &json!({})).await;
    let elsewhere = server.admin("POST", "/rooms/other/recall", &admin, &json!({ "sequence": sent })).await;
    assert_eq!(elsewhere.code(), "not_found", "the message belongs to another room");
}

#[tokio::test]
async fn broadcast_reaches_each_open_room_once_per_id() {
    const ROOMS: usize = 400;
    let server = start_with(&[("UPLINK__BROADCAST_ROOMS_AT_ONCE", "32")]).await;
    let admin = server.token("boss", "*", "admin").await;
    for n in 0..ROOMS {
        assert_eq!(server.admin("PUT", &format!("/rooms/r{n}"), &admin, &json!({})).await.status, 201);
    }
    server.admin("POST", "/rooms/r7/close", &admin, &json!({})).await;
    let mut viewers =
        [RawSocket::joined(server.public, "demo").await, RawSocket::joined(server.public, "r399").await];
    let say = json!({ "text": "five minutes", "id": "b-1" });
    let answer = server.admin("POST", "/broadcast", &admin, &say).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.body,
        json!({
            "id": "b-1", "rooms": ROOMS, "reached": ROOMS, "repeated": 0, "failed": 0, "failures": [],
        })
    );
    for viewer in &mut viewers {
        assert!(viewer.next_batch().await.messages[0].body.get().contains("five minutes"));
    }
    let again = server.admin("POST", "/broadcast", &admin, &say).await;
    assert_eq!((&again.body["reached"], &again.body["repeated"]), (&json!(0), &json!(ROOMS)));
    let other = server.admin("POST", "/broadcast", &admin, &json!({ "text": "now", "id": "b-1" })).await;
    assert_eq!((other.status, other.code()), (409, "conflict"));
    let without = server.admin("POST", "/broadcast", &admin, &json!({ "text": "now" })).await;
    assert_eq!(without.body["reached"], json!(ROOMS));
    assert!(without.body["id"].as_str().unwrap().starts_with("broadcast-"));
}

#[tokio::test]
async fn audit_log_has_each_action_with_user_and_duration_without_texts() {
    let server = start().await;
    let admin = server.token("boss", "*", "admin").await;
    let post = async |path: &str, body: Value| server.admin("POST", path, &admin, &body).await;
    post("/rooms/demo/mute", json!({ "user": "u1", "secs": 60 })).await;
    post("/rooms/demo/recall", json!({ "sequence": 7 })).await;
    post("/broadcast", json!({ "text": "a secret plan" })).await;
    post("/drain", json!({ "within_secs": 60 })).await;
    server.admin("DELETE", "/drain", &admin, &json!(null)).await;
    server.admin("PUT", "/factors", &admin, &json!({ "factors": { "g9": 0.5 } })).await;
    let actions = ["mute", "recall", "broadcast", "drain", "drain", "factors"];
    let lines = wait::until(STATE_MAX, "six lines in the audit log", async || {
        let page = server.admin("GET", "/audit", &admin, &json!(null)).await.body;
        let lines = page["lines"].as_array().unwrap().clone();
        (lines.len() >= actions.len()).then_some(lines)
    })
    .await;
    let oldest_first: Vec<_> = lines.iter().rev().collect();
    assert_eq!(oldest_first.iter().map(|line| &line["action"]).collect::<Vec<_>>(), actions);
    assert!(oldest_first.iter().all(|line| line["actor"] == "boss" && line["at"].is_string()));
    let mute = oldest_first[0];
    assert_eq!(
        (&mute["user"], &mute["room"], &mute["detail"]["body"]["secs"]),
        (&json!("u1"), &json!("demo"), &json!(60))
    );
    let recall = &oldest_first[1]["detail"];
    assert_eq!((&recall["body"]["sequence"], &recall["status"]), (&json!(7), &json!(404)));
    let text = &oldest_first[2]["detail"]["body"]["text"];
    assert_eq!((text["sha256"].as_str().unwrap().len(), &text["chars"]), (64, &json!(13)));
    assert!(!json!(lines).to_string().contains("secret plan"));
    assert_eq!(oldest_first[4]["detail"]["method"], "DELETE");
}

#[tokio::test]
async fn revoked_tokens_are_refused_and_later_ones_accepted() {
    let server = start().await;
    let admin = server.token("boss", "*", "admin").await;
    let (token, other) =
        (server.token("u1", "demo", "viewer").await, server.token("u2", "demo", "viewer").await);
    assert_eq!(server.post(MESSAGES, &token, chat("1", "hi")).await.status, 200);
    let revoked = server.admin("POST", "/users/u1/revoke", &admin, &json!({})).await;
    assert_eq!((revoked.status, &revoked.body["user"]), (200, &json!("u1")), "{revoked:?}");
    wait::until(STATE_MAX, "the revocation at the keyring", async || {
        (server.post(MESSAGES, &token, chat("2", "hi")).await.status == 401).then_some(())
    })
    .await;
    assert_eq!(server.post(MESSAGES, &other, chat("1", "hi")).await.status, 200);
    wait::until(STATE_MAX, "a token that was issued after the revocation", async || {
        let later = server.token("u1", "demo", "viewer").await;
        (server.post(MESSAGES, &later, chat("3", "hi")).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(
        server.admin("POST", "/tokens/revoke", &admin, &json!({ "all": false })).await.code(),
        "bad_request"
    );
    assert_eq!(server.admin("POST", "/tokens/revoke", &admin, &json!({ "all": true })).await.status, 200);
    wait::until(STATE_MAX, "the revocation of all tokens", async || {
        (server.post(MESSAGES, &other, chat("2", "hi")).await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn history_and_tunnel_answers_are_bounded_and_name_the_next_page() {
    const BYTES_MAX: usize = 16_384;
    let server = start_with(&[("UPLINK__ANSWER_BYTES_MAX", "16384")]).await;
    let token = server.token("u1", "demo", "host").await;
    let text = "弹".repeat(180);
    for package in 0..2 {
        let messages: Vec<_> = (0..50)
            .map(
                |n| json!({ "type": "chat", "id": format!("c{package}-{n}"), "text": format!("{n} {text}") }),
            )
            .collect();
        let answer =
            server.post("/v1/rooms/demo/packages", &token, json!({ "messages": messages }).to_string());
        assert_eq!(answer.await.status, 200);
    }
    wait::until(STATE_MAX, "the newest chat in the archive", async || {
        let newest = server.get("/v1/rooms/demo/history?limit=1").await.body;
        let body = &newest["messages"][0]["body"];
        (body["id"] == "c1-49").then_some(())
    })
    .await;
    let (mut seen, mut query) = (Vec::new(), "?after=0&limit=1000".to_owned());
    loop {
        let page = server.get(&format!("/v1/rooms/demo/history{query}")).await.body;
        assert!(page.to_string().len() <= BYTES_MAX, "{} bytes", page.to_string().len());
        seen.extend(page["messages"].as_array().unwrap().iter().map(|it| it["sequence"].as_u64().unwrap()));
        if page["more"] == false {
            break;
        }
        query = format!("?limit=1000&after={}", page["next"]["after"]);
    }
    assert!(seen.len() == 100 && seen.is_sorted(), "{seen:?}");
    let newest = server.get("/v1/rooms/demo/history?limit=1000").await.body;
    let first = newest["messages"][0]["sequence"].clone();
    assert_eq!((&newest["more"], &newest["next"]["before"]), (&json!(true), &first));
    assert_eq!(newest["messages"].as_array().unwrap().last().unwrap()["sequence"], *seen.last().unwrap());

    let get = json!({ "method": "GET", "path": "/v1/rooms/demo/history?after=0&limit=1000" }).to_string();
    let framed = [&(get.len() as u32).to_be_bytes()[..], get.as_bytes()].concat();
    let url = format!("http://{}/v1/tunnel", server.public);
    let response = reqwest::Client::new().post(url).body(framed.repeat(16)).send().await.unwrap();
    let bytes = response.bytes().await.unwrap();
    assert!(bytes.len() <= BYTES_MAX + 16 * 256, "{} bytes", bytes.len());
    let (mut rest, mut statuses) = (&bytes[..], Vec::new());
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (answer, after) = after.split_at(u32::from_be_bytes(*len) as usize);
        statuses.push(serde_json::from_slice::<Value>(answer).unwrap()["status"].as_u64().unwrap());
        rest = after;
    }
    assert_eq!((statuses.len(), statuses[0], statuses[15]), (16, 200, 503), "{statuses:?}");
}
