//! Reviews, reports, words of a room and the outside hook over HTTP.

use std::sync::Arc;

use axum::routing::post;
use barrage_http::{Front, HttpConfig, Tls};
use barrage_moderation::ModerationConfig;
use barrage_testkit::certificates;
use barrage_token::Role;
use barrage_uplink::UplinkConfig;
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

const MESSAGES: &str = "/v1/rooms/demo/messages";
const REVIEWS: &str = "/v1/rooms/demo/reviews";
const REPORTS: &str = "/v1/rooms/demo/reports";
const WORDS: &str = "/v1/rooms/demo/words";
const ANN: (&str, Role) = ("ann", Role::Viewer);
const BO: (&str, Role) = ("bo", Role::Viewer);
const MOD: (&str, Role) = ("mod", Role::Moderator);
const HOST: (&str, Role) = ("host", Role::Host);
const PROBE: (&str, Role) = ("probe", Role::Probe);

async fn chat(site: &Site, by: (&str, Role), id: &str, text: &str) -> Value {
    let post = json!({ "type": "chat", "id": id, "text": text });
    site.call(by, Method::POST, MESSAGES, post).await.1
}

async fn decide(site: &Site, by: (&str, Role), review: &Value, decision: Value) -> (StatusCode, Value) {
    let path = format!("{REVIEWS}/{}", review.as_str().unwrap());
    site.call(by, Method::POST, &path, decision).await
}

async fn put_words(site: &Site, rules: Value) {
    let (status, answer) = site.call(HOST, Method::PUT, WORDS, json!({ "rules": rules })).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn texts(site: &Site) -> Vec<String> {
    let messages = site.messages().await;
    let bodies = messages.iter().map(|message| serde_json::from_slice::<Value>(&message.body).unwrap());
    bodies.filter_map(|body| body["text"].as_str().map(str::to_owned)).collect()
}

fn asking() -> Value {
    json!([
        { "name": "mild", "words": ["darn"], "action": "mask" },
        { "name": "ask", "words": ["leak"], "action": "review" },
    ])
}

#[tokio::test]
async fn a_reviewed_message_waits_is_listed_with_its_word_and_appears_when_approved() {
    let site = Site::start(UplinkConfig::default()).await;
    put_words(&site, asking()).await;
    let held = chat(&site, ANN, "m1", "darn, a L e a k").await;
    assert_eq!((&held["outcome"], &held["limit"]["rule"]), (&json!("held"), &json!("moderation:words")));
    let again = chat(&site, ANN, "m1", "darn, a L e a k").await;
    assert_eq!(again["review"], held["review"]);
    let conflict = chat(&site, ANN, "m1", "another leak").await;
    assert_eq!(conflict["error"]["code"], "conflict");
    assert_eq!(texts(&site).await.len(), 0);

    let (_, list) = site.call(MOD, Method::GET, REVIEWS, Value::Null).await;
    let review = &list["reviews"][0];
    assert_eq!(
        (&review["id"], &review["rule"], &review["matched"]),
        (&held["review"], &json!("words:ask"), &json!("L e a k"))
    );
    assert_eq!(review["message"]["text"], "****, a L e a k");

    let (status, taken) = decide(&site, MOD, &held["review"], json!({ "decision": "take" })).await;
    assert_eq!((status, &taken["by"]), (StatusCode::OK, &json!("mod")));
    let (status, locked) = decide(&site, HOST, &held["review"], json!({ "decision": "approve" })).await;
    assert_eq!((status, &locked["error"]["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    assert!(locked["error"]["retry_after_ms"].as_u64().is_some_and(|ms| ms <= 60_000), "{locked}");
    let (status, approved) = decide(&site, MOD, &held["review"], json!({ "decision": "approve" })).await;
    assert_eq!((status, &approved["duplicate"]), (StatusCode::OK, &json!(false)), "{approved}");
    assert_eq!(texts(&site).await, ["****, a L e a k"]);
    let (_, second) = decide(&site, HOST, &held["review"], json!({ "decision": "approve" })).await;
    assert_eq!((&second["duplicate"], &second["sequence"]), (&json!(true), &approved["sequence"]));
    let late = chat(&site, ANN, "m1", "darn, a L e a k").await;
    assert_eq!((&late["outcome"], &late["sequence"]), (&json!("duplicate"), &approved["sequence"]));
    assert_eq!(texts(&site).await.len(), 1);
    assert_eq!(site.counter("barrage_uplink_reviews_total", "approved"), 1.0);

    let held = chat(&site, ANN, "m2", "a leak").await;
    let deny = json!({ "decision": "deny_and_mute", "secs": 60, "reason": "spoiler" });
    let (status, denied) = decide(&site, MOD, &held["review"], deny).await;
    assert_eq!((status, denied["until_ms"].is_u64()), (StatusCode::OK, true), "{denied}");
    assert_eq!(chat(&site, ANN, "m3", "hello").await["error"]["code"], "muted");
    let (status, refused) = decide(&site, HOST, &held["review"], json!({ "decision": "approve" })).await;
    assert_eq!(
        (status, refused["error"]["message"].as_str().unwrap().contains("mod")),
        (StatusCode::CONFLICT, true)
    );
    let filter = barrage_store::AuditFilter { room: None, user: None, actor: Some("mod"), action: None };
    let lines = site.store.audit(filter, None, 10).await.unwrap();
    let actions: Vec<_> = lines.iter().map(|line| line.record.action.as_str()).collect();
    assert_eq!(actions, ["review-deny-and-mute", "review-approve"]);
}

#[tokio::test]
async fn only_moderators_of_the_room_see_and_decide() {
    let site = Site::start(UplinkConfig::default()).await;
    put_words(&site, asking()).await;
    let held = chat(&site, ANN, "m1", "a leak").await;
    let review = format!("{REVIEWS}/{}", held["review"].as_str().unwrap());
    let rules = json!({ "rules": asking() });
    let calls = [
        (Method::GET, REVIEWS, Value::Null),
        (Method::PUT, REVIEWS, json!({ "fallback": "deny", "fallback_secs": 60 })),
        (Method::POST, review.as_str(), json!({ "decision": "take" })),
        (Method::GET, WORDS, Value::Null),
        (Method::PUT, WORDS, rules.clone()),
        (Method::POST, "/v1/rooms/demo/words/test", json!({ "text": "a leak" })),
    ];
    for (method, path, body) in calls {
        for by in [BO, ANN, PROBE] {
            let (status, refusal) = site.call(by, method.clone(), path, body.clone()).await;
            assert_eq!(
                (status, &refusal["error"]["code"]),
                (StatusCode::FORBIDDEN, &json!("forbidden")),
                "{path}"
            );
        }
        for by in [MOD, HOST, ("boss", Role::Admin)] {
            let by = if path == review { MOD } else { by };
            assert_eq!(site.call(by, method.clone(), path, body.clone()).await.0, StatusCode::OK, "{path}");
        }
    }
    let unknown = site.call(MOD, Method::GET, "/v1/rooms/nowhere/reviews", Value::Null).await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    for bad in [json!({ "fallback": "deny" }), json!({ "fallback_secs": 5 }), json!({ "fallback": "later" })]
    {
        assert_eq!(site.call(MOD, Method::PUT, REVIEWS, bad).await.0, StatusCode::BAD_REQUEST);
    }
    let missing = decide(&site, MOD, &json!("rv-none"), json!({ "decision": "deny" })).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn reports_open_a_review_with_the_last_ten_messages() {
    let site = Site::start(UplinkConfig::default()).await;
    let mut sequence = Value::Null;
    for n in 0..12 {
        sequence = chat(&site, ANN, &format!("m{n}"), &format!("text {n}")).await["sequence"].clone();
        chat(&site, BO, &format!("b{n}"), &format!("other {n}")).await;
    }
    let report = json!({ "user": "ann", "sequence": sequence, "reason": "rude" });
    let (status, first) = site.call(BO, Method::POST, REPORTS, report.clone()).await;
    assert_eq!((status, &first["duplicate"]), (StatusCode::OK, &json!(false)), "{first}");
    let (_, again) = site.call(BO, Method::POST, REPORTS, report.clone()).await;
    assert_eq!(again["duplicate"], true);
    site.call(("cy", Role::Viewer), Method::POST, REPORTS, report).await;
    let (_, list) = site.call(MOD, Method::GET, REVIEWS, Value::Null).await;
    let review = &list["reviews"][0];
    assert_eq!((&review["kind"], &review["report"]["count"]), (&json!("report"), &json!(2)));
    let evidence = review["report"]["evidence"].as_array().unwrap();
    let texts: Vec<_> = evidence.iter().map(|it| it["message"]["text"].as_str().unwrap()).collect();
    let expected: Vec<_> = (2..12).map(|n| format!("text {n}")).collect();
    assert_eq!(texts, expected);

    for n in 0..4 {
        let other = json!({ "user": format!("u{n}") });
        assert_eq!(site.call(BO, Method::POST, REPORTS, other).await.0, StatusCode::OK);
    }
    let (status, refusal) = site.call(BO, Method::POST, REPORTS, json!({ "user": "u9" })).await;
    assert_eq!((status, &refusal["error"]["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("rate_limited")));
    let own = site.call(BO, Method::POST, REPORTS, json!({ "user": "bo" })).await;
    assert_eq!(own.0, StatusCode::BAD_REQUEST);

    let (status, denied) = decide(&site, MOD, &review["id"], json!({ "decision": "deny_and_mute" })).await;
    assert_eq!((status, denied["sequence"].is_u64()), (StatusCode::OK, true), "{denied}");
    let signals = site.messages().await;
    let recall: Value = serde_json::from_slice(&signals.last().unwrap().body).unwrap();
    assert_eq!((&recall["signal"], &recall["sequence"]), (&json!("recall"), &sequence));
    assert_eq!(chat(&site, ANN, "later", "hello").await["error"]["code"], "muted");
}

#[tokio::test]
async fn a_moderator_cannot_mute_a_host_by_a_report() {
    let site = Site::start(UplinkConfig::default()).await;
    chat(&site, HOST, "h1", "hello").await;
    let (_, report) = site.call(BO, Method::POST, REPORTS, json!({ "user": "host" })).await;
    let (status, refusal) =
        decide(&site, MOD, &report["review"], json!({ "decision": "deny_and_mute" })).await;
    assert_eq!((status, &refusal["error"]["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    assert_eq!(
        decide(&site, MOD, &report["review"], json!({ "decision": "approve" })).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn words_are_tested_counted_in_shadow_and_changed_by_version() {
    let site = Site::start(UplinkConfig::default()).await;
    let rules = json!([{ "name": "quiet", "words": ["*spoil"], "action": "hold", "shadow": true }]);
    put_words(&site, rules.clone()).await;
    for n in 0..8 {
        let text = if n == 3 { "a spoiler".into() } else { format!("hello {n}") };
        assert_eq!(chat(&site, ANN, &format!("m{n}"), &text).await["outcome"], "broadcast");
    }
    let (_, shown) = site.call(MOD, Method::GET, WORDS, Value::Null).await;
    let figures = &shown["figures"][0];
    assert_eq!((&figures["texts"], &figures["hits"]), (&json!(8), &json!(1)));
    assert_eq!(figures["summary"], "would have held 12.5 % in ten minutes");

    let test = async |body: Value| site.call(MOD, Method::POST, "/v1/rooms/demo/words/test", body).await.1;
    let shadowed = test(json!({ "text": "a spoiler" })).await;
    assert_eq!((&shadowed["action"], &shadowed["hits"][0]["matched"]), (&Value::Null, &json!("spoil")));
    let wanted = test(json!({ "text": "darn leak", "rules": asking() })).await;
    assert_eq!((&wanted["action"], &wanted["text"]), (&json!("review"), &json!("**** leak")));

    let put = async |body: Value| site.call(MOD, Method::PUT, WORDS, body).await;
    let (status, stale) = put(json!({ "version": 0, "rules": [] })).await;
    assert_eq!((status, &stale["error"]["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    let active = json!([{ "name": "quiet", "words": ["*spoil"], "action": "hold" }]);
    let (_, changed) = put(json!({ "version": 1, "rules": active })).await;
    assert_eq!((&changed["version"], &changed["figures"][0]["texts"]), (&json!(2), &json!(0)));
    assert_eq!(chat(&site, ANN, "m9", "a spoiler").await["outcome"], "held");
    for (bad, said) in [
        (json!([{ "name": "a", "words": ["ok", "🙂"], "action": "hold" }]), "word 2"),
        (json!([{ "name": "a", "words": [" "], "action": "hold" }]), "blank"),
        (json!([{ "name": "a", "words": [], "action": "explode" }]), "explode"),
    ] {
        let (status, refusal) = put(json!({ "rules": bad })).await;
        let message = refusal["error"]["message"].as_str().unwrap();
        assert!(status == StatusCode::BAD_REQUEST && message.contains(said), "{message}");
    }
}

#[tokio::test]
async fn the_hook_is_asked_over_https_with_name_role_and_message_id() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let file = |name: &str| Some(folder.path().join(name));
    let http = HttpConfig {
        tls_cert_file: file("cert.pem"),
        tls_key_file: file("key.pem"),
        ..HttpConfig::default()
    };
    let listener = barrage_http::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::<Mutex<Vec<Value>>>::default();
    let seen = Arc::clone(&asked);
    let answer = async move |axum::Json(question): axum::Json<Value>| {
        let text = question["text"].as_str().unwrap_or_default().to_owned();
        seen.lock().push(question);
        axum::Json(match text.as_str() {
            "rewrite" => json!({ "action": "rewrite", "text": "kinder" }),
            action => json!({ "action": action, "reason": "a reason" }),
        })
    };
    let router = axum::Router::new().route("/check", post(answer));
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    let front = Front { tls: Tls::load(&http).unwrap(), ..Front::default() };
    tokio::spawn(barrage_http::serve_public(vec![listener], router, front, http, shutdown));

    let hook = json!({
        "url": format!("https://localhost:{port}/check"), "ca_file": folder.path().join("ca.pem"),
        "deadline_ms": 20_000, "fallback": "refuse",
    });
    let config: ModerationConfig = serde_json::from_value(json!({ "hook": hook })).unwrap();
    config.validate().unwrap();
    let site = Site::with_moderation(UplinkConfig::default(), config.clone()).await;
    assert_eq!(chat(&site, ANN, "m1", "allow").await["outcome"], "broadcast");
    assert_eq!(chat(&site, ANN, "m2", "deny").await["error"]["code"], "bad_text");
    assert_eq!(chat(&site, ANN, "m3", "rewrite").await["outcome"], "broadcast");
    let held = chat(&site, ANN, "m4", "review").await;
    assert_eq!((&held["outcome"], &held["limit"]["rule"]), (&json!("held"), &json!("moderation:hook")));
    assert_eq!(texts(&site).await, ["allow", "kinder"]);
    let (_, list) = site.call(MOD, Method::GET, REVIEWS, Value::Null).await;
    assert_eq!(
        (&list["reviews"][0]["rule"], &list["reviews"][0]["detail"]),
        (&json!("hook"), &json!("a reason"))
    );
    let first = asked.lock()[0].clone();
    let expected = json!({
        "room": "demo", "user": "ann", "id": "m1", "name": "ann", "role": "viewer", "text": "allow", "class": "chat",
    });
    assert_eq!(first, expected);

    // Without the authority the certificate is not trusted, and the fallback decides.
    let mut stranger = config;
    stranger.hook.as_mut().unwrap().ca_file = None;
    let site = Site::with_moderation(UplinkConfig::default(), stranger).await;
    assert_eq!(chat(&site, ANN, "m1", "allow").await["error"]["code"], "bad_text");
    assert_eq!(asked.lock().len(), 4);
}
