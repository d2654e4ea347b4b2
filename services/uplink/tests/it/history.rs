//! Pages of history over HTTP.

use barrage_protocol::{Class, Message, Sequence};
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
async fn an_export_has_its_part_and_no_older_stream() {
    let site = Site::start(UplinkConfig::default()).await;
    archive_five(&site).await;
    let export = async |query: &str| {
        let path = format!("{HISTORY}?format=jsonl{query}");
        let response = site.get_response(&site.token("ann", Role::Viewer), &path).await;
        assert_eq!(response.status(), StatusCode::OK);
        let text = response.text().await.unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.collect::<Vec<_>>()
    };
    let all = export("").await;
    assert_eq!(all.len(), 5);
    let last_ms = all[4]["offset_ms"].as_u64().unwrap();
    let at_last: Vec<_> =
        all.iter().filter(|line| line["offset_ms"] == last_ms).map(|line| line["sequence"].clone()).collect();
    let part = export(&format!("&from_ms={last_ms}&to_ms={}", last_ms + 1)).await;
    assert_eq!(part.iter().map(|line| line["sequence"].clone()).collect::<Vec<_>>(), at_last);
    assert_eq!(export(&format!("&from_ms={}&to_ms={}", last_ms + 1, u64::MAX)).await, [Value::Null; 0]);
    // A stream that has begun and has no message yet: nothing of the one before.
    let started_ms = barrage_clock::unix_ms() + 60_000;
    let room = barrage_store::Room {
        id: crate::site::room(),
        title: "Demo".into(),
        created_at_ms: 1,
        stream_started_at_ms: started_ms,
        closed: false,
    };
    site.store.put_room(&room).await.unwrap();
    assert_eq!(export("").await, [Value::Null; 0]);
}

/// Archives messages of 8 MB, which the buffers of a connection do not hold.
async fn archive_8_mb(site: &Site) {
    let at_ms = barrage_clock::unix_ms() - 60_000;
    let text = "x".repeat(2_000);
    for batch in 0..20_u64 {
        let entry = |n: u64| {
            let sequence = 200 * batch + n + 1;
            let message = Message {
                room: crate::site::room(),
                sequence: Sequence(sequence),
                previous: Sequence(sequence - 1),
                class: Class::Chat,
                sender: "bob".parse().ok(),
                id: format!("m{sequence}").parse().ok(),
                to: None,
                at_ms: at_ms + sequence,
                trace: None,
                body: json!({ "type": "chat", "text": text }).to_string().into(),
            };
            ArchiveEntry { message: message.into(), effect: Effect::None }
        };
        site.store.append(0, &(0..200).map(entry).collect::<Vec<_>>()).await.unwrap();
    }
}

#[tokio::test]
async fn an_export_ends_early_when_its_reader_is_kicked() {
    let site = Site::start(UplinkConfig::default()).await;
    archive_8_mb(&site).await;
    let path = format!("{HISTORY}?format=jsonl");
    let [ann, bob] = ["ann", "bob"].map(|user| site.token(user, Role::Viewer));
    let whole = site.get_response(&bob, &path).await.text().await.unwrap();
    assert_eq!(whole.lines().count(), 4_000);
    let cut = site.get_response(&ann, &path).await;
    assert_eq!(cut.status(), StatusCode::OK);
    let kick = json!({ "id": "k1", "action": { "type": "kick", "user": "ann" } });
    let host = ("host", Role::Host);
    let (status, answer) = site.call(host, Method::POST, "/v1/rooms/demo/actions", kick).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(cut.text().await.is_err(), "the file is not whole");
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
