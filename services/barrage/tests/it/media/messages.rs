//! Pictures in a room, in letters and in groups, from the upload to the bytes that a reader gets.

use std::time::Duration;

use barrage_testkit::wait;
use serde_json::{Value, json};

use super::pictures::ffmpeg;
use super::site::{Site, metadata};
use crate::support::MESSAGES;

/// Uploads a picture of ann, and returns the view of the upload.
async fn picture(site: &Site, token: &str, fields: &[(&str, &str)]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let bytes = ffmpeg(folder.path(), "testsrc=size=320x180", "a.png");
    let fields = metadata(fields);
    site.finished(token, &bytes, &[("upload-metadata", &fields)]).await
}

async fn call(site: &Site, method: &str, path: &str, token: &str, body: Value) -> Value {
    let answer = site.server.call(method, path, token, &body).await;
    assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
    answer.body
}

async fn allow_pictures(site: &Site) {
    let host = site.server.token("host", "*", "host").await;
    let rule = json!({ "id": "r1", "action": { "type": "speak", "rule": { "media_role_min": "viewer" } } });
    call(site, "POST", "/v1/rooms/demo/actions", &host, rule).await;
}

#[tokio::test]
async fn picture_goes_from_its_sender_to_the_readers_of_a_room() {
    let site = Site::start(&[]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let view = picture(&site, &ann, &[("filetype", "image/png")]).await;
    assert_eq!(view["state"], "ready", "{view}");
    let post = |id: &str| json!({ "type": "chat", "id": id, "text": "", "media": view["reference"] });
    let refused = site.server.call("POST", MESSAGES, &ann, &post("m0")).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{refused:?}");
    allow_pictures(&site).await;
    call(&site, "POST", MESSAGES, &ann, post("m1")).await;
    let refused = site.server.call("POST", MESSAGES, &bob, &post("m2")).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{refused:?}");
    // Entry names the host that the addresses are on.
    let entry = call(&site, "GET", "/v1/entry?room=demo", &bob, Value::Null).await;
    let host = entry["media"]["hosts"][0].as_str().unwrap();
    assert_eq!(host, format!("http://{}", site.media));
    let shown = wait::until(Duration::from_secs(20), "the message in the history", async || {
        let page = call(&site, "GET", "/v1/rooms/demo/history", &bob, Value::Null).await;
        let shown = page["messages"].as_array().unwrap().iter().find(|it| it["body"]["media"].is_object());
        shown.map(|message| message["body"]["media"].clone())
    })
    .await;
    assert_eq!(
        (&shown["width"], &shown["height"], &shown["thumbhash"]),
        (&json!(320), &json!(180), &view["media"]["thumbhash"])
    );
    for variant in shown["variants"].as_array().unwrap() {
        let url = format!("{host}{}", variant["url"].as_str().unwrap());
        let bytes = site.http.get(url).send().await.unwrap().bytes().await.unwrap();
        assert!(bytes.starts_with(b"RIFF") && bytes.len() as u64 == variant["length"].as_u64().unwrap());
    }
}

#[tokio::test]
async fn letters_and_groups_have_pictures_with_addresses_for_each_reader() {
    let site = Site::start(&[]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let view = picture(&site, &ann, &[("filetype", "image/png")]).await;
    let letter = json!({ "type": "image", "id": "m1", "text": "look", "media": view["reference"] });
    let sent = call(&site, "POST", "/v1/users/bob/messages", &ann, letter.clone()).await;
    let again = call(&site, "POST", "/v1/users/bob/messages", &ann, letter).await;
    assert_eq!((&sent["outcome"], &again["outcome"]), (&json!("accepted"), &json!("duplicate")));
    let path = format!("/v1/inbox?at_least={}&lane={}", sent["sequence"], sent["lane"]);
    let inbox = call(&site, "GET", &path, &bob, Value::Null).await;
    let item = &inbox["conversations"][0]["items"][0];
    assert_eq!((&item["kind"], &item["body"]["text"]), (&json!("image"), &json!("look")));
    let read = site.read(item["body"]["media"]["variants"][0]["url"].as_str().unwrap()).await;
    assert!(read.starts_with(b"RIFF"));
    let page = format!("/v1/conversations/{}/messages", sent["conversation"].as_str().unwrap());
    let page = call(&site, "GET", &page, &bob, Value::Null).await;
    assert_eq!(page["items"][0]["body"]["media"], item["body"]["media"]);
    // Another user's reference, and a private picture as a sticker.
    let of_ann = json!({ "type": "image", "id": "m2", "media": view["reference"] });
    let refused = site.server.call("POST", "/v1/users/ann/messages", &bob, &of_ann).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{refused:?}");
    let sticker = json!({ "type": "sticker", "id": "m3", "media": view["reference"] });
    let refused = site.server.call("POST", "/v1/users/bob/messages", &ann, &sticker).await;
    assert_eq!((refused.status, refused.code()), (400, "bad_request"), "{refused:?}");
}

#[tokio::test]
async fn public_picture_is_everybodys_sticker_and_a_private_one_its_owners_alone() {
    let site = Site::start(&[]).await;
    let (bob, host) = (site.token("bob").await, site.server.token("host", "*", "host").await);
    let fields = [("filetype", "image/png"), ("visibility", "public")];
    let view = picture(&site, &host, &fields).await;
    let refer = async |digest: &Value, token: &str| {
        let request = site.http.post(site.url("/v1/media/references")).bearer_auth(token);
        let answer = request.body(json!({ "digest": digest }).to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, referred) = refer(&view["media"]["digest"], &bob).await;
    assert_eq!((status, &referred["media"]["is_public"]), (200, &json!(true)), "{referred}");
    allow_pictures(&site).await;
    let post = json!({ "type": "chat", "id": "m1", "text": "", "media": referred["reference"] });
    call(&site, "POST", MESSAGES, &bob, post).await;
    let sticker = json!({ "type": "sticker", "id": "m2", "media": referred["reference"] });
    call(&site, "POST", "/v1/users/ann/messages", &bob, sticker).await;
    let (ann, folder) = (site.token("ann").await, tempfile::tempdir().unwrap());
    let private = site.finished(&ann, &ffmpeg(folder.path(), "testsrc=size=64x64", "b.png"), &[]).await;
    assert_eq!(refer(&private["media"]["digest"], &bob).await.0, 404);
    assert_eq!(refer(&private["media"]["digest"], &ann).await.0, 200);
    assert_eq!(refer(&json!("00"), &ann).await.0, 400);
}
