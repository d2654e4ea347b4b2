//! Posts and packages over HTTP.

use barrage_token::Role;
use barrage_uplink::UplinkConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::Site;

const MESSAGES: &str = "/v1/rooms/demo/messages";
const ANN: (&str, Role) = ("ann", Role::Viewer);

fn chat(id: &str) -> Value {
    json!({ "type": "chat", "id": id, "text": format!(" hello {id}\u{200B} ") })
}

#[tokio::test]
async fn post_is_published_and_its_retry_is_a_duplicate() {
    let site = Site::start(UplinkConfig::default()).await;
    let (status, answer) = site.call(ANN, Method::POST, MESSAGES, chat("m1")).await;
    assert_eq!((status, &answer["outcome"]), (StatusCode::OK, &json!("broadcast")));
    let (_, again) = site.call(ANN, Method::POST, MESSAGES, chat("m1")).await;
    assert_eq!((&again["outcome"], &again["sequence"]), (&json!("duplicate"), &answer["sequence"]));
    let messages = site.messages().await;
    assert_eq!(messages.len(), 1);
    let body: Value = serde_json::from_slice(&messages[0].body).unwrap();
    assert_eq!((&body["text"], &body["name"]), (&json!("hello m1"), &json!("ann")));
}

#[tokio::test]
async fn refusals_are_documented_and_counted() {
    let site = Site::start(UplinkConfig::default()).await;
    let (status, answer) = site.post_anonymous(MESSAGES, chat("m1")).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorized")));
    let cases = [
        ("/v1/rooms/nowhere/messages", chat("m1"), StatusCode::NOT_FOUND, "unknown_room"),
        ("/v1/rooms/a.b/messages", chat("m1"), StatusCode::BAD_REQUEST, "bad_request"),
        (MESSAGES, json!({ "type": "chat", "id": "m1" }), StatusCode::BAD_REQUEST, "bad_request"),
        (
            MESSAGES,
            json!({ "type": "chat", "id": "m1", "text": " " }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_text",
        ),
    ];
    for (path, post, expected, code) in cases {
        let (status, answer) = site.call(ANN, Method::POST, path, post).await;
        assert_eq!((status, &answer["error"]["code"]), (expected, &json!(code)), "{answer}");
    }
    assert_eq!(site.counter("barrage_uplink_refusals_total", "unauthorized"), 1.0);
    assert_eq!(site.counter("barrage_uplink_refusals_total", "unknown_room"), 1.0);
}

#[tokio::test]
async fn user_over_the_rate_gets_429_with_the_rule() {
    let mut config = UplinkConfig::default();
    (config.limits.user_per_s, config.limits.burst_secs) = (1, 2);
    let site = Site::start(config).await;
    let mut refused = None;
    for n in 0..4 {
        let (status, answer) = site.call(ANN, Method::POST, MESSAGES, chat(&format!("m{n}"))).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("four posts at once are over two");
    assert_eq!(refused["error"]["limit"]["rule"], "user_per_s");
    assert!(refused["error"]["retry_after_ms"].as_u64().unwrap() > 0, "{refused}");
}

#[tokio::test]
async fn package_is_published_whole_and_in_order() {
    let site = Site::start(UplinkConfig::default()).await;
    let path = "/v1/rooms/demo/packages";
    let package = json!({ "messages": [chat("p1"), chat("p2"), chat("p3")] });
    let (status, answer) = site.call(ANN, Method::POST, path, package).await;
    assert_eq!((status, answer["answers"].as_array().unwrap().len()), (StatusCode::OK, 3));
    let ids: Vec<_> = site.messages().await.iter().map(|it| it.id.as_ref().unwrap().to_string()).collect();
    assert_eq!(ids, ["p1", "p2", "p3"]);
    let like = json!({ "type": "like", "id": "l1", "count": 1 });
    for messages in [json!([]), json!([chat("p4"), like])] {
        let (status, _) = site.call(ANN, Method::POST, path, json!({ "messages": messages })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(site.messages().await.len(), 3);
}

#[tokio::test]
async fn the_reactions_of_the_configuration_are_listed_and_others_are_refused() {
    let reactions = vec!["cheer".to_owned(), "wow".to_owned()];
    let site = Site::start(UplinkConfig { reactions: reactions.clone(), ..UplinkConfig::default() }).await;
    assert_eq!(site.get_json("/v1/reactions").await, json!({ "reactions": reactions }));
    let post = |name: &str| json!({ "type": "reaction", "id": name, "name": name, "count": 1 });
    for (name, status) in [("cheer", StatusCode::OK), ("fire", StatusCode::BAD_REQUEST)] {
        let path = "/v1/rooms/demo/messages";
        let (answered, _) = site.call(("ann", Role::Viewer), Method::POST, path, post(name)).await;
        assert_eq!(answered, status, "{name}");
    }
}

#[tokio::test]
async fn a_room_with_its_own_reactions_takes_those_alone() {
    let site = Site::start(UplinkConfig::default()).await;
    let mut count = 0;
    let mut act = async |action: serde_json::Value| {
        count += 1;
        let request = json!({ "id": format!("a{count}"), "action": action });
        let path = "/v1/rooms/demo/actions";
        let (status, answer) = site.call(("mod", Role::Moderator), Method::POST, path, request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    };
    let react = async |id: &str, name: &str| {
        let post = json!({ "type": "reaction", "id": id, "name": name, "count": 1 });
        site.call(("ann", Role::Viewer), Method::POST, "/v1/rooms/demo/messages", post).await.0
    };
    act(json!({ "type": "reactions", "names": ["gg", "fire"] })).await;
    assert_eq!(
        (react("r1", "gg").await, react("r2", "clap").await),
        (StatusCode::OK, StatusCode::BAD_REQUEST)
    );
    act(json!({ "type": "reactions", "names": [] })).await;
    assert_eq!(react("r3", "fire").await, StatusCode::BAD_REQUEST, "a room without reactions");
    act(json!({ "type": "reactions" })).await;
    assert_eq!(
        (react("r4", "clap").await, react("r5", "gg").await),
        (StatusCode::OK, StatusCode::BAD_REQUEST)
    );
}
