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
    let entries: Vec<_> =
        entries.map(|message| ArchiveEntry { at: message.sequence, message, effect: Effect::None }).collect();
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
            ArchiveEntry { at: message.sequence, message: message.into(), effect: Effect::None }
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

const MOD: (&str, Role) = ("mod", Role::Moderator);

/// Returns the texts of the newest messages that a user reads, as a page asks for them.
async fn newest(site: &Site, by: (&str, Role)) -> Vec<String> {
    let (status, page) = site.call(by, Method::GET, &format!("{HISTORY}?limit=30"), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let messages = page["messages"].as_array().unwrap().iter();
    messages.filter_map(|message| message["body"]["text"].as_str().map(str::to_owned)).collect()
}

async fn act(site: &Site, id: &str, action: Value) {
    let request = json!({ "id": id, "action": action });
    let (status, answer) = site.call(MOD, Method::POST, "/v1/rooms/demo/actions", request).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_reads_the_store_once_in_a_second() {
    let site = Site::start(UplinkConfig::default()).await;
    archive_five(&site).await;
    let (before, began) = (site.history_queries(), barrage_clock::now());
    let mut readers = tokio::task::JoinSet::new();
    let site = std::sync::Arc::new(site);
    for n in 0..300 {
        let site = std::sync::Arc::clone(&site);
        readers.spawn(async move {
            // As the page does: what is before the position of its connection.
            let query =
                if n % 2 == 0 { format!("?before={}&limit=60", 1_000 + n) } else { "?limit=30".into() };
            let user = format!("user-{n}");
            let page = site
                .call((&user, Role::Viewer), Method::GET, &format!("{HISTORY}{query}"), Value::Null)
                .await;
            page.1["messages"].as_array().unwrap().len()
        });
    }
    while let Some(read) = readers.join_next().await {
        assert_eq!(read.unwrap(), 5);
    }
    let queries = site.history_queries() - before;
    assert!(queries >= 1 && queries <= began.elapsed().as_secs() + 1, "{queries} in {:?}", began.elapsed());
}

#[tokio::test]
async fn a_recall_is_in_force_at_once_though_the_archiver_is_away() {
    let site = Site::start(UplinkConfig::default()).await;
    archive_five(&site).await;
    assert_eq!(newest(&site, ANN).await, ["text 1", "text 2", "text 3", "text 4", "text 5"]);
    let sequence = site.messages().await[1].sequence;
    act(&site, "r1", json!({ "type": "recall", "sequence": sequence })).await;
    assert_eq!(newest(&site, ANN).await, ["text 1", "text 3", "text 4", "text 5"]);
    // Parts that are read for one reader, and files, leave it out as well.
    for query in ["?after=0&limit=10", "?from_ms=0&to_ms=9000000000000000", "?limit=1000"] {
        let (_, page) = site.call(ANN, Method::GET, &format!("{HISTORY}{query}"), Value::Null).await;
        assert_eq!(page["messages"].as_array().unwrap().len(), 4, "{query}: {page}");
    }
    let export =
        site.get_response(&site.token("ann", Role::Viewer), &format!("{HISTORY}?format=jsonl")).await;
    assert_eq!(export.text().await.unwrap().lines().count(), 4);
    act(&site, "p1", json!({ "type": "purge", "user": "ann" })).await;
    assert_eq!(newest(&site, ANN).await, [""; 0]);
}

#[tokio::test]
async fn another_uplink_hides_it_within_a_second() {
    let site = Site::start(UplinkConfig::default()).await;
    archive_five(&site).await;
    let other = site.start_beside(UplinkConfig::default());
    assert_eq!(newest(&other, ANN).await.len(), 5);
    let sequence = site.messages().await[1].sequence;
    act(&site, "r1", json!({ "type": "recall", "sequence": sequence })).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(newest(&other, ANN).await.len(), 4);
}

#[tokio::test]
async fn a_moderator_and_a_viewer_of_a_delayed_room_have_pages_of_their_own() {
    let site = Site::start(UplinkConfig::default()).await;
    act(&site, "d1", json!({ "type": "moderation_delay", "secs": 10 })).await;
    archive_five(&site).await;
    for _ in 0..2 {
        assert_eq!(newest(&site, MOD).await.len(), 5);
        assert_eq!(newest(&site, ANN).await, [""; 0]);
    }
    // The delay ends: what was read under it is of another view.
    act(&site, "d2", json!({ "type": "moderation_delay", "secs": 0 })).await;
    assert_eq!(newest(&site, ANN).await.len(), 5);
    act(&site, "k1", json!({ "type": "kick", "user": "ann" })).await;
    let (status, _) = site.call(ANN, Method::GET, &format!("{HISTORY}?limit=30"), Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a page that is kept is not for those who were removed");
}

#[tokio::test]
async fn a_browser_that_has_the_page_gets_its_tag_alone() {
    let site = Site::start(UplinkConfig::default()).await;
    archive_five(&site).await;
    let (token, path) = (site.token("ann", Role::Viewer), format!("{HISTORY}?limit=30"));
    let first = site.get_response(&token, &path).await;
    assert_eq!(first.headers()["cache-control"], "private, no-cache");
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert!(!first.text().await.unwrap().is_empty());
    let again = site.get_with(&token, &path, "if-none-match", &format!("\"other\", {tag}")).await;
    assert_eq!(
        (again.status(), again.headers()["etag"].to_str().unwrap()),
        (StatusCode::NOT_MODIFIED, &*tag)
    );
    assert_eq!(again.text().await.unwrap(), "");
    let sequence = site.messages().await[1].sequence;
    act(&site, "r1", json!({ "type": "recall", "sequence": sequence })).await;
    let changed = site.get_with(&token, &path, "if-none-match", &tag).await;
    assert_eq!(changed.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_store_that_fails_is_a_refusal_with_a_time_to_come_back() {
    let site = Site::start(UplinkConfig::default()).await;
    site.store.close().await;
    for _ in 0..2 {
        let (status, answer) = site.call(ANN, Method::GET, &format!("{HISTORY}?limit=30"), Value::Null).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable"))
        );
        assert_eq!(answer["error"]["retry_after_ms"], 1_000);
    }
}

#[tokio::test]
async fn uplinks_share_pages_and_do_without_a_server_that_died() {
    let mut redis = barrage_testkit::RedisServer::start().await;
    let breakers = barrage_guarded::BreakerMetrics::new(&prometheus::Registry::new()).unwrap();
    let config = barrage_quota::RedisPagesConfig {
        urls: vec![redis.url().into()],
        // A busy machine causes no failed call.
        deadline_ms: 500,
        ..Default::default()
    };
    let pages = || std::sync::Arc::new(barrage_quota::RedisPages::new(&config, &breakers).unwrap());
    let site = Site::start(UplinkConfig::default()).await;
    archive_five(&site).await;
    let [one, other] = [(); 2].map(|()| site.start_sharing(pages()));
    const READS: &str = "barrage_uplink_history_reads_total";
    barrage_testkit::wait::until_true(crate::site::PATIENCE, "a page of the other uplink", async || {
        assert_eq!(newest(&one, ANN).await.len(), 5);
        assert_eq!(newest(&other, ANN).await.len(), 5);
        other.counter(READS, "shared") > 0.0
    })
    .await;
    // A page of another uplink is not newer than its own load, whatever uplink hides a message.
    let sequence = site.messages().await[1].sequence;
    act(&other, "r1", json!({ "type": "recall", "sequence": sequence })).await;
    assert_eq!(newest(&other, ANN).await.len(), 4, "the page in Redis is from before");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(newest(&one, ANN).await.len(), 4);
    redis.kill();
    let before = one.counter(READS, "store") + other.counter(READS, "store");
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        for uplink in [&one, &other] {
            assert_eq!(newest(uplink, ANN).await.len(), 4);
        }
    }
    assert_eq!(one.counter(READS, "store") + other.counter(READS, "store") - before, 6.0);
}
