//! Super chats on top of a room: how they come there, and what ends it.

use barrage_testkit::wait;
use barrage_token::Role;
use barrage_uplink::{SuperChatConfig, UplinkConfig};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::actions::{BOSS, HOST, MESSAGES, MOD, act, signals, super_chat};
use crate::site::{PATIENCE, Site};

#[tokio::test]
async fn a_super_chat_is_on_top_until_its_time_is_over_or_it_is_hidden() {
    let site = Site::start(UplinkConfig::default()).await;
    let open = || site.bus.settings().borrow().room_state(&crate::site::room()).super_chats;
    assert_eq!(super_chat(&site, "low", 100).await.0, StatusCode::OK);
    assert!(open().entries.is_empty(), "the least tier has no time on top");
    let first = super_chat(&site, "s1", 3_000).await.1["sequence"].as_u64().unwrap();
    let second = super_chat(&site, "s2", 9_000).await.1["sequence"].as_u64().unwrap();
    assert_eq!(super_chat(&site, "s1", 3_000).await.1["outcome"], "duplicate");
    let on_top = |sequence: u64| {
        let open = open();
        open.values().find(|(at, _)| at.0 == sequence).map(|(_, open)| open.clone())
    };
    let shown = on_top(first).unwrap();
    assert_eq!(shown.message["tier"], json!({ "level": 5, "color": 16_088_064, "top_secs": 600 }));
    assert_eq!(shown.until_ms, shown.message["at_ms"].as_u64().unwrap() + 600_000);
    let read = |sequence: u64, on: bool| json!({ "type": "super_chat_read", "sequence": sequence, "on": on });
    assert_eq!(act(&site, MOD, "r1", read(first, true)).await.0, StatusCode::OK);
    assert!(on_top(first).unwrap().read && !on_top(second).unwrap().read);
    let signal = signals(&site).await.pop().unwrap();
    let entry = &signal["state"]["super_chats"]["entries"][first.to_string()]["value"];
    assert_eq!((&signal["signal"], &entry["read"]), (&json!("super_chat_read"), &json!(true)));
    assert_eq!(act(&site, HOST, "r2", read(first, false)).await.0, StatusCode::OK);
    assert!(!on_top(first).unwrap().read);
    assert_eq!(act(&site, MOD, "r3", read(999, true)).await.0, StatusCode::NOT_FOUND);
    let recall = json!({ "type": "recall", "sequence": second });
    assert_eq!(act(&site, ("adm", Role::Admin), "x1", recall).await.0, StatusCode::OK);
    assert!(on_top(first).is_some() && on_top(second).is_none());
    let removed = signals(&site).await.pop().unwrap();
    let gone = &removed["state"]["super_chats"]["entries"][second.to_string()];
    assert!(gone["version"].is_u64() && gone.get("value").is_none(), "{removed}");
}

#[tokio::test]
async fn a_super_chat_leaves_the_top_when_its_time_is_over() {
    let tier = SuperChatConfig {
        amount_minor_min: 500,
        currency: Some("EUR".into()),
        color: "#123456".into(),
        text_chars_max: 9,
        top_secs: 1,
    };
    let site = Site::start(UplinkConfig { super_chats: vec![tier], ..UplinkConfig::default() }).await;
    let (low, refusal) = super_chat(&site, "s1", 499).await;
    assert_eq!((low, &refusal["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("bad_request")));
    assert_eq!(super_chat(&site, "s2", 500).await.0, StatusCode::OK);
    let long = json!({
        "type": "super_chat", "id": "s3", "text": "well done!", "amount_minor": 500, "currency": "EUR",
    });
    assert_eq!(site.call(BOSS, Method::POST, MESSAGES, long).await.1["error"]["code"], "bad_text");
    let is_over = async || {
        let sent = signals(&site).await;
        sent.iter().filter(|body| body["state"]["super_chats"].is_object()).count() == 2
    };
    wait::until_true(PATIENCE, "the end of a super chat", is_over).await;
    assert!(site.bus.settings().borrow().room_state(&crate::site::room()).super_chats.entries.is_empty());
}
