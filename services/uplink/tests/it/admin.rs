//! Admin calls, and their effect on posts.

use barrage_testkit::wait;
use barrage_token::Role;
use barrage_uplink::UplinkConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{PATIENCE, Site};

const ANN: (&str, Role) = ("ann", Role::Viewer);
const BOSS: (&str, Role) = ("boss", Role::Admin);

async fn admin(site: &Site, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    site.call(BOSS, method, &format!("/v1/admin/{path}"), body).await
}

async fn chat(site: &Site, id: &str) -> (StatusCode, Value) {
    let post = json!({ "type": "chat", "id": id, "text": format!("text {id}") });
    site.call(ANN, Method::POST, "/v1/rooms/demo/messages", post).await
}

#[tokio::test]
async fn muted_or_kicked_user_is_refused_until_the_restriction_is_lifted() {
    let site = Site::start(UplinkConfig::default()).await;
    for (set, lift, code) in [("mute", "unmute", "muted"), ("kick", "unkick", "kicked")] {
        let restrict = json!({ "user": "ann", "secs": 60 });
        let (status, answer) = admin(&site, Method::POST, &format!("rooms/demo/{set}"), restrict).await;
        assert_eq!((status, answer.get("sequence").is_some()), (StatusCode::OK, set == "kick"), "{answer}");
        assert_eq!(chat(&site, set).await.1["error"]["code"], code);
        let (_, listed) = admin(&site, Method::GET, "rooms/demo/restrictions", Value::Null).await;
        assert_eq!(listed["restrictions"][0]["user"], "ann", "{listed}");
        let path = format!("rooms/demo/{lift}");
        let (status, _) = admin(&site, Method::POST, &path, json!({ "user": "ann" })).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(chat(&site, lift).await.0, StatusCode::OK);
    }
    let forever = json!({ "user": "ann", "secs": 400_000_000 });
    assert_eq!(admin(&site, Method::POST, "rooms/demo/mute", forever).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn room_is_created_muted_and_closed() {
    let site = Site::start(UplinkConfig::default()).await;
    let put = async |body| admin(&site, Method::PUT, "rooms/new", body).await;
    assert_eq!(put(json!({ "title": "New" })).await.0, StatusCode::CREATED);
    assert_eq!(put(json!({ "title": "Newer" })).await.0, StatusCode::OK);
    let (_, listed) = admin(&site, Method::GET, "rooms", Value::Null).await;
    assert_eq!(listed["rooms"][1]["title"], "Newer", "{listed}");
    admin(&site, Method::POST, "rooms/demo/mute-all", json!({ "on": true })).await;
    assert_eq!(chat(&site, "m1").await.1["error"]["code"], "room_muted");
    admin(&site, Method::POST, "rooms/demo/close", Value::Null).await;
    assert_eq!(chat(&site, "m2").await.1["error"]["code"], "room_closed");
    let missing = admin(&site, Method::POST, "rooms/nowhere/close", Value::Null).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn recall_needs_a_message_of_the_room() {
    let site = Site::start(UplinkConfig::default()).await;
    let sequence = chat(&site, "m1").await.1["sequence"].clone();
    let recall = async |sequence: Value| {
        admin(&site, Method::POST, "rooms/demo/recall", json!({ "sequence": sequence })).await.0
    };
    assert_eq!(recall(sequence).await, StatusCode::OK);
    assert_eq!(recall(json!(999)).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn announcement_reaches_open_rooms_once_under_its_id() {
    let site = Site::start(UplinkConfig::default()).await;
    let announcement = json!({ "text": "soon", "id": "b1" });
    let (status, answer) = admin(&site, Method::POST, "broadcast", announcement.clone()).await;
    assert_eq!((status, &answer["reached"]), (StatusCode::OK, &json!(1)));
    let (_, again) = admin(&site, Method::POST, "broadcast", announcement).await;
    assert_eq!((&again["reached"], &again["repeated"]), (&json!(0), &json!(1)));
    assert_eq!(site.messages().await.len(), 1);
}

#[tokio::test]
async fn revoked_tokens_of_a_user_are_named_with_a_time() {
    let site = Site::start(UplinkConfig::default()).await;
    let (status, answer) = admin(&site, Method::POST, "users/ann/revoke", Value::Null).await;
    assert_eq!((status, answer["before"].as_str().unwrap().len()), (StatusCode::OK, 20), "{answer}");
    let all = admin(&site, Method::POST, "tokens/revoke", json!({ "all": false })).await;
    assert_eq!(all.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn switch_holds_likes_and_unknown_switch_is_not_found() {
    let site = Site::start(UplinkConfig::default()).await;
    let set = admin(&site, Method::PUT, "switches/no-likes", json!({ "value": true })).await;
    assert_eq!(set.0, StatusCode::OK);
    let like = json!({ "type": "like", "id": "l1", "count": 1 });
    let (_, answer) = site.call(ANN, Method::POST, "/v1/rooms/demo/messages", like).await;
    assert_eq!((&answer["outcome"], &answer["limit"]["rule"]), (&json!("held"), &json!("switch:no-likes")));
    let unknown = admin(&site, Method::PUT, "switches/nothing", json!({ "value": true })).await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn why_and_audit_explain_posts_and_calls() {
    let site = Site::start(UplinkConfig::default()).await;
    chat(&site, "m1").await;
    let (_, why) = admin(&site, Method::GET, "why/m1", Value::Null).await;
    assert_eq!(why["posts"][0]["outcome"], "broadcast", "{why}");
    assert_eq!(why["posts"][0]["steps"][0]["word"], "pass", "{why}");
    assert_eq!(admin(&site, Method::GET, "why/m2", Value::Null).await.0, StatusCode::NOT_FOUND);
    let dump = admin(&site, Method::GET, "recorder/uplink?room=demo", Value::Null).await;
    assert_eq!(dump.0, StatusCode::OK);
    admin(&site, Method::POST, "rooms/demo/slow-mode", json!({ "secs": 5 })).await;
    let line = wait::until(PATIENCE, "a line of the audit log", async || {
        let (_, audit) = admin(&site, Method::GET, "audit?room=demo", Value::Null).await;
        audit["lines"].get(0).cloned()
    });
    let line = line.await;
    assert_eq!((&line["action"], &line["actor"]), (&json!("slow-mode"), &json!("boss")), "{line}");
}

#[tokio::test]
async fn custom_event_reaches_the_room_once_under_its_id() {
    let site = Site::start(UplinkConfig::default()).await;
    let send = async |path: &str, event: Value| admin(&site, Method::POST, path, event).await;
    let event =
        json!({ "id": "e1", "event": "shop.card", "class": "gift", "data": { "item": "\u{2028}42" } });
    let (status, first) = send("rooms/demo/events", event.clone()).await;
    assert_eq!((status, &first["duplicate"]), (StatusCode::OK, &json!(false)), "{first}");
    let (_, again) = send("rooms/demo/events", event).await;
    assert_eq!((&again["duplicate"], &again["sequence"]), (&json!(true), &first["sequence"]));
    let messages = site.messages().await;
    let body: Value = serde_json::from_slice(&messages[0].body).unwrap();
    assert_eq!((messages.len(), messages[0].class.label()), (1, "gift"));
    assert_eq!((&body["type"], &body["data"]["item"]), (&json!("event"), &json!("\u{2028}42")));
    let bad = |change: Value| {
        let mut event = json!({ "id": "e1", "event": "shop.card", "class": "chat" });
        event.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        event
    };
    for (path, change, code) in [
        ("rooms/demo/events", json!({ "data": 2 }), "conflict"),
        ("rooms/demo/events", json!({ "id": "e2", "event": "card" }), "bad_request"),
        ("rooms/demo/events", json!({ "id": "e2", "event": "barrage.card" }), "bad_request"),
        ("rooms/demo/events", json!({ "id": "e2", "class": "pulse" }), "bad_request"),
        ("rooms/demo/events", json!({ "id": "e2", "data": "x".repeat(4_096) }), "too_large"),
        ("rooms/demo/events", json!({ "id": "e2", "to": "ann" }), "bad_request"),
        ("rooms/none/events", json!({ "id": "e2" }), "unknown_room"),
        ("rooms/barrage-probe/events", json!({ "id": "e2" }), "forbidden"),
    ] {
        let (_, answer) = send(path, bad(change.clone())).await;
        assert_eq!(answer["error"]["code"], code, "{change}: {answer}");
    }
    admin(&site, Method::POST, "rooms/demo/close", Value::Null).await;
    let (_, closed) = send("rooms/demo/events", bad(json!({ "id": "e3" }))).await;
    assert_eq!(closed["error"]["code"], "room_closed");
}

#[tokio::test]
async fn a_sender_of_events_has_the_rights_of_the_configuration_alone() {
    let senders = r#"[{ "user": "shop", "namespaces": ["shop"], "classes": ["chat"], "rooms": ["demo"] }]"#;
    let config =
        UplinkConfig { event_senders: serde_json::from_str(senders).unwrap(), ..UplinkConfig::default() };
    let site = Site::start(config).await;
    admin(&site, Method::PUT, "rooms/other", json!({ "title": "Other" })).await;
    let send = async |user, room: &str, event: &str, class: &str| {
        let body = json!({ "id": "e1", "event": event, "class": class });
        let path = format!("/v1/admin/rooms/{room}/events");
        site.call((user, Role::Admin), Method::POST, &path, body).await
    };
    assert_eq!(send("shop", "demo", "shop.card", "chat").await.0, StatusCode::OK);
    for (user, room, event, class, reason) in [
        ("shop", "demo", "score.set", "chat", "types of shop, and not score.set"),
        ("shop", "demo", "shop.card", "gift", "may choose chat, and not gift"),
        ("shop", "other", "shop.card", "chat", "may not send events to other"),
        ("boss", "demo", "shop.card", "chat", "boss may send no events"),
    ] {
        let (status, answer) = send(user, room, event, class).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::FORBIDDEN, &json!("forbidden")),
            "{answer}"
        );
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(site.messages().await.len(), 1, "what is refused is not sent");
}

#[tokio::test]
async fn emotes_of_a_room_are_put_and_removed_one_by_one() {
    let site = Site::start(UplinkConfig::default()).await;
    let emote = |name: &str| json!({ "name": name, "url": "/e/1-{px}.png", "px": [28, 56] });
    let names = async || {
        let (_, set) = admin(&site, Method::GET, "rooms/demo/emotes", Value::Null).await;
        let emotes = set["emotes"].as_array().unwrap().iter();
        emotes.map(|emote| emote["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (id, name) in [("1", "Kappa"), ("2", "Keepo"), ("1", "KappaHD")] {
        let (status, answer) =
            admin(&site, Method::PUT, &format!("rooms/demo/emotes/{id}"), emote(name)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert_eq!(names().await, ["KappaHD", "Keepo"]);
    for (path, body, code) in [
        ("rooms/demo/emotes/3", emote("Keepo"), "bad_request"),
        ("rooms/demo/emotes/a.b", emote("Dot"), "bad_request"),
        ("rooms/demo/emotes/3", emote("two words"), "bad_request"),
        ("rooms/none/emotes/3", emote("Kappa"), "unknown_room"),
    ] {
        let (_, answer) = admin(&site, Method::PUT, path, body).await;
        assert_eq!(answer["error"]["code"], code, "{path}: {answer}");
    }
    assert_eq!(admin(&site, Method::DELETE, "rooms/demo/emotes/1", Value::Null).await.0, StatusCode::OK);
    assert_eq!(
        admin(&site, Method::DELETE, "rooms/demo/emotes/1", Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(names().await, ["Keepo"]);
    let set = json!({ "emotes": [{ "id": "9", "name": "Pog", "url": "/e/9.png", "px": [28] }] });
    assert_eq!(admin(&site, Method::PUT, "rooms/demo/emotes", set).await.0, StatusCode::OK);
    assert_eq!(names().await, ["Pog"]);
    let (_, of_viewer) = site.call(ANN, Method::GET, "/v1/rooms/demo/emotes", Value::Null).await;
    assert_eq!(of_viewer["emotes"][0]["id"], "9");
}
