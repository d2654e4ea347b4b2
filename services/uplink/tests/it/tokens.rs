//! Tokens of docks over HTTP: for one room, never above a moderator, and audited.

use std::time::SystemTime;

use barrage_token::Role;
use barrage_uplink::UplinkConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::Site;

const TOKENS: &str = "/v1/rooms/demo/tokens";

#[tokio::test]
async fn a_dock_token_moderates_its_room_and_nothing_else() {
    let site = Site::start(UplinkConfig::default()).await;
    let (status, made) =
        site.call(("boss", Role::Admin), Method::POST, TOKENS, json!({ "ttl_secs": 600 })).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let shown = (&made["role"], &made["room"], &made["user"]);
    assert_eq!(shown, (&json!("moderator"), &json!("demo"), &json!("boss")));
    let now_ms = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let left_ms = u128::from(made["expires_at_ms"].as_u64().unwrap()) - now_ms;
    assert!((590_000..=600_000).contains(&left_ms), "{left_ms}");
    let token = made["token"].as_str().unwrap();
    let act = |id: &str, action: Value| json!({ "id": id, "action": action });
    let slow = act("a1", json!({ "type": "slow_mode", "secs": 5 }));
    let (status, answer) = site.call_with(token, Method::POST, "/v1/rooms/demo/actions", slow.clone()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, answer) = site.call_with(token, Method::POST, "/v1/rooms/other/actions", slow).await;
    assert_eq!(answer["error"]["code"], "wrong_room");
    // Rights of a host and of an admin do not travel along.
    let role = act("a2", json!({ "type": "role", "user": "x", "role": "moderator" }));
    let (_, answer) = site.call_with(token, Method::POST, "/v1/rooms/demo/actions", role).await;
    assert_eq!(answer["error"]["code"], "forbidden");
    let (status, _) = site.call_with(token, Method::GET, "/v1/admin/audit", Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // A token of a token ends with the first one.
    let (_, again) = site.call_with(token, Method::POST, TOKENS, json!({})).await;
    assert_eq!((&again["expires_at_ms"], &again["role"]), (&made["expires_at_ms"], &made["role"]));
}

#[tokio::test]
async fn a_dock_token_is_refused_to_viewers_and_its_making_is_audited() {
    let site = Site::start(UplinkConfig::default()).await;
    let (status, answer) = site.call(("ann", Role::Viewer), Method::POST, TOKENS, json!({})).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    for ttl_secs in [0, 59, 43_201] {
        let body = json!({ "ttl_secs": ttl_secs });
        let (status, answer) = site.call(("mod", Role::Moderator), Method::POST, TOKENS, body).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("bad_request")));
    }
    let (_, answer) =
        site.call(("mod", Role::Moderator), Method::POST, "/v1/rooms/none/tokens", json!({})).await;
    assert_eq!(answer["error"]["code"], "unknown_room");
    let (_, made) = site.call(("mod", Role::Moderator), Method::POST, TOKENS, json!({})).await;
    assert!(made["token"].is_string(), "{made}");
    let lines = "/v1/admin/audit?room=demo&action=token";
    let (_, audit) = site.call(("boss", Role::Admin), Method::GET, lines, Value::Null).await;
    let lines = audit["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["actor"]), (1, &json!("mod")), "{audit}");
    assert!(!audit.to_string().contains(made["token"].as_str().unwrap()), "the log has no token");
}
