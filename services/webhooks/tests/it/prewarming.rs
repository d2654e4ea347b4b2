//! A crowd that is announced reaches the receiver shortly before it comes, with the pictures of its room.

use std::collections::BTreeSet;

use barrage_bus::{Change, Prewarm, RoomPatch};
use barrage_protocol::RoomId;
use barrage_testkit::wait;
use serde_json::{Value, json};

use crate::receiver::{Receiver, Reply};
use crate::site::{PATIENCE, Site};

/// Time of an announcement that is further away than the ten minutes before its event, in milliseconds.
const FAR_MS: u64 = 3_600_000;

async fn patch(site: &Site, room: &RoomId, patch: RoomPatch) {
    site.bus.change(Change::Patch(room.clone(), patch)).await.unwrap();
}

#[tokio::test]
async fn announced_crowd_is_an_event_ten_minutes_before_it_comes_with_the_pictures_of_its_room() {
    let receiver = Receiver::start(|_| Reply::Status(200, "")).await;
    let site =
        Site::start(&receiver.url(), |config| config.endpoints[0].events = vec!["room.prewarm".into()]).await;
    let (room, now_ms): (RoomId, _) = ("demo".parse().unwrap(), barrage_clock::unix_ms());
    patch(&site, &room, RoomPatch::Ensure { title: "Demo".into() }).await;
    let emote =
        |id: &str, url: &str| json!({ "id": id, "name": format!(":{id}:"), "url": url, "px": [28, 56] });
    for (of, emote) in [
        (Some(room.clone()), emote("own", "https://cdn.example/own/{px}.webp")),
        (None, emote("all", "https://cdn.example/all.webp")),
    ] {
        let set = serde_json::from_value(json!({ "emotes": [emote] })).unwrap();
        site.bus.change(Change::Emotes { room: of, set, expected: None }).await.unwrap();
    }
    let prewarm = |at_ms| Prewarm { at_ms, lasts_secs: 3_600, viewers: 50_000 };
    let (soon_ms, far_ms) = (now_ms + 300_000, now_ms + FAR_MS);
    patch(&site, &room, RoomPatch::SetPrewarm(prewarm(far_ms))).await;
    patch(&site, &room, RoomPatch::SetPrewarm(prewarm(soon_ms))).await;
    wait::until_true(PATIENCE, "the event of the crowd", async || !receiver.requests().is_empty()).await;

    // A second announcement shows that a further look has no event again, and none of the far one.
    patch(&site, &room, RoomPatch::SetPrewarm(prewarm(soon_ms + 1_000))).await;
    wait::until_true(PATIENCE, "the event of the second crowd", async || receiver.requests().len() >= 2)
        .await;
    let requests = receiver.requests();
    let ids: BTreeSet<_> = requests.iter().map(|request| request.id().to_owned()).collect();
    let expected = [soon_ms, soon_ms + 1_000].map(|at_ms| format!("prewarm/demo/{at_ms}"));
    assert_eq!((requests.len(), ids), (2, expected.into()));
    let body: Value = serde_json::from_str(&requests[0].body).unwrap();
    let data = json!({
        "room": "demo", "at_ms": soon_ms, "lasts_secs": 3_600, "viewers": 50_000,
        "urls": [
            "https://cdn.example/own/28.webp", "https://cdn.example/own/56.webp", "https://cdn.example/all.webp",
        ],
    });
    assert_eq!((&body["type"], &body["data"]), (&json!("room.prewarm"), &data));
}
