//! Guest tokens over HTTP.

use barrage_uplink::UplinkConfig;
use reqwest::StatusCode;
use serde_json::json;

use crate::site::Site;

#[tokio::test]
async fn guest_gets_a_token_under_a_clean_name() {
    let site = Site::start(UplinkConfig::default()).await;
    let (status, guest) = site.post_anonymous("/v1/guest", json!({ "name": " Ann\u{200B} " })).await;
    assert_eq!(status, StatusCode::OK);
    assert!(guest["user"].as_str().unwrap().starts_with("guest-"), "{guest}");
    assert!(!guest["token"].as_str().unwrap().is_empty());
    let (status, refusal) = site.post_anonymous("/v1/guest", json!({ "name": "\u{200B}" })).await;
    assert_eq!((status, &refusal["error"]["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("bad_text")));
}
