//! Pictures and stickers in a room, over HTTP.

use barrage_protocol::{
    Class, Digest, MediaKind, MediaReference, MediaVariant, MediaView, Message, Sequence,
};
use barrage_store::{ArchiveEntry, Effect};
use barrage_token::{REFERENCE_SECS, Reference, Role};
use barrage_uplink::UplinkConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{Site, room};

const MESSAGES: &str = "/v1/rooms/demo/messages";
const ANN: (&str, Role) = ("ann", Role::Viewer);
const HOST: (&str, Role) = ("host", Role::Host);

fn picture(kind: MediaKind, is_public: bool) -> MediaView {
    let url = String::new();
    MediaView {
        digest: Digest::new([7; 32]),
        kind,
        width: Some(1_600),
        height: Some(900),
        is_animated: false,
        is_public,
        thumbhash: Some("1QcSHQ".into()),
        variants: vec![MediaVariant { name: "96".into(), media_type: "image/webp".into(), length: 5, url }],
    }
}

/// A reference of the role media for ann, which was signed some seconds ago.
fn reference(site: &Site, media: MediaView, ago_secs: u64) -> MediaReference {
    let now_secs = barrage_clock::unix_ms() / 1_000;
    site.media
        .refer(&Reference::new("ann".parse().unwrap(), media, now_secs - ago_secs, REFERENCE_SECS))
        .unwrap()
}

async fn rule(site: &Site, id: &str, role: &str) {
    let rule = json!({ "id": id, "action": { "type": "speak", "rule": { "media_role_min": role } } });
    let (status, answer) = site.call(HOST, Method::POST, "/v1/rooms/demo/actions", rule).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// Posts a picture; returns code and rule of the refusal, which are empty for one that is shown.
async fn post(
    site: &Site,
    by: (&str, Role),
    id: &str,
    text: &str,
    media: &MediaReference,
) -> (String, String) {
    let post = json!({ "type": "chat", "id": id, "text": text, "media": media });
    let (_, answer) = site.call(by, Method::POST, MESSAGES, post).await;
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (of(&answer["error"]["code"]), of(&answer["error"]["limit"]["rule"]))
}

fn refused(code: &str, rule: &str) -> (String, String) {
    (code.into(), rule.into())
}

#[tokio::test]
async fn room_has_no_pictures_until_it_says_so_and_then_those_of_their_senders() {
    let site = Site::start(UplinkConfig::default()).await;
    let own = reference(&site, picture(MediaKind::Image, false), 0);
    let (off, shown) = (refused("forbidden", "speak_media_role_min"), refused("", ""));
    assert_eq!(post(&site, ANN, "a1", "look", &own).await, off);
    assert_eq!(post(&site, HOST, "a2", "look", &own).await, off);
    rule(&site, "r1", "moderator").await;
    assert_eq!(post(&site, ANN, "a3", "look", &own).await, off);
    rule(&site, "r2", "viewer").await;
    assert_eq!(post(&site, ANN, "b1", "look", &own).await, shown);
    assert_eq!(post(&site, ANN, "b1", "look", &own).await, shown, "a retry");
    assert_eq!(post(&site, ANN, "b2", "", &own).await, shown, "a picture needs no text");
    assert_eq!(post(&site, ("bob", Role::Viewer), "b3", "", &own).await, refused("forbidden", ""));
    let old = reference(&site, picture(MediaKind::Image, false), REFERENCE_SECS);
    assert_eq!(post(&site, ANN, "b4", "", &old).await, refused("bad_request", ""));
    let covered = picture(MediaKind::Video, false);
    let bare = MediaVariant {
        name: "original".into(),
        media_type: "video/mp4".into(),
        length: 9,
        url: String::new(),
    };
    let clip = reference(&site, MediaView { variants: vec![bare], ..covered.clone() }, 0);
    assert_eq!(post(&site, ANN, "b5", "", &clip).await, refused("bad_request", ""), "without a cover");
    let sound = reference(&site, picture(MediaKind::Audio, false), 0);
    assert_eq!(post(&site, ANN, "b7", "", &sound).await, refused("bad_request", ""));
    let clip = reference(&site, covered, 0);
    assert_eq!(post(&site, ANN, "b8", "", &clip).await, shown, "a clip with a cover");
    let forged = MediaReference::parse(&own.as_str().replace('.', "A.")).unwrap();
    assert_eq!(post(&site, ANN, "b6", "", &forged).await, refused("bad_request", ""));
    let bodies: Vec<Value> =
        site.messages().await.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect();
    let bodies: Vec<_> = bodies.iter().filter(|body| body["type"] == "chat").collect();
    assert_eq!(bodies.len(), 3);
    let media = &bodies[1]["media"];
    assert_eq!(
        (&bodies[1]["text"], &media["thumbhash"], &media["width"]),
        (&json!(""), &json!("1QcSHQ"), &json!(1_600))
    );
    let url = media["variants"][0]["url"].as_str().unwrap();
    assert!(url.starts_with("/v1/media/0707") && url.contains("/96?e="), "{url}");
}

#[tokio::test]
async fn emotes_alone_are_stickers_too_and_the_switch_takes_all_pictures_away() {
    let site = Site::start(UplinkConfig::default()).await;
    rule(&site, "r1", "viewer").await;
    let speak = json!({ "id": "r2", "action": { "type": "speak", "rule": { "emote_only": true } } });
    site.call(HOST, Method::POST, "/v1/rooms/demo/actions", speak).await;
    let own = reference(&site, picture(MediaKind::Image, false), 0);
    let sticker = reference(&site, picture(MediaKind::Image, true), 0);
    assert_eq!(post(&site, ANN, "a1", "", &own).await, refused("bad_text", "speak_emote_only"));
    assert_eq!(post(&site, ANN, "a2", "", &sticker).await, refused("", ""));
    let switch = barrage_bus::Change::Switch { name: "text-only".into(), value: json!(true) };
    site.bus.change(switch).await.unwrap();
    assert_eq!(post(&site, ANN, "a3", "", &sticker).await, refused("forbidden", ""));
}

#[tokio::test]
async fn history_signs_the_addresses_of_old_messages_anew() {
    let site = Site::start(UplinkConfig::default()).await;
    let old = site.media.with_addresses(&picture(MediaKind::Image, false), 1_000);
    let body = json!({ "type": "chat", "id": "m", "user": "ann", "name": "Ann", "text": "", "media": old, "at_ms": 7 });
    let message = Message {
        room: room(),
        sequence: Sequence(5),
        previous: Sequence::ZERO,
        class: Class::Chat,
        sender: None,
        id: None,
        to: None,
        at_ms: 7,
        trace: None,
        body: body.to_string().into(),
    };
    let entry = ArchiveEntry { at: Sequence(5), message: message.into(), effect: Effect::None };
    site.store.append(0, &[entry]).await.unwrap();
    for query in ["", "?after=0", "?from_ms=0&to_ms=9007199254740991"] {
        let (status, page) =
            site.call(ANN, Method::GET, &format!("/v1/rooms/demo/history{query}"), Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let mut shown = page["messages"][0]["body"].clone();
        let url = shown["media"]["variants"][0]["url"].as_str().unwrap().to_owned();
        let ends: u64 = url.split(['=', '&']).nth(1).unwrap().parse().unwrap();
        assert!(ends > barrage_clock::unix_ms() / 1_000, "{query}: {url}");
        shown["media"]["variants"][0]["url"] = body["media"]["variants"][0]["url"].clone();
        assert_eq!(shown, body, "nothing else changes");
    }
}

#[tokio::test]
async fn gallery_is_a_moderators_and_says_what_was_removed() {
    let site = Site::start(UplinkConfig::default()).await;
    let entry = |n: u8, digest: u8| {
        let media = MediaView { digest: Digest::new([digest; 32]), ..picture(MediaKind::Image, false) };
        let body =
            json!({ "type": "chat", "id": n, "user": "ann", "name": "Ann", "text": "", "media": media });
        let message = Message {
            room: room(),
            sequence: Sequence(n.into()),
            previous: Sequence::ZERO,
            class: Class::Chat,
            sender: None,
            id: None,
            to: None,
            at_ms: n.into(),
            trace: None,
            body: body.to_string().into(),
        };
        ArchiveEntry { at: Sequence(n.into()), message: message.into(), effect: Effect::None }
    };
    let entries: Vec<_> = [(5, 1), (6, 2), (7, 1), (8, 3)].map(|(n, digest)| entry(n, digest)).into();
    site.store.append(0, &entries).await.unwrap();
    let gone = Digest::new([1; 32]);
    site.bus.change(barrage_bus::Change::RemoveMedium { digest: gone, at_ms: 9 }).await.unwrap();
    let page = async |by, path: &str| site.call(by, Method::GET, path, Value::Null).await;
    let gallery = "/v1/rooms/demo/media";
    let (status, refused) = page(ANN, gallery).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    let moderator = ("mo", Role::Moderator);
    for bad in ["limit=0", "limit=201", "before=x", "after=1"] {
        assert_eq!(page(moderator, &format!("{gallery}?{bad}")).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let (mut path, mut found) = (format!("{gallery}?limit=3"), Vec::new());
    loop {
        let (status, answer) = page(moderator, &path).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        found.extend(answer["media"].as_array().unwrap().clone());
        let Some(before) = answer["before"].as_u64() else { break };
        path = format!("{gallery}?limit=3&before={before}");
    }
    let states: Vec<_> = found.iter().map(|it| (it["sequence"].clone(), it["state"].clone())).collect();
    let expected = [(8, "shown"), (7, "removed"), (6, "shown"), (5, "removed")];
    assert_eq!(states, expected.map(|(n, state)| (json!(n), json!(state))));
    let (shown, removed) = (&found[0], &found[1]);
    let url = shown["media"]["variants"][0]["url"].as_str().unwrap();
    assert!(url.starts_with("/v1/media/0303") && url.contains("/96?e="), "{url}");
    assert_eq!((&shown["user"], &shown["name"], &shown["at_ms"]), (&json!("ann"), &json!("Ann"), &json!(8)));
    assert_eq!(removed["media"]["variants"][0]["url"], Value::Null, "{removed}");
}

#[tokio::test]
async fn pictures_wait_for_a_moderator_where_the_room_wants_it() {
    let site = Site::start(UplinkConfig::default()).await;
    rule(&site, "r1", "viewer").await;
    let wait = json!({ "id": "r2", "action": { "type": "speak", "rule": { "media_review": true } } });
    let (status, answer) = site.call(HOST, Method::POST, "/v1/rooms/demo/actions", wait).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let own = reference(&site, picture(MediaKind::Image, false), 0);
    let sticker = reference(&site, picture(MediaKind::Image, true), 0);
    let send = async |id: &str, media| {
        let post = json!({ "type": "chat", "id": id, "text": "", "media": media });
        site.call(ANN, Method::POST, MESSAGES, post).await.1
    };
    let (first, second) = (send("a1", &own).await, send("a2", &own).await);
    assert_eq!((&first["outcome"], &first["limit"]["rule"]), (&json!("held"), &json!("moderation:media")));
    assert_eq!(send("a3", &sticker).await["outcome"], "broadcast", "a sticker is public");
    let of_host = site.media.refer(&Reference::new(
        "host".parse().unwrap(),
        picture(MediaKind::Image, false),
        barrage_clock::unix_ms() / 1_000,
        REFERENCE_SECS,
    ));
    assert_eq!(
        post(&site, HOST, "h1", "", &of_host.unwrap()).await,
        refused("", ""),
        "those who run the room"
    );
    let reviews = "/v1/rooms/demo/reviews";
    let listed = site.call(("mo", Role::Moderator), Method::GET, reviews, Value::Null).await.1;
    let review = &listed["reviews"][0];
    assert_eq!((&review["rule"], &review["user"]), (&json!("media"), &json!("ann")), "{listed}");
    let url = review["message"]["media"]["variants"][0]["url"].as_str().unwrap();
    assert!(url.starts_with("/v1/media/0707"), "{url}");
    for (answer, decision) in [(&first, "approve"), (&second, "deny")] {
        let path = format!("{reviews}/{}", answer["review"].as_str().unwrap());
        let decided = json!({ "decision": decision });
        let (status, answer) = site.call(("mo", Role::Moderator), Method::POST, &path, decided).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let messages = site.messages().await;
    let bodies = messages.iter().map(|message| serde_json::from_slice::<Value>(&message.body).unwrap());
    let ids: Vec<_> = bodies.filter(|body| body["type"] == "chat").map(|body| body["id"].clone()).collect();
    assert_eq!(ids, ["a3", "h1", "a1"]);
}
