//! Rules for those who speak, the shield, attributes and emotes, over HTTP.

use std::sync::Arc;

use barrage_token::Role;
use barrage_uplink::UplinkConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{Site, room};

const MESSAGES: &str = "/v1/rooms/demo/messages";
const EMOTES: &str = "/v1/rooms/demo/emotes";
const MOD: (&str, Role) = ("mod", Role::Moderator);
const HOST: (&str, Role) = ("host", Role::Host);

async fn act(site: &Site, id: &str, action: Value) -> Value {
    let request = json!({ "id": id, "action": action });
    let (status, answer) = site.call(HOST, Method::POST, "/v1/rooms/demo/actions", request).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

async fn rule(site: &Site, id: &str, rule: Value) {
    act(site, id, json!({ "type": "speak", "rule": rule })).await;
}

/// Posts a chat, and returns the code and rule of the refusal; two empty texts for a chat that is shown.
async fn said(site: &Site, token: &str, id: &str, text: &str) -> (String, String) {
    let post = json!({ "type": "chat", "id": id, "text": text });
    let (_, answer) = site.call_with(token, Method::POST, MESSAGES, post).await;
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (of(&answer["error"]["code"]), of(&answer["error"]["limit"]["rule"]))
}

fn refused(code: &str, rule: &str) -> (String, String) {
    (code.into(), rule.into())
}

/// Returns the newest message of the room.
async fn newest(site: &Site) -> Value {
    let messages = site.messages().await;
    serde_json::from_slice(&messages.last().unwrap().body).unwrap()
}

async fn start() -> Site {
    Site::start(UplinkConfig::default()).await
}

#[tokio::test]
async fn each_rule_refuses_with_its_name_and_spares_moderators() {
    let site = start().await;
    let old = site.token_with("old", Role::Viewer, json!({ "level": 9, "member_since": 1_600_000_000 }));
    let new = site.token_with("new", Role::Viewer, json!({ "level": 2 }));
    let moderator = site.token("mod", Role::Moderator);
    let shown = refused("", "");
    rule(&site, "r1", json!({ "level_min": 5 })).await;
    assert_eq!(said(&site, &new, "a1", "one").await, refused("forbidden", "speak_level_min"));
    assert_eq!(
        (said(&site, &old, "a2", "two").await, said(&site, &moderator, "a3", "three").await),
        (shown.clone(), shown.clone())
    );
    rule(&site, "r2", json!({ "level_min": 0 })).await;
    rule(&site, "r3", json!({ "member_days_min": 30 })).await;
    assert_eq!(said(&site, &new, "b1", "four").await, refused("forbidden", "speak_member_days_min"));
    assert_eq!(said(&site, &old, "b2", "five").await, shown);
    rule(&site, "r4", json!({ "member_days_min": 0 })).await;
    rule(&site, "r5", json!({ "links_off": true })).await;
    assert_eq!(said(&site, &new, "c1", "see evil.com").await, refused("bad_text", "speak_links_off"));
    assert_eq!(said(&site, &moderator, "c2", "see good.com").await, shown);
    rule(&site, "r6", json!({ "unique_secs": 600 })).await;
    assert_eq!(said(&site, &new, "d1", "Hello there").await, shown);
    assert_eq!(said(&site, &new, "d1", "Hello there").await, shown, "a retry");
    assert_eq!(said(&site, &old, "d2", "hello, THERE!").await, refused("rate_limited", "speak_unique_secs"));
    rule(&site, "r7", json!({ "emote_only": true })).await;
    assert_eq!(said(&site, &new, "e1", "words").await, refused("bad_text", "speak_emote_only"));
    assert_eq!(said(&site, &new, "e2", "😀").await, shown);
    rule(&site, "r8", json!({ "role_min": "host" })).await;
    assert_eq!(said(&site, &moderator, "f1", "order").await, refused("room_muted", "speak_role_min"));
    let signals: Vec<Value> =
        site.messages().await.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect();
    let signals: Vec<_> = signals.iter().filter(|body| body["signal"] == "speak").collect();
    assert_eq!(signals.len(), 8);
    let rules = json!({ "role_min": "host", "emote_only": true, "unique_secs": 600, "links_off": true });
    assert_eq!((&signals[7]["rules"], &signals[7]["shield"]), (&rules, &json!(false)));
}

#[tokio::test]
async fn placed_danmaku_are_for_those_who_run_the_room_until_it_says_otherwise() {
    let site = start().await;
    let viewer = site.token("ann", Role::Viewer);
    let placed = async |token: &str, id: &str| {
        let style = json!({ "mode": "placed", "place": { "x": 0, "y": 0, "duration_ms": 4500 } });
        let post = json!({ "type": "chat", "id": id, "text": format!("here {id}"), "style": style });
        let (_, answer) = site.call_with(token, Method::POST, MESSAGES, post).await;
        let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (of(&answer["error"]["code"]), of(&answer["error"]["limit"]["rule"]))
    };
    let no = refused("forbidden", "speak_placed_role_min");
    assert_eq!(placed(&viewer, "a1").await, no);
    assert_eq!(placed(&site.token("mod", Role::Moderator), "a2").await, refused("", ""));
    rule(&site, "r1", json!({ "placed_role_min": "viewer" })).await;
    assert_eq!(newest(&site).await["rules"], json!({ "placed_role_min": "viewer" }));
    assert_eq!(placed(&viewer, "a3").await, refused("", ""));
    act(&site, "s1", json!({ "type": "shield", "on": true })).await;
    assert_eq!(placed(&viewer, "a4").await, no, "the shield");
}

#[tokio::test]
async fn the_shield_is_one_action_and_lowering_it_restores_the_room() {
    let site = start().await;
    let viewer = site.token("ann", Role::Viewer);
    let settings = || site.bus.settings().borrow().rooms[&room()].clone();
    rule(&site, "r1", json!({ "unique_secs": 5 })).await;
    let before = settings();
    let rules = json!([{ "links_off": true }, { "level_min": 3 }]);
    act(&site, "b1", json!({ "type": "shield_bundle", "rules": rules, "slow_mode_secs": 30 })).await;
    act(&site, "s1", json!({ "type": "shield", "on": true })).await;
    let signal = newest(&site).await;
    assert_eq!((&signal["shield"], &signal["slow_mode_secs"]), (&json!(true), &json!(30)));
    assert_eq!(signal["rules"], json!({ "unique_secs": 5, "links_off": true, "level_min": 3 }));
    assert_eq!(said(&site, &viewer, "a1", "hi").await, refused("forbidden", "speak_level_min"));
    act(&site, "s2", json!({ "type": "shield", "on": false })).await;
    let after = settings();
    assert_eq!((after.speak_in_force(), after.slow_mode_in_force()), (before.speak_in_force(), 0));
    assert_eq!(said(&site, &viewer, "a2", "hi").await, refused("", ""));
    assert_eq!(act(&site, "s1", json!({ "type": "shield", "on": true })).await["duplicate"], true);
    assert!(!settings().shield.on, "a replayed action does not raise the shield again");
}

#[tokio::test]
async fn attributes_come_from_the_token_alone() {
    let site = start().await;
    let attrs = json!({ "badges": ["vip", "member/12"], "level": 7, "color": 255 });
    let token = site.token_with("ann", Role::Viewer, attrs.clone());
    assert_eq!(said(&site, &token, "m1", "hello").await, refused("", ""));
    assert_eq!(newest(&site).await["attrs"], attrs);
    for field in ["attrs", "badges", "level", "emotes"] {
        let mut post = json!({ "type": "chat", "id": "m2", "text": "hello" });
        post[field] = attrs.clone();
        let (status, answer) = site.call_with(&token, Method::POST, MESSAGES, post).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("bad_request")),
            "{field}"
        );
    }
    let plain = site.token("bo", Role::Viewer);
    assert_eq!(said(&site, &plain, "m3", "hello").await, refused("", ""));
    assert!(newest(&site).await.get("attrs").is_none());
}

fn emote(id: &str, name: &str) -> Value {
    json!({ "id": id, "name": name, "url": "https://cdn.example/{px}.webp", "px": [28, 56] })
}

#[tokio::test]
async fn emotes_are_set_by_the_host_and_found_as_ranges() {
    let site = start().await;
    let set = json!({ "emotes": [emote("wave", ":wave:"), emote("25", "Kappa")] });
    let (status, _) = site.call(MOD, Method::PUT, EMOTES, set.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, answer) = site.call(HOST, Method::PUT, EMOTES, set.clone()).await;
    assert_eq!((status, &answer), (StatusCode::OK, &set));
    assert_eq!(newest(&site).await["signal"], "emotes");
    let global = json!({ "emotes": [emote("26", "Kappa"), emote("27", "KappaPride")] });
    for (by, expected) in [(HOST, StatusCode::FORBIDDEN), (("boss", Role::Admin), StatusCode::OK)] {
        assert_eq!(site.call(by, Method::PUT, "/v1/emotes", global.clone()).await.0, expected);
    }
    let ann = site.token("ann", Role::Viewer);
    assert_eq!(said(&site, &ann, "m1", "弹幕 Kappa KappaPride Kappas :wave:").await, refused("", ""));
    let body = newest(&site).await;
    assert_eq!(body["emotes"], json!([[3, 8, "25"], [9, 19, "27"], [27, 33, "wave"]]));
    assert_eq!(body["text"], "弹幕 Kappa KappaPride Kappas :wave:");
    let read = |path: &'static str| site.call(("ann", Role::Viewer), Method::GET, path, Value::Null);
    assert_eq!((read(EMOTES).await.1, read("/v1/emotes").await.1), (set, global));
    let hostile = [
        json!({ "emotes": [emote("1", "a\u{200B}b")] }),
        json!({ "emotes": [emote("1", "<b>"), emote("1", "<i>")] }),
        json!({ "emotes": [{ "id": "1", "name": "xx", "url": "javascript:alert(1)", "px": [28] }] }),
        json!({ "emotes": [{ "id": "1", "name": "xx", "url": "/x", "px": [28], "html": "<b>" }] }),
    ];
    for set in hostile {
        assert_eq!(
            site.call(HOST, Method::PUT, EMOTES, set.clone()).await.0,
            StatusCode::BAD_REQUEST,
            "{set}"
        );
    }
    let many: Vec<_> = (0..1_001).map(|n| emote(&n.to_string(), &format!("emote{n}"))).collect();
    let (status, answer) = site.call(HOST, Method::PUT, EMOTES, json!({ "emotes": many })).await;
    assert_eq!((status.as_u16(), &answer["error"]["limit"]["limit"]), (413, &json!(1_000)));
    site.call(HOST, Method::PUT, EMOTES, json!({ "emotes": [] })).await;
    assert!(!site.bus.settings().borrow().room_emotes.contains_key(&room()));
}

#[tokio::test]
async fn a_reply_names_the_author_and_a_mention_its_users() {
    let site = start().await;
    let (ann, bo) = (site.token("ann", Role::Viewer), site.token("bo", Role::Viewer));
    assert_eq!(said(&site, &ann, "m1", "hello").await, refused("", ""));
    let sequence = Arc::clone(site.messages().await.last().unwrap()).sequence.0;
    let reply = |id: &str, to: u64, mentions: Value| json!({ "type": "chat", "id": id, "text": "hi", "reply_to": to, "mentions": mentions });
    let send = |post| site.call_with(&bo, Method::POST, MESSAGES, post);
    let (status, answer) = send(reply("m2", sequence, json!(["ann"]))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let body = newest(&site).await;
    let expected = json!({ "sequence": sequence, "user": "ann", "name": "ann" });
    assert_eq!((&body["reply_to"], &body["mentions"]), (&expected, &json!(["ann"])));
    assert_eq!(send(reply("m3", sequence + 500, json!([]))).await.0, StatusCode::NOT_FOUND);
    let eleven: Vec<_> = (0..11).map(|n| format!("u{n}")).collect();
    for mentions in [json!(eleven), json!(["ann", "ann"]), json!(["a b"])] {
        assert_eq!(send(reply("m4", sequence, mentions)).await.0, StatusCode::BAD_REQUEST);
    }
}
