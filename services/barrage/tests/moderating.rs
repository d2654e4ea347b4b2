//! What moderators and operators do: restrictions, gifts' rules, recalls, broadcasts, revoked
//! tokens, the audit log, and the bounds of what is read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use barrage_testkit::{Answer, RawSocket, Server, ServerOptions};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
const PATH: &str = "/v1/rooms/demo/messages";
const PATIENCE: Duration = Duration::from_secs(20);

async fn server(environment: &[(&str, &str)]) -> Server {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Server::start(BINARY, ServerOptions { environment: environment.collect(), ..ServerOptions::default() })
        .await
}

fn chat(id: &str, text: &str) -> String {
    json!({ "type": "chat", "id": id, "text": text }).to_string()
}

fn gift(id: &str, name: &str, price_minor: u64) -> String {
    let gift = json!({ "name": name, "count": 1, "price_minor": price_minor });
    json!({ "type": "gift", "id": id, "gift": gift }).to_string()
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

#[tokio::test]
async fn mute_and_kick_stand_apart_and_each_is_lifted_by_its_own_name() {
    let server = server(&[]).await;
    let admin = server.token("boss", "*", "admin").await;
    let token = server.token("u1", "demo", "viewer").await;
    let act = async |verb: &str, body: Value| {
        let answer = server.admin("POST", &format!("/rooms/demo/{verb}"), &admin, &body).await;
        assert_eq!(answer.status, 200, "{verb}: {answer:?}");
        answer.body
    };
    let day = act("mute", json!({ "user": "u1", "secs": 86_400 })).await["until_ms"].as_u64().unwrap();
    act("kick", json!({ "user": "u1", "secs": 1 })).await;
    assert_eq!(server.post(PATH, &token, chat("1", "hi")).await.code(), "kicked");
    let code = until("the kick's end", async || {
        let code = server.post(PATH, &token, chat("1", "hi")).await.code().to_owned();
        (code != "kicked").then_some(code)
    })
    .await;
    assert_eq!(code, "muted", "a kick of a second ended a mute of a day");
    let shorter = act("mute", json!({ "user": "u1", "secs": 5 })).await;
    assert_eq!(shorter["until_ms"], day, "the later end stays");

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
    assert_eq!(server.post(PATH, &token, chat("2", "hi")).await.code(), "kicked", "unmute lifts no kick");
    let history = server_history(&server, &token, "").await;
    assert_eq!((history.status, history.code()), (403, "kicked"));
    act("unkick", json!({ "user": "u1" })).await;
    assert_eq!(server.post(PATH, &token, chat("2", "hi")).await.status, 200);
    assert_eq!(server_history(&server, &token, "").await.status, 200);
}

/// The history with a token; an empty one sends none.
async fn server_history(server: &Server, token: &str, query: &str) -> Answer {
    let url = format!("http://{}/v1/rooms/demo/history{query}", server.public);
    let request = reqwest::Client::new().get(url);
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    Answer { status, body: response.json().await.unwrap(), retry_after: None, ratelimit: None }
}

#[tokio::test]
async fn a_free_gift_is_no_way_round_the_rules() {
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
    let post = async |body: String| server.post(PATH, &token, body).await;

    for name in ["go to http://evil.com", "S\u{200B}c a.m"] {
        let answer = post(gift("g0", name, 0)).await;
        assert_eq!((answer.status, answer.code()), (422, "bad_text"), "{name}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(!message.contains("ban") && !message.contains("list"), "{message}");
    }
    // A combo is no repeated text.
    for n in 0..8 {
        assert_eq!(post(gift(&format!("c{n}"), "rose", 100)).await.body["outcome"], "broadcast");
    }
    // The display quota counts them.
    let mut held = 0;
    for n in 0..60 {
        held += usize::from(post(gift(&format!("f{n}"), "heart", 0)).await.body["outcome"] == "held");
    }
    assert!(held > 0, "60 free gifts at once were shown in a room that shows 5 a second");
    assert_eq!(post(gift("paid", "rose", 100)).await.body["outcome"], "broadcast");
    // A package with a free gift is no way round it, either.
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
async fn gifts_of_a_list_have_its_names_and_prices_and_the_configured_role() {
    let gifts = r#"[{name="rose",price_minor=100},{name="heart",price_minor=0}]"#;
    let server =
        server(&[("BARRAGE_UPLINK__GIFTS", gifts), ("BARRAGE_UPLINK__GIFT_ROLE_MIN", "admin")]).await;
    let viewer = server.token("u1", "demo", "viewer").await;
    let payments = server.token("payments", "demo", "admin").await;
    assert_eq!(server.post(PATH, &viewer, gift("1", "rose", 100)).await.code(), "forbidden");
    assert_eq!(server.post(PATH, &payments, gift("1", "rose", 100)).await.status, 200);
    assert_eq!(server.post(PATH, &payments, gift("2", "rose", 1)).await.code(), "bad_request");
    assert_eq!(server.post(PATH, &viewer, gift("3", "heart", 0)).await.status, 200);
    assert_eq!(server.post(PATH, &viewer, gift("4", "go to evil", 0)).await.code(), "bad_request");
    let amount = json!({
        "type": "super_chat", "id": "s", "text": "x", "amount_minor": 100_000_000_000_u64, "currency": "EUR",
    });
    assert_eq!(server.post(PATH, &payments, amount.to_string()).await.code(), "bad_request");
}

#[tokio::test]
async fn a_recall_of_a_message_that_never_was_is_not_found() {
    let server = server(&[]).await;
    let admin = server.token("boss", "*", "admin").await;
    let token = server.token("u1", "demo", "viewer").await;
    let recall = async |sequence: u64| {
        server.admin("POST", "/rooms/demo/recall", &admin, &json!({ "sequence": sequence })).await
    };
    let sent = server.post(PATH, &token, chat("1", "hi")).await.body["sequence"].as_u64().unwrap();
    for never in [0, sent + 1_000, u64::MAX] {
        let answer = recall(never).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{never}");
    }
    assert_eq!(recall(sent).await.status, 200);
    server.admin("PUT", "/rooms/other", &admin, &json!({})).await;
    let elsewhere = server.admin("POST", "/rooms/other/recall", &admin, &json!({ "sequence": sent })).await;
    assert_eq!(elsewhere.code(), "not_found", "the message is of another room");
}

#[tokio::test]
async fn a_broadcast_reaches_every_open_room_and_once_under_its_id() {
    const ROOMS: usize = 400;
    let server = server(&[("BARRAGE_UPLINK__BROADCAST_ROOMS_AT_ONCE", "32")]).await;
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
async fn every_change_is_in_the_audit_log_with_whom_and_how_long_and_no_text() {
    let server = server(&[]).await;
    let admin = server.token("boss", "*", "admin").await;
    let post = async |path: &str, body: Value| server.admin("POST", path, &admin, &body).await;
    post("/rooms/demo/mute", json!({ "user": "u1", "secs": 60 })).await;
    post("/rooms/demo/recall", json!({ "sequence": 7 })).await;
    post("/broadcast", json!({ "text": "a secret plan" })).await;
    post("/drain", json!({ "within_secs": 60 })).await;
    server.admin("DELETE", "/drain", &admin, &json!(null)).await;
    server.admin("PUT", "/factors", &admin, &json!({ "factors": { "g9": 0.5 } })).await;
    let actions = ["mute", "recall", "broadcast", "drain", "drain", "factors"];
    let lines = until("six lines", async || {
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
async fn a_revoked_token_is_refused_and_a_later_one_is_good() {
    let server = server(&[]).await;
    let admin = server.token("boss", "*", "admin").await;
    let (token, other) =
        (server.token("u1", "demo", "viewer").await, server.token("u2", "demo", "viewer").await);
    assert_eq!(server.post(PATH, &token, chat("1", "hi")).await.status, 200);
    let revoked = server.admin("POST", "/users/u1/revoke", &admin, &json!({})).await;
    assert_eq!((revoked.status, &revoked.body["user"]), (200, &json!("u1")), "{revoked:?}");
    until("the revocation at the keyring", async || {
        (server.post(PATH, &token, chat("2", "hi")).await.status == 401).then_some(())
    })
    .await;
    assert_eq!(server.post(PATH, &other, chat("1", "hi")).await.status, 200);
    until("a good token of a later second", async || {
        let later = server.token("u1", "demo", "viewer").await;
        (server.post(PATH, &later, chat("3", "hi")).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(
        server.admin("POST", "/tokens/revoke", &admin, &json!({ "all": false })).await.code(),
        "bad_request"
    );
    assert_eq!(server.admin("POST", "/tokens/revoke", &admin, &json!({ "all": true })).await.status, 200);
    until("all tokens", async || {
        (server.post(PATH, &other, chat("2", "hi")).await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_history_and_the_tunnel_are_bounded_in_bytes_and_say_where_they_go_on() {
    const BYTES_MAX: usize = 16_384;
    let server = server(&[("BARRAGE_UPLINK__ANSWER_BYTES_MAX", "16384")]).await;
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
    until("the archive", async || {
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
