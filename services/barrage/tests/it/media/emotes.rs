//! Pictures of the media hosts in a room's set of emotes, and in its reviews.

use std::time::Duration;

use barrage_testkit::wait;
use serde_json::{Value, json};

use super::collection::{QUICK, allow_pictures, blobs, call, folder_of, picture, wait_until_gone};
use super::site::Site;
use crate::support::MESSAGES;

const PATIENCE: Duration = Duration::from_secs(30);
const EMOTES: &str = "/v1/rooms/demo/emotes";

async fn put(site: &Site, host: &str, emotes: Value) {
    let answer = site.server.call("PUT", EMOTES, host, &json!({ "emotes": emotes })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn picture_of_an_emote_stays_while_a_set_has_it_and_everybody_may_read_it() {
    let site = Site::start(&QUICK).await;
    let (ann, host) = (site.token("ann").await, site.server.token("host", "*", "host").await);
    let data = site.server.data_dir().to_owned();
    // A reference lives for a second here: each is put at once, and the first emote back as it was read.
    let kept = picture(&site, &host, "192x96").await;
    put(&site, &host, json!([{ "id": "1", "name": "Kappa", "reference": kept["reference"] }])).await;
    let sticker = picture(&site, &host, "80x64").await;
    let read = site.server.call("GET", EMOTES, &host, &Value::Null).await.body["emotes"][0].clone();
    let wave = json!({ "id": "wave", "name": "wave", "kind": "sticker", "reference": sticker["reference"] });
    put(&site, &host, json!([read, wave])).await;
    let unused = picture(&site, &host, "96x64").await;
    wait_until_gone(&folder_of(&data, &unused)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let set = site.server.call("GET", EMOTES, &ann, &Value::Null).await.body;
    let address = site.url(set["emotes"][0]["url"].as_str().unwrap());
    let answer = site.http.get(&address).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{set}");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert!(answer.bytes().await.unwrap().starts_with(b"RIFF"));
    let post = json!({ "type": "chat", "id": "m1", "text": "", "sticker": "wave" });
    call(&site, MESSAGES, &ann, post).await;
    // The set is replaced: what no message shows goes, and the sticker of a message stays.
    put(&site, &host, json!([])).await;
    wait_until_gone(&folder_of(&data, &kept)).await;
    wait::until_true(PATIENCE, "an address without a medium", async || {
        site.http.get(&address).send().await.unwrap().status() == 404
    })
    .await;
    assert!(blobs(&folder_of(&data, &sticker)).contains(&"record.json".to_owned()));
}

#[tokio::test]
async fn picture_that_waits_in_a_room_stays_until_it_is_denied() {
    let site = Site::start(&QUICK).await;
    let (ann, host) = (site.token("ann").await, allow_pictures(&site).await);
    let data = site.server.data_dir().to_owned();
    let rule = json!({ "id": "r2", "action": { "type": "speak", "rule": { "media_review": true } } });
    call(&site, "/v1/rooms/demo/actions", &host, rule).await;
    let waiting = picture(&site, &ann, "64x64").await;
    let post = json!({ "type": "chat", "id": "m1", "text": "", "media": waiting["reference"] });
    let held = call(&site, MESSAGES, &ann, post).await;
    let unused = picture(&site, &ann, "96x64").await;
    wait_until_gone(&folder_of(&data, &unused)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(blobs(&folder_of(&data, &waiting)).contains(&"record.json".to_owned()), "{held}");
    let review = format!("/v1/rooms/demo/reviews/{}", held["review"].as_str().unwrap());
    call(&site, &review, &host, json!({ "decision": "deny" })).await;
    wait_until_gone(&folder_of(&data, &waiting)).await;
}

#[tokio::test]
async fn avatar_is_read_without_a_signature_until_its_user_has_another() {
    let site = Site::start(&QUICK).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let data = site.server.data_dir().to_owned();
    let (one, other) = (picture(&site, &ann, "192x96").await, picture(&site, &ann, "80x64").await);
    let set = async |token: &str, view: &Value| {
        let request = site.http.post(site.url("/v1/media/avatars")).bearer_auth(token);
        let answer =
            request.body(json!({ "digest": view["media"]["digest"] }).to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let status = async |view: &Value| {
        let address = site.url(&format!("/v1/avatars/{}", view["media"]["digest"].as_str().unwrap()));
        site.http.get(address).send().await.unwrap().status().as_u16()
    };
    assert_eq!((status(&one).await, set(&bob, &one).await.0), (404, 404), "a picture of another user");
    let (code, answer) = set(&ann, &one).await;
    assert_eq!((code, &answer["avatar"]), (200, &one["media"]["digest"]), "{answer}");
    assert!(site.read(answer["url"].as_str().unwrap()).await.starts_with(b"RIFF"));
    // A token has it as its avatar.
    let attrs = json!({ "avatar": answer["avatar"] });
    serde_json::from_value::<barrage_protocol::UserAttrs>(attrs).unwrap();
    wait_until_gone(&folder_of(&data, &other)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(status(&one).await, 200, "an avatar is a use");
    let other = picture(&site, &ann, "96x80").await;
    assert_eq!(set(&ann, &other).await.0, 200);
    assert_eq!((status(&one).await, status(&other).await), (404, 200));
    wait_until_gone(&folder_of(&data, &one)).await;
    let removed = site.http.delete(site.url("/v1/media/avatars")).bearer_auth(&ann).send().await.unwrap();
    assert_eq!((removed.status().as_u16(), status(&other).await), (204, 404));
    wait_until_gone(&folder_of(&data, &other)).await;
}
