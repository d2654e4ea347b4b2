//! Requests inside a binary body.

use barrage_token::Role;
use barrage_uplink::UplinkConfig;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::site::Site;

const TUNNEL: &str = "/v1/tunnel";

fn framed(requests: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    for request in requests {
        let json = request.to_string();
        body.extend_from_slice(&u32::try_from(json.len()).unwrap().to_be_bytes());
        body.extend_from_slice(json.as_bytes());
    }
    body
}

fn answers(mut body: &[u8]) -> Vec<Value> {
    let mut answers = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk::<4>() {
        let (json, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        answers.push(serde_json::from_slice(json).unwrap());
        body = rest;
    }
    answers
}

#[tokio::test]
async fn requests_are_answered_in_their_order() {
    let site = Site::start(UplinkConfig::default()).await;
    let token = site.token("ann", Role::Viewer);
    let post = json!({
        "method": "POST", "path": "/v1/rooms/demo/messages", "token": token,
        "body": { "type": "chat", "id": "m1", "text": "hi" },
    });
    let page = json!({ "method": "GET", "path": "/v1/rooms/demo/history?limit=5", "token": token });
    let elsewhere = json!({ "method": "GET", "path": "/v1/rooms/demo/nothing" });
    let (status, body) = site.post_bytes(TUNNEL, framed(&[post, page, elsewhere])).await;
    assert_eq!(status, StatusCode::OK);
    let answers = answers(&body);
    assert_eq!(answers.iter().map(|answer| answer["status"].clone()).collect::<Vec<_>>(), [200, 200, 404]);
    assert_eq!(answers[0]["body"]["outcome"], "broadcast", "{answers:?}");
    assert_eq!(answers[1]["body"]["messages"], json!([]), "{answers:?}");
    assert_eq!(site.messages().await.len(), 1);
}

#[tokio::test]
async fn bad_frames_and_foreign_paths_are_refused() {
    let site = Site::start(UplinkConfig::default()).await;
    let page = json!({ "method": "GET", "path": "/v1/rooms/demo/history" });
    for body in [Vec::new(), vec![0, 0, 0], vec![0, 0, 0, 9, b'{'], framed(&vec![page; 17])] {
        assert_eq!(site.post_bytes(TUNNEL, body).await.0, StatusCode::BAD_REQUEST);
    }
    let admin = json!({ "method": "GET", "path": "/v1/admin/rooms" });
    let (status, body) = site.post_bytes(TUNNEL, framed(&[admin])).await;
    assert_eq!((status, &answers(&body)[0]["status"]), (StatusCode::OK, &json!(400)));
    let token = site.token("ann", Role::Viewer);
    let dplayer = json!({ "method": "GET", "path": "/v1/rooms/demo/dplayer/v3/?max=1000", "token": token });
    let (status, body) = site.post_bytes(TUNNEL, framed(&[dplayer])).await;
    assert_eq!(
        (status, &answers(&body)[0]["status"]),
        (StatusCode::OK, &json!(404)),
        "not through the tunnel"
    );
}
