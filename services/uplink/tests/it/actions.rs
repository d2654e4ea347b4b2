//! Actions of moderators over HTTP, and their effects on posts, signals and the audit log.

use std::collections::BTreeSet;

use barrage_bus::{Change, RoomPatch};
use barrage_protocol::action::Action;
use barrage_token::Role;
use barrage_uplink::UplinkConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::Site;

const ACTIONS: &str = "/v1/rooms/demo/actions";
pub(crate) const MESSAGES: &str = "/v1/rooms/demo/messages";
const ANN: (&str, Role) = ("ann", Role::Viewer);
const BO: (&str, Role) = ("bo", Role::Viewer);
pub(crate) const MOD: (&str, Role) = ("mod", Role::Moderator);
pub(crate) const HOST: (&str, Role) = ("host", Role::Host);
pub(crate) const BOSS: (&str, Role) = ("boss", Role::Admin);

pub(crate) async fn act(site: &Site, by: (&str, Role), id: &str, action: Value) -> (StatusCode, Value) {
    let request = json!({ "id": id, "action": action, "reason": "spam" });
    site.call(by, Method::POST, ACTIONS, request).await
}

async fn chat(site: &Site, by: (&str, Role), id: &str) -> (StatusCode, Value) {
    let post = json!({ "type": "chat", "id": id, "text": format!("text {id} of {}", by.0) });
    site.call(by, Method::POST, MESSAGES, post).await
}

/// Returns the bodies of the room's signals, in order.
pub(crate) async fn signals(site: &Site) -> Vec<Value> {
    let bodies =
        site.messages().await.into_iter().map(|message| serde_json::from_slice(&message.body).unwrap());
    bodies.filter(|body: &Value| body["type"] == "signal").collect()
}

/// An action with the least role for it, and the signals that the room gets.
type Case = (Value, Role, &'static [&'static str]);

/// Every action. `chat` is the position of a chat of ann, `paid` that of a super chat on top.
fn every_action(chat: &Value, paid: &Value) -> Vec<Case> {
    let by_moderator: &[(Value, &'static [&'static str])] = &[
        (json!({ "type": "recall", "sequence": chat }), &["recall"]),
        (json!({ "type": "purge", "user": "ann" }), &["purge"]),
        (json!({ "type": "mute", "user": "ann", "secs": 60 }), &[]),
        (json!({ "type": "unmute", "user": "ann" }), &[]),
        (json!({ "type": "kick", "user": "ann" }), &["kick"]),
        (json!({ "type": "ban", "user": "ann", "secs": 600 }), &["kick"]),
        (json!({ "type": "unban", "user": "ann" }), &[]),
        (json!({ "type": "slow_mode", "secs": 5 }), &["slow_mode"]),
        (json!({ "type": "mute_all", "on": true }), &["mute_all"]),
        (json!({ "type": "pin", "sequence": paid }), &["pin"]),
        (json!({ "type": "unpin" }), &["unpin"]),
        (json!({ "type": "announce", "text": "hello" }), &["announcement"]),
        (json!({ "type": "warn", "user": "ann", "text": "be kind" }), &[]),
        (json!({ "type": "speak", "rule": { "level_min": 2 } }), &["speak"]),
        (json!({ "type": "shield", "on": true }), &["speak"]),
        (json!({ "type": "moderation_delay", "secs": 5 }), &["moderation_delay"]),
        (json!({ "type": "reactions", "names": ["fire", "gg"] }), &["reactions"]),
        (json!({ "type": "super_chat_read", "sequence": paid, "on": true }), &["super_chat_read"]),
    ];
    let by_host: &[(Value, &'static [&'static str])] = &[
        (json!({ "type": "role", "user": "ann", "role": "moderator" }), &["role"]),
        (json!({ "type": "shield_bundle", "rules": [], "slow_mode_secs": 9 }), &["speak"]),
        (json!({ "type": "speak", "rule": { "role_min": "host" } }), &["speak"]),
        (json!({ "type": "attribute_rules", "rules": [{ "prefix": "a", "role": "host" }] }), &[]),
    ];
    let with = |role| move |(action, signals): &(Value, _)| (action.clone(), role, *signals);
    let mut all: Vec<Case> = by_moderator.iter().map(with(Role::Moderator)).collect();
    all.extend(by_host.iter().map(with(Role::Host)));
    // The super chat leaves the top with the messages.
    all.push((json!({ "type": "clear" }), Role::Moderator, &["clear", "state"]));
    all
}

/// Fails to compile when an action is new, so that the list above gets it.
fn name(action: &Action) -> &'static str {
    match action {
        Action::Recall { .. }
        | Action::Purge { .. }
        | Action::Clear {}
        | Action::Mute { .. }
        | Action::Unmute { .. }
        | Action::Kick { .. }
        | Action::Ban { .. }
        | Action::Unban { .. }
        | Action::SlowMode { .. }
        | Action::MuteAll { .. }
        | Action::Pin { .. }
        | Action::Unpin {}
        | Action::Announce { .. }
        | Action::Warn { .. }
        | Action::Role { .. }
        | Action::AttributeRules { .. }
        | Action::Speak { .. }
        | Action::Shield { .. }
        | Action::ShieldBundle { .. }
        | Action::ModerationDelay { .. }
        | Action::Reactions { .. }
        | Action::RemoveMedia { .. }
        | Action::SuperChatRead { .. } => action.label(),
    }
}

pub(crate) async fn super_chat(site: &Site, id: &str, amount_minor: u64) -> (StatusCode, Value) {
    let post = json!({
        "type": "super_chat", "id": id, "text": "well done", "amount_minor": amount_minor, "currency": "EUR",
    });
    site.call(BOSS, Method::POST, MESSAGES, post).await
}

#[tokio::test]
async fn each_action_is_refused_below_its_role_and_done_once_for_a_host() {
    let mut config = UplinkConfig::default();
    // The host acts twice for each action, without a pause.
    config.limits.user_per_s = 1_000;
    let site = Site::start(config).await;
    let sequence = chat(&site, ANN, "m1").await.1["sequence"].clone();
    let paid = super_chat(&site, "s1", 3_000).await.1["sequence"].clone();
    let all = every_action(&sequence, &paid);
    let parsed = |action: &Value| name(&serde_json::from_value(action.clone()).unwrap());
    let names: BTreeSet<_> = all.iter().map(|(action, ..)| parsed(action)).collect();
    assert_eq!(names.len(), 22, "{names:?}");
    let count = all.len();
    for (n, (action, least, signal)) in all.into_iter().enumerate() {
        let id = format!("a{n}");
        let others = [BO, ("probe", Role::Probe), MOD];
        for by in others.into_iter().filter(|(_, role)| *role < least) {
            let (status, refusal) = act(&site, by, &id, action.clone()).await;
            assert_eq!(
                (status, &refusal["error"]["code"]),
                (StatusCode::FORBIDDEN, &json!("forbidden")),
                "{action}"
            );
            assert!(refusal["error"]["message"].as_str().unwrap().len() > 10, "{refusal}");
        }
        let before = signals(&site).await.len();
        let (status, answer) = act(&site, HOST, &id, action.clone()).await;
        assert_eq!(
            (status, &answer["duplicate"], &answer["id"]),
            (StatusCode::OK, &json!(false), &json!(id)),
            "{answer}"
        );
        let sent = signals(&site).await;
        let names: Vec<_> = sent[before..].iter().filter_map(|body| body["signal"].as_str()).collect();
        assert_eq!(names, signal, "{action}");
        assert_eq!(answer.get("sequence").is_some(), !signal.is_empty(), "{answer}");
        let (_, again) = act(&site, HOST, &id, action.clone()).await;
        let expected = json!({ "duplicate": true });
        let same = |key: &str| again.get(key) == answer.get(key);
        assert!(
            again["duplicate"] == expected["duplicate"] && same("sequence") && same("until_ms"),
            "{again}"
        );
        assert_eq!(signals(&site).await.len(), sent.len(), "{action}");
    }
    assert_eq!(site.counter("barrage_uplink_actions_total", "duplicate"), count as f64);
}

#[tokio::test]
async fn each_action_is_in_force_when_it_is_answered_and_another_one_takes_it_back() {
    let site = Site::start(UplinkConfig::default()).await;
    let done = async |id: &str, action: Value| {
        let (status, answer) = act(&site, MOD, id, action).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    };
    let code = async |id: &str| chat(&site, ANN, id).await.1["error"]["code"].clone();
    let cases = [
        (json!({"type":"mute","user":"ann","secs":60}), json!({"type":"unmute","user":"ann"}), "muted"),
        (json!({"type":"kick","user":"ann"}), json!({"type":"unban","user":"ann"}), "kicked"),
        (json!({"type":"ban","user":"ann","secs":9}), json!({"type":"unban","user":"ann"}), "kicked"),
        (json!({"type":"mute_all","on":true}), json!({"type":"mute_all","on":false}), "room_muted"),
    ];
    for (n, (action, contrary, refused)) in cases.into_iter().enumerate() {
        done(&format!("a{n}"), action).await;
        assert_eq!(code(&format!("m{n}")).await, refused);
        done(&format!("b{n}"), contrary).await;
        assert_eq!(code(&format!("n{n}")).await, Value::Null);
    }
    done("s1", json!({ "type": "slow_mode", "secs": 3600 })).await;
    chat(&site, ANN, "slow1").await;
    assert_eq!(code("slow2").await, "slow_mode");
    done("s2", json!({ "type": "slow_mode", "secs": 0 })).await;
    assert_eq!(code("slow3").await, Value::Null);
    let ban = done("long", json!({ "type": "ban", "user": "bo", "secs": 600 })).await;
    let short = done("short", json!({ "type": "ban", "user": "bo", "secs": 1 })).await;
    assert_eq!(ban["until_ms"], short["until_ms"], "the later end stays");
}

#[tokio::test]
async fn a_pin_shows_a_message_that_is_there_and_goes_with_it() {
    let site = Site::start(UplinkConfig::default()).await;
    let pinned = || site.bus.settings().borrow().rooms[&crate::site::room()].pinned.clone();
    let mut sequences = Vec::new();
    for id in ["m1", "m2", "m3", "m4"] {
        sequences.push(chat(&site, ANN, id).await.1["sequence"].clone());
    }
    let pin = async |id: &str, sequence: &Value| {
        act(&site, MOD, id, json!({ "type": "pin", "sequence": sequence })).await
    };
    assert_eq!(pin("p1", &sequences[0]).await.0, StatusCode::OK);
    assert_eq!(pinned().unwrap().message["text"], "text m1 of ann");
    assert_eq!(signals(&site).await[0]["message"]["text"], "text m1 of ann");
    act(&site, MOD, "u1", json!({ "type": "unpin" })).await;
    assert!(pinned().is_none());
    let recall = json!({ "type": "recall", "sequence": sequences[1] });
    let hides = [recall, json!({ "type": "purge", "user": "ann" }), json!({ "type": "clear" })];
    for (n, hide) in hides.into_iter().enumerate() {
        let sequence = match n {
            0 => sequences[1].clone(),
            _ => chat(&site, ANN, &format!("n{n}")).await.1["sequence"].clone(),
        };
        assert_eq!(pin(&format!("q{n}"), &sequence).await.0, StatusCode::OK);
        act(&site, MOD, &format!("h{n}"), hide.clone()).await;
        assert!(pinned().is_none(), "{hide}");
        let (status, refusal) = pin(&format!("r{n}"), &sequence).await;
        assert_eq!(
            (status, &refusal["error"]["code"]),
            (StatusCode::NOT_FOUND, &json!("not_found")),
            "{hide}"
        );
    }
    assert_eq!(pin("gone", &json!(999_999)).await.0, StatusCode::NOT_FOUND);
    let recall_gone = act(&site, MOD, "gone2", json!({ "type": "recall", "sequence": 999_999 })).await;
    assert_eq!(recall_gone.0, StatusCode::NOT_FOUND);
    let signal = site.messages().await.last().unwrap().sequence;
    assert_eq!(pin("signal", &json!(signal)).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_role_of_the_room_needs_no_new_token_and_counts_in_its_room_alone() {
    let site = Site::start(UplinkConfig::default()).await;
    let other = Change::Patch("other".parse().unwrap(), RoomPatch::Ensure { title: "Other".into() });
    site.bus.change(other).await.unwrap();
    let put = async |by, id: &str, role: &str| {
        let body = json!({ "id": id, "role": role });
        site.call(by, Method::PUT, "/v1/rooms/demo/roles/ann", body).await
    };
    let clear = json!({ "type": "clear" });
    assert_eq!(put(MOD, "r0", "moderator").await.0, StatusCode::FORBIDDEN);
    assert_eq!(put(HOST, "r0", "host").await.0, StatusCode::FORBIDDEN);
    assert_eq!(put(HOST, "r1", "moderator").await.0, StatusCode::OK);
    assert_eq!(act(&site, ANN, "a1", clear.clone()).await.0, StatusCode::OK);
    let (status, refusal) =
        site.call(ANN, Method::POST, "/v1/rooms/other/actions", json!({ "id": "a2", "action": clear })).await;
    assert_eq!((status, &refusal["error"]["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    chat(&site, ANN, "m1").await;
    let stamped: Value = serde_json::from_slice(&site.messages().await.last().unwrap().body).unwrap();
    assert_eq!(stamped["role"], "moderator", "{stamped}");
    let gift =
        json!({ "type": "gift", "id": "g1", "gift": { "name": "rose", "count": 1, "price_minor": 5 } });
    assert_eq!(site.call(ANN, Method::POST, MESSAGES, gift).await.0, StatusCode::FORBIDDEN);
    assert_eq!(put(HOST, "r2", "viewer").await.0, StatusCode::OK);
    assert_eq!(put(HOST, "r1", "moderator").await.1["duplicate"], true, "a replay gives nothing back");
    assert_eq!(act(&site, ANN, "a3", json!({ "type": "unpin" })).await.0, StatusCode::FORBIDDEN);
    let bad =
        site.call(HOST, Method::PUT, "/v1/rooms/demo/roles/a%20b", json!({ "id": "x", "role": "viewer" }));
    assert_eq!(bad.await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_moderator_cannot_act_on_those_who_run_the_room() {
    let site = Site::start(UplinkConfig::default()).await;
    let posted = chat(&site, HOST, "m1").await.1["sequence"].clone();
    chat(&site, BOSS, "m2").await;
    for (n, target) in ["host", "boss"].into_iter().enumerate() {
        let ban = json!({ "type": "ban", "user": target, "secs": 60 });
        let (status, refusal) = act(&site, MOD, &format!("b{n}"), ban).await;
        assert_eq!(
            (status, &refusal["error"]["code"]),
            (StatusCode::FORBIDDEN, &json!("forbidden")),
            "{target}"
        );
    }
    let recall = json!({ "type": "recall", "sequence": posted });
    assert_eq!(act(&site, MOD, "r1", recall.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(act(&site, HOST, "r1", recall).await.0, StatusCode::OK);
    let mute = json!({ "type": "mute", "user": "mod", "secs": 60 });
    assert_eq!(act(&site, ("mod2", Role::Moderator), "m1", mute.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(act(&site, HOST, "m1", mute).await.0, StatusCode::OK);
    act(&site, BOSS, "k1", json!({ "type": "ban", "user": "mod", "secs": 60 })).await;
    let (status, refusal) = act(&site, MOD, "c1", json!({ "type": "clear" })).await;
    assert_eq!((status, &refusal["error"]["code"]), (StatusCode::FORBIDDEN, &json!("kicked")));
}

#[tokio::test]
async fn an_answered_action_is_in_the_audit_log_with_actor_and_reason() {
    let site = Site::start(UplinkConfig::default()).await;
    let mute = json!({ "type": "mute", "user": "ann", "secs": 60 });
    act(&site, MOD, "m1", mute.clone()).await;
    // No wait: the line is written before the answer.
    let audit = async |query: &str| {
        site.call(BOSS, Method::GET, &format!("/v1/admin/audit?room=demo&{query}"), Value::Null).await.1
    };
    let listed = audit("user=ann&action=mute").await;
    let line = &listed["lines"][0];
    assert_eq!((&line["actor"], &line["detail"]["reason"]), (&json!("mod"), &json!("spam")), "{listed}");
    assert_eq!((&line["detail"]["action"], &line["detail"]["id"]), (&mute, &json!("m1")), "{listed}");
    act(&site, MOD, "m1", mute).await;
    assert_eq!(audit("actor=mod").await["lines"].as_array().unwrap().len(), 1, "a replay adds no line");
}

#[tokio::test]
async fn bad_actions_are_refused_with_a_reason_and_change_nothing() {
    let site = Site::start(UplinkConfig::default()).await;
    for (body, code) in [
        (json!({ "id": "a", "action": { "type": "close" } }), "bad_request"),
        (json!({ "id": "a", "action": { "type": "clear", "user": "x" } }), "bad_request"),
        (json!({ "id": "a b", "action": { "type": "clear" } }), "bad_request"),
        (json!({ "action": { "type": "clear" } }), "bad_request"),
        (json!({ "id": "a", "action": { "type": "mute", "user": "../x", "secs": 1 } }), "bad_request"),
        (json!({ "id": "a", "action": { "type": "mute", "user": "x", "secs": 0 } }), "bad_request"),
        (json!({ "id": "a", "action": { "type": "mute", "user": "x", "secs": -1 } }), "bad_request"),
        (json!({ "id": "a", "action": { "type": "announce", "text": "\u{200b}" } }), "bad_text"),
        (json!({ "id": "a", "action": { "type": "clear" }, "reason": "x".repeat(1_001) }), "bad_request"),
        (json!({ "id": "a", "action": { "type": "clear" }, "reason": "x".repeat(100_000) }), "too_large"),
    ] {
        let (status, refusal) = site.call(MOD, Method::POST, ACTIONS, body.clone()).await;
        assert!(status.is_client_error(), "{body}");
        assert_eq!(refusal["error"]["code"], code, "{body}: {refusal}");
    }
    let nowhere = json!({ "id": "a", "action": { "type": "clear" } });
    let (status, _) = site.call(MOD, Method::POST, "/v1/rooms/nowhere/actions", nowhere.clone()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(site.post_anonymous(ACTIONS, nowhere).await.0, StatusCode::UNAUTHORIZED);
    assert!(site.messages().await.is_empty() && site.bus.settings().borrow().actions.is_empty());
}

#[tokio::test]
async fn actions_meet_the_rate_limits_of_posts() {
    let mut config = UplinkConfig::default();
    (config.limits.user_per_s, config.limits.burst_secs) = (1, 2);
    let site = Site::start(config).await;
    let mut statuses = Vec::new();
    for n in 0..4 {
        statuses.push(act(&site, MOD, &format!("a{n}"), json!({ "type": "unpin" })).await.0);
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
}
