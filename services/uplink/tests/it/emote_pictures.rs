//! Emotes, stickers and badges whose pictures are media.

use barrage_protocol::{MediaKind, MediaReference, MediaView};
use barrage_token::{REFERENCE_SECS, Reference, Role};
use barrage_uplink::UplinkConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{Site, room};

const EMOTES: &str = "/v1/rooms/demo/emotes";
const ANN: (&str, Role) = ("ann", Role::Viewer);
const HOST: (&str, Role) = ("host", Role::Host);
const ROOT: (&str, Role) = ("root", Role::Admin);

fn picture(kind: MediaKind, digit: char) -> MediaView {
    let variant = |name: &str| json!({ "name": name, "media_type": "image/webp", "length": 5 });
    let view = json!({
        "digest": digit.to_string().repeat(64), "kind": kind, "width": 192, "height": 96, "thumbhash": "1QcSHQ",
        "variants": [variant("96"), variant("480")],
    });
    serde_json::from_value(view).unwrap()
}

fn reference(site: &Site, owner: &str, media: MediaView) -> MediaReference {
    let now_secs = barrage_clock::unix_ms() / 1_000;
    site.media.refer(&Reference::new(owner.parse().unwrap(), media, now_secs, REFERENCE_SECS)).unwrap()
}

fn emote(id: &str, kind: &str, reference: &MediaReference) -> Value {
    json!({ "id": id, "name": format!("n{id}"), "kind": kind, "reference": reference })
}

async fn put(site: &Site, by: (&str, Role), emotes: &[Value]) -> (StatusCode, Value) {
    site.call(by, Method::PUT, EMOTES, json!({ "emotes": emotes })).await
}

async fn read(site: &Site) -> Vec<Value> {
    let (_, set) = site.call(ANN, Method::GET, EMOTES, Value::Null).await;
    set["emotes"].as_array().unwrap().clone()
}

async fn post(site: &Site, id: &str, post: Value) -> (Value, Value) {
    let mut body = json!({ "type": "chat", "id": id, "text": "" });
    post.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
    let (_, answer) = site.call(ANN, Method::POST, "/v1/rooms/demo/messages", body).await;
    (answer["error"]["code"].clone(), answer["outcome"].clone())
}

#[tokio::test]
async fn set_names_checked_pictures_by_addresses_that_never_end() {
    let site = Site::start(UplinkConfig::default()).await;
    let own = reference(&site, "host", picture(MediaKind::Image, '7'));
    let (status, answer) = put(&site, HOST, &[emote("1", "emote", &own), emote("2", "badge", &own)]).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let mut set = read(&site).await;
    let url = set[0]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("/v1/media/{}/96?k=", "7".repeat(64))), "{url}");
    assert!(!url.contains("e="), "{url}");
    assert_eq!(
        (&set[0]["px"], &set[0]["reference"], &set[0]["kind"]),
        (&json!([48]), &Value::Null, &Value::Null)
    );
    assert_eq!((&set[1]["kind"], &set[1]["media"]["thumbhash"]), (&json!("badge"), &json!("1QcSHQ")));
    assert_eq!(set[0]["media"]["variants"][0]["url"], Value::Null, "addresses are signed by who reads");
    // A set goes back as it was read, and takes no picture that it does not have.
    set[1]["name"] = json!("vip");
    assert_eq!(put(&site, HOST, &set).await.0, StatusCode::OK);
    assert_eq!(read(&site).await, set);
    let mut foreign = set.clone();
    foreign[0]["media"]["digest"] = json!("8".repeat(64));
    let (status, answer) = put(&site, HOST, &foreign).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!("bad_request")),
        "{answer}"
    );
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("emotes[0].media"), "{answer}");
    let mut forged = set.clone();
    forged[0]["url"] = json!("https://other.example/x.png");
    assert_eq!(put(&site, HOST, &forged).await.0, StatusCode::OK);
    assert_eq!(read(&site).await, set, "the address is the server's");
    // What left the set comes back by a reference alone.
    assert_eq!(put(&site, HOST, &[]).await.0, StatusCode::OK);
    assert_eq!(put(&site, HOST, &set).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn reference_of_another_user_or_of_a_clip_is_refused_and_an_operator_may_take_any() {
    let site = Site::start(UplinkConfig::default()).await;
    let of_ann = reference(&site, "ann", picture(MediaKind::Image, '7'));
    let clip = reference(&site, "host", picture(MediaKind::Video, '7'));
    let forged = MediaReference::parse(&of_ann.as_str().replace('.', "A.")).unwrap();
    for (bad, code) in [(&of_ann, "forbidden"), (&clip, "bad_request"), (&forged, "bad_request")] {
        let (_, answer) = put(&site, HOST, &[emote("1", "emote", bad)]).await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    let (_, refused) = put(
        &site,
        HOST,
        &[json!({ "id": "1", "name": "wave", "kind": "sticker", "url": "/w.png", "px": [28] })],
    )
    .await;
    assert_eq!(refused["error"]["code"], "bad_request", "a sticker of an outside address: {refused}");
    let path = "/v1/admin/rooms/demo/emotes/1";
    let body = json!({ "name": "Kappa", "reference": of_ann });
    let (status, answer) = site.call(ROOT, Method::PUT, path, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(read(&site).await[0]["px"], json!([48]));
    let change =
        barrage_bus::Change::RemoveMedium { digest: picture(MediaKind::Image, '7').digest, at_ms: 9 };
    site.bus.change(change).await.unwrap();
    assert!(read(&site).await.is_empty(), "a removed picture is in no set");
    let (_, answer) =
        site.call(ROOT, Method::PUT, path, json!({ "name": "Kappa", "reference": of_ann })).await;
    assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
}

#[tokio::test]
async fn stickers_are_those_of_the_room_and_where_it_has_pictures_of_the_platform() {
    let site = Site::start(UplinkConfig::default()).await;
    let own = reference(&site, "host", picture(MediaKind::Image, '7'));
    put(&site, HOST, &[emote("wave", "sticker", &own), emote("word", "emote", &own)]).await;
    let of_root = reference(&site, "root", picture(MediaKind::Image, '8'));
    let platform = json!({ "emotes": [emote("big", "sticker", &of_root)] });
    assert_eq!(site.call(ROOT, Method::PUT, "/v1/emotes", platform).await.0, StatusCode::OK);
    let (none, shown) = (Value::Null, json!("broadcast"));
    assert_eq!(post(&site, "a1", json!({ "sticker": "wave" })).await, (none.clone(), shown.clone()));
    assert_eq!(post(&site, "a2", json!({ "sticker": "big" })).await.0, "forbidden");
    for (id, sticker) in [("a3", "word"), ("a4", "none")] {
        assert_eq!(post(&site, id, json!({ "sticker": sticker })).await.0, "not_found", "{sticker}");
    }
    let both = json!({ "sticker": "wave", "media": reference(&site, "ann", picture(MediaKind::Image, '9')) });
    assert_eq!(post(&site, "a5", both).await.0, "bad_request");
    let rule = json!({ "id": "r1", "action": { "type": "speak", "rule": { "media_role_min": "viewer" } } });
    site.call(HOST, Method::POST, "/v1/rooms/demo/actions", rule).await;
    assert_eq!(post(&site, "a6", json!({ "sticker": "big" })).await, (none, shown));
    let switch = barrage_bus::Change::Switch { name: "text-only".into(), value: json!(true) };
    site.bus.change(switch).await.unwrap();
    assert_eq!(post(&site, "a7", json!({ "sticker": "wave" })).await.0, "forbidden");
    let bodies: Vec<Value> =
        site.messages().await.iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect();
    let stickers: Vec<_> =
        bodies.iter().filter(|body| body["type"] == "chat").map(|body| &body["media"]).collect();
    assert_eq!(stickers.len(), 2);
    for (media, digit) in stickers.iter().zip(["7", "8"]) {
        assert_eq!((&media["digest"], &media["is_public"]), (&json!(digit.repeat(64)), &json!(true)));
        let url = media["variants"][1]["url"].as_str().unwrap();
        assert!(url.contains("/480?k="), "{url}");
    }
    let word = json!({ "type": "chat", "id": "a8", "text": "nword nwave" });
    site.call(ANN, Method::POST, "/v1/rooms/demo/messages", word).await;
    let last = site.messages().await.pop().unwrap();
    let body: Value = serde_json::from_slice(&last.body).unwrap();
    assert_eq!(body["emotes"], json!([[0, 5, "word"]]), "a sticker's word stays text");
    let settings = site.bus.settings().borrow().clone();
    assert!(
        settings.shows_medium(picture(MediaKind::Image, '7').digest, 0)
            && settings.room_emotes.contains_key(&room())
    );
}
