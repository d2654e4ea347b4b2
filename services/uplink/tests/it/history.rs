//! Pages of history over HTTP.

use barrage_store::{ArchiveEntry, Effect};
use barrage_token::Role;
use barrage_uplink::UplinkConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::Site;

const ANN: (&str, Role) = ("ann", Role::Viewer);
const HISTORY: &str = "/v1/rooms/demo/history";

/// Archives five posts, as the archiver does.
async fn archive_five(site: &Site) {
    for n in 1..=5 {
        let post = json!({ "type": "chat", "id": format!("m{n}"), "text": format!("text {n}") });
        let (status, _) = site.call(ANN, Method::POST, "/v1/rooms/demo/messages", post).await;
        assert_eq!(status, StatusCode::OK);
    }
    let entries = site.messages().await.into_iter();
    let entries: Vec<_> = entries.map(|message| ArchiveEntry { message, effect: Effect::None }).collect();
    site.store.append(0, &entries).await.unwrap();
}

#[tokio::test]
async fn pages_follow_each_other_in_both_directions() {
    let site = Site::start(UplinkConfig::default()).await;
    archive_five(&site).await;
    let texts = async |query: String| {
        let (status, page) = site.call(ANN, Method::GET, &format!("{HISTORY}{query}"), Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let messages = page["messages"].as_array().unwrap().clone();
        let texts: Vec<_> =
            messages.iter().map(|message| message["body"]["text"].as_str().unwrap().to_owned()).collect();
        (texts, page["next"].clone())
    };
    let (newest, next) = texts("?limit=2".into()).await;
    assert_eq!(newest, ["text 4", "text 5"]);
    let (older, _) = texts(format!("?before={}&limit=2", next["before"])).await;
    assert_eq!(older, ["text 2", "text 3"]);
    let (oldest, next) = texts("?after=0&limit=3".into()).await;
    assert_eq!(oldest, ["text 1", "text 2", "text 3"]);
    let (rest, next) = texts(format!("?after={}&limit=3", next["after"])).await;
    assert_eq!((rest, next), (vec!["text 4".to_owned(), "text 5".to_owned()], Value::Null));
}

#[tokio::test]
async fn wrong_query_and_missing_token_are_refused() {
    let site = Site::start(UplinkConfig::default()).await;
    for query in ["?after=1&before=2", "?from_ms=5", "?from_ms=5&to_ms=4", "?limit=0", "?limit=x", "?other=1"]
    {
        let (status, _) = site.call(ANN, Method::GET, &format!("{HISTORY}{query}"), Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(site.get_anonymous(HISTORY).await, StatusCode::UNAUTHORIZED);
}
