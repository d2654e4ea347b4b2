//! The hook about media, with a service that decides and may be slow, wrong or away.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use barrage_testkit::process::free_address;
use barrage_testkit::wait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::collection::{end_removal, folder_of};
use super::review::{decide, picture, view, waiting};
use super::site::Site;
use crate::cli::run_at;
use crate::support::{MESSAGES, chat, text_of};

const PATIENCE: Duration = Duration::from_secs(30);
/// A deadline that a busy machine meets, and a breaker that never opens.
pub(super) const PATIENT: [(&str, &str); 2] =
    [("MODERATION__HOOK__DEADLINE_MS", "20000"), ("MODERATION__HOOK__BREAKER__CALLS_MIN", "1000")];

/// What the service does with a question about a medium. Texts are allowed at once.
#[derive(Clone)]
pub(super) enum Reply {
    Say(Value),
    Fail,
    /// Says nothing until the next reply is set.
    Wait,
}

/// A service that decides about media.
pub(super) struct Judge {
    pub(super) reply: watch::Sender<Reply>,
    media: Mutex<Vec<Value>>,
    texts: Mutex<Vec<Value>>,
}

impl Judge {
    pub(super) async fn start(address: SocketAddr, reply: Reply) -> Arc<Judge> {
        let (reply, media) = (watch::Sender::new(reply), Mutex::default());
        let judge = Arc::new(Judge { reply, media, texts: Mutex::default() });
        let router = Router::new().route("/check", post(answer)).with_state(Arc::clone(&judge));
        let listener = TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        judge
    }

    pub(super) fn say(&self, answer: Value) {
        self.reply.send_replace(Reply::Say(answer));
    }

    pub(super) fn asked(&self) -> usize {
        self.media.lock().len()
    }

    /// Waits until this many questions about media have come, and returns the last one.
    pub(super) async fn question(&self, number: usize) -> Value {
        let what = format!("question {number} about a medium");
        wait::until_true(PATIENCE, &what, async || self.asked() >= number).await;
        self.media.lock().last().unwrap().clone()
    }
}

async fn answer(State(judge): State<Arc<Judge>>, Json(question): Json<Value>) -> Response {
    if question["text"].is_string() {
        judge.texts.lock().push(question);
        return Json(json!({ "action": "allow" })).into_response();
    }
    judge.media.lock().push(question);
    let mut replies = judge.reply.subscribe();
    loop {
        match replies.borrow_and_update().clone() {
            Reply::Say(answer) => return Json(answer).into_response(),
            Reply::Fail => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Reply::Wait => {}
        }
        replies.changed().await.unwrap();
    }
}

/// Starts a server that asks a service at this address about pictures.
pub(super) async fn site(judge: SocketAddr, more: &[(&str, &str)], data_dir: Option<&Path>) -> Site {
    let url = format!("http://{judge}/check");
    let own =
        [("MEDIA__HOOK", "pictures"), ("MEDIA__BASE_URL", "http://{media}"), ("MODERATION__HOOK__URL", &url)];
    let settings = own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Site::start_with(settings.collect(), data_dir.map(Path::to_owned)).await
}

/// Waits until an upload has a state.
pub(super) async fn state(site: &Site, upload: &str, token: &str, state: &str) -> Value {
    wait::until(PATIENCE, state, async || {
        let shown = view(site, upload, token).await;
        (shown["state"] == state).then_some(shown)
    })
    .await
}

/// Asserts that an upload waits, and that its sender has no reference to the medium.
async fn assert_waits(site: &Site, upload: &str, token: &str, digest: &Value) {
    let shown = view(site, upload, token).await;
    assert_eq!((&shown["state"], &shown["reference"]), (&json!("checking"), &Value::Null), "{shown}");
    let request = site.http.post(site.url("/v1/media/references")).bearer_auth(token);
    let answer = request.body(json!({ "digest": digest }).to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

pub(super) async fn answers(site: &Site, answer: &str) -> f64 {
    site.server.metric(&format!("barrage_media_hook_answers_total{{answer=\"{answer}\"}}")).await
}

#[tokio::test]
async fn allowed_picture_is_its_senders_and_is_asked_about_once() {
    let address = free_address();
    let judge = Judge::start(address, Reply::Wait).await;
    let site = site(address, &PATIENT, None).await;
    let (ann, bob, carl) = (site.token("ann").await, site.token("bob").await, site.token("carl").await);
    let file = picture("64x48");
    let upload = site.upload(&ann, &file, &[]).await;
    let question = judge.question(1).await;
    assert_eq!(question["user"], "ann");
    assert_eq!(question.as_object().unwrap().len(), 2, "a medium has no room: {question}");
    let media = &question["media"];
    assert_eq!((&media["kind"], &media["type"]), (&json!("image"), &json!("image/webp")), "{question}");
    // The address is absolute, leads to the bytes, and ends within five minutes.
    let url = media["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://{}/v1/media/", site.media)), "{url}");
    let seen = site.http.get(url).send().await.unwrap().bytes().await.unwrap();
    assert!(seen.starts_with(b"RIFF") && media["size"] == seen.len(), "{question}");
    let ends: u64 = url.split_once("?e=").unwrap().1.split_once('&').unwrap().0.parse().unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((now + 200..=now + 300).contains(&ends), "{ends} at {now}");
    assert_waits(&site, &upload, &ann, &media["digest"]).await;
    // The same file of another user waits for the same answer.
    let of_bob = site.upload(&bob, &file, &[]).await;
    wait::until_true(PATIENCE, "two checks that wait", async || {
        site.server.metric("barrage_media_checks_total{result=\"waits\"}").await == 2.0
    })
    .await;
    assert_waits(&site, &of_bob, &bob, &media["digest"]).await;
    judge.say(json!({ "action": "allow" }));
    let ready = state(&site, &upload, &ann, "ready").await;
    assert_eq!((&ready["media"]["digest"], ready["reference"].is_string()), (&media["digest"], true));
    state(&site, &of_bob, &bob, "ready").await;
    judge.say(json!({ "action": "deny" }));
    assert_eq!(site.finished(&carl, &file, &[]).await["state"], "ready", "allowed before");
    assert_eq!(site.finished(&carl, b"a note", &[]).await["state"], "ready", "no picture");
    assert_eq!((judge.asked(), answers(&site, "allow").await), (1, 1.0));
    let answered = "barrage_breaker_calls_total{breaker=\"media_hook\",outcome=\"answered\"}";
    assert_eq!(site.server.metric(answered).await, 1.0);
    let admin = site.server.token("root", "*", "admin").await;
    waiting(&site, &admin, 0).await;
}

#[tokio::test]
async fn denied_picture_is_gone_and_refused_until_its_denial_is_lifted() {
    let address = free_address();
    let judge = Judge::start(address, Reply::Wait).await;
    let site = site(address, &PATIENT, None).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let file = picture("80x60");
    let upload = site.upload(&ann, &file, &[]).await;
    let question = judge.question(1).await;
    judge.say(json!({ "action": "deny", "reason": "a weapon" }));
    let refused = state(&site, &upload, &ann, "refused").await;
    assert_eq!(refused["refusal"]["code"], "forbidden", "{refused}");
    let url = question["media"]["url"].as_str().unwrap();
    assert_eq!(site.http.get(url).send().await.unwrap().status(), 404, "the bytes are gone");
    let again = site.finished(&bob, &file, &[]).await;
    assert_eq!((&again["state"], &again["refusal"]["code"]), (&json!("refused"), &json!("forbidden")));
    assert_eq!(judge.asked(), 1, "the denial needs no second question");
    let digest = question["media"]["digest"].as_str().unwrap();
    let lifted = run_at(&site.server, &["review", "lift-media", digest]).await;
    assert!(lifted.status.success(), "{}", text_of(&lifted));
    end_removal(&folder_of(site.server.data_dir(), &question));
    judge.say(json!({ "action": "allow" }));
    assert_eq!(site.finished(&bob, &file, &[]).await["state"], "ready");
    assert_eq!((judge.asked(), answers(&site, "deny").await), (2, 1.0));
}

#[tokio::test]
async fn picture_that_the_hook_does_not_decide_about_waits_for_a_moderator() {
    let address = free_address();
    let judge = Judge::start(address, Reply::Wait).await;
    let both = [&PATIENT[..], &[("MEDIA__REVIEW", "pictures")]].concat();
    let (site, strict) = (site(address, &PATIENT, None).await, site(address, &both, None).await);
    let say = |action: &str| json!({ "action": action, "reason": format!("because of {action}") });
    for (action, size) in [("review", "32x24"), ("hold", "48x36"), ("rewrite", "96x72")] {
        judge.say(say(action));
        let (ann, admin) = (site.token("ann").await, site.server.token("root", "*", "admin").await);
        let upload = site.upload(&ann, &picture(size), &[]).await;
        let review = wait::until(PATIENCE, "a picture for a moderator", async || {
            let review = waiting(&site, &admin, 1).await.remove(0);
            (review["awaits_hook"] == false).then_some(review)
        })
        .await;
        assert_eq!(review["reason"], format!("because of {action}"), "{review}");
        assert_waits(&site, &upload, &ann, &review["media"]["digest"]).await;
        assert_eq!(decide(&site, &admin, &review, "approve").await, 204);
        state(&site, &upload, &ann, "ready").await;
    }
    assert_eq!((judge.asked(), answers(&site, "review").await), (3, 3.0));
    // With `media.review`, a moderator looks at what the hook allows.
    judge.say(say("allow"));
    let (ann, admin) = (strict.token("ann").await, strict.server.token("root", "*", "admin").await);
    let upload = strict.upload(&ann, &picture("32x24"), &[]).await;
    wait::until_true(PATIENCE, "the answer", async || answers(&strict, "allow").await == 1.0).await;
    let review = wait::until(PATIENCE, "a picture for a moderator", async || {
        let review = waiting(&strict, &admin, 1).await.remove(0);
        (review["awaits_hook"] == false).then_some(review)
    })
    .await;
    assert_waits(&strict, &upload, &ann, &review["media"]["digest"]).await;
    assert_eq!(decide(&strict, &admin, &review, "deny").await, 204);
    assert_eq!(state(&strict, &upload, &ann, "refused").await["refusal"]["code"], "forbidden");
}

#[tokio::test]
async fn without_a_service_the_fallback_decides() {
    let file = picture("64x48");
    let start = async |fallback: &str| {
        let address = free_address();
        let more = [&PATIENT[..], &[("MODERATION__HOOK__FALLBACK", fallback)]].concat();
        let site = site(address, &more, None).await;
        let (ann, admin) = (site.token("ann").await, site.server.token("root", "*", "admin").await);
        (address, site, ann, admin)
    };
    let (_, site, ann, _) = start("admit").await;
    assert_eq!(site.finished(&ann, &file, &[]).await["state"], "ready");
    assert_eq!(answers(&site, "away").await, 1.0);

    let (_, site, ann, admin) = start("review").await;
    let upload = site.upload(&ann, &file, &[]).await;
    wait::until_true(PATIENCE, "the fallback", async || {
        waiting(&site, &admin, 1).await[0]["awaits_hook"] == false
    })
    .await;
    let review = waiting(&site, &admin, 1).await.remove(0);
    assert_waits(&site, &upload, &ann, &review["media"]["digest"]).await;

    let (address, site, ann, admin) = start("refuse").await;
    let refused = site.finished(&ann, &file, &[]).await;
    let refusal = &refused["refusal"];
    assert_eq!((&refused["state"], &refusal["code"]), (&json!("refused"), &json!("unavailable")));
    assert!(refusal["retry_after_ms"].is_u64(), "{refused}");
    waiting(&site, &admin, 0).await;
    let judge = Judge::start(address, Reply::Say(json!({ "action": "allow" }))).await;
    let folder = json!({ "media": { "digest": review["media"]["digest"] } });
    end_removal(&folder_of(site.server.data_dir(), &folder));
    assert_eq!(site.finished(&ann, &file, &[]).await["state"], "ready", "no denial");
    assert_eq!(judge.asked(), 1);
}

#[tokio::test]
async fn held_pictures_are_asked_about_again_until_somebody_decides_or_the_upload_ends() {
    let address = free_address();
    let more = [&PATIENT[..], &[("MODERATION__HOOK__FALLBACK", "hold")]].concat();
    let site = site(address, &more, None).await;
    let (ann, admin) = (site.token("ann").await, site.server.token("root", "*", "admin").await);
    let first = site.upload(&ann, &picture("64x48"), &[]).await;
    wait::until_true(PATIENCE, "two questions", async || answers(&site, "away").await >= 2.0).await;
    let review = waiting(&site, &admin, 1).await.remove(0);
    assert_eq!(review["awaits_hook"], true, "{review}");
    assert_waits(&site, &first, &ann, &review["media"]["digest"]).await;
    assert_eq!(decide(&site, &admin, &review, "approve").await, 204, "while the service is away");
    state(&site, &first, &ann, "ready").await;
    let ended = site.upload(&ann, &picture("80x60"), &[]).await;
    waiting(&site, &admin, 1).await;
    assert_eq!(site.tus("DELETE", &ended, &ann, &[], "").await.status(), 204);
    let away = answers(&site, "away").await;
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert!(answers(&site, "away").await <= away + 1.0, "an upload that ended is not asked about");
    let third = site.upload(&ann, &picture("96x72"), &[]).await;
    waiting(&site, &admin, 2).await;
    let judge = Judge::start(address, Reply::Say(json!({ "action": "allow" }))).await;
    state(&site, &third, &ann, "ready").await;
    assert_eq!(judge.asked(), 1);
}

#[tokio::test]
async fn texts_do_not_wait_for_slow_pictures_and_have_another_breaker() {
    let address = free_address();
    let judge = Judge::start(address, Reply::Wait).await;
    let more = [
        ("MODERATION__HOOK__DEADLINE_MS", "10000"),
        ("MEDIA__HOOK_DEADLINE_MS", "60000"),
        ("MODERATION__HOOK__CALLS_MAX", "1"),
        ("MODERATION__HOOK__FALLBACK", "hold"),
        ("MODERATION__HOOK__BREAKER__CALLS_MIN", "3"),
        ("MODERATION__HOOK__BREAKER__SLOW_MS", "30000"),
    ];
    let site = site(address, &more, None).await;
    let ann = site.server.token("ann", "*", "viewer").await;
    let mut uploads = Vec::new();
    for size in ["32x24", "48x36", "64x48"] {
        uploads.push(site.upload(&ann, &picture(size), &[]).await);
    }
    wait::until_true(PATIENCE, "checks that wait", async || {
        site.server.metric("barrage_media_checks_total{result=\"waits\"}").await == 3.0
    })
    .await;
    judge.question(1).await;
    let posted = async |id: &str| {
        let answer = site.server.post(MESSAGES, &ann, chat(id, &format!("hello {id}"))).await;
        answer.body["outcome"].clone()
    };
    assert_eq!((posted("m1").await, posted("m2").await), (json!("broadcast"), json!("broadcast")));
    assert_eq!((judge.asked(), judge.texts.lock().len()), (1, 2), "one call for media at a time");
    judge.reply.send_replace(Reply::Fail);
    wait::until_true(PATIENCE, "an open breaker", async || {
        site.server.metric("barrage_breaker_state{breaker=\"media_hook\"}").await == 2.0
    })
    .await;
    assert_eq!(posted("m3").await, json!("broadcast"), "with one breaker, the text would be held");
    assert_eq!(site.server.metric("barrage_breaker_state{breaker=\"moderation_hook\"}").await, 0.0);
    judge.say(json!({ "action": "allow" }));
    for upload in uploads {
        state(&site, &upload, &ann, "ready").await;
    }
}

#[tokio::test]
async fn kill_before_the_answer_asks_again_and_gives_nobody_a_reference() {
    let (address, folder) = (free_address(), tempfile::tempdir().unwrap());
    let judge = Judge::start(address, Reply::Wait).await;
    let site = site(address, &PATIENT, Some(&folder.path().join("data"))).await;
    let ann = site.token("ann").await;
    let file = picture("64x48");
    let upload = site.upload(&ann, &file, &[]).await;
    let digest = judge.question(1).await["media"]["digest"].clone();
    let site = site.kill_and_restart().await;
    assert_eq!(judge.question(2).await["media"]["digest"], digest);
    assert_waits(&site, &upload, &ann, &digest).await;
    // A kill after the record and before the stage of the upload: the check is made again.
    let spool = site.server.data_dir().join("media/spool");
    let id = upload.rsplit_once('/').unwrap().1.to_owned();
    let site = site
        .restart_after(|| {
            let stage = json!({ "stage": "checking", "digest": digest }).to_string();
            std::fs::write(spool.join(format!("{id}.stage")), stage).unwrap();
            std::fs::write(spool.join(format!("{id}.data")), &file).unwrap();
        })
        .await;
    judge.question(3).await;
    assert_waits(&site, &upload, &ann, &digest).await;
    judge.say(json!({ "action": "allow" }));
    state(&site, &upload, &ann, "ready").await;
    assert_eq!(judge.asked(), 3, "once for each process");
}

#[tokio::test]
async fn shadow_mode_counts_the_answer_and_lets_the_picture_pass() {
    let address = free_address();
    let judge = Judge::start(address, Reply::Say(json!({ "action": "deny" }))).await;
    let more = [&PATIENT[..], &[("MODERATION__HOOK__SHADOW", "true")]].concat();
    let site = site(address, &more, None).await;
    let ann = site.token("ann").await;
    assert_eq!(site.finished(&ann, &picture("64x48"), &[]).await["state"], "ready");
    assert_eq!((judge.asked(), answers(&site, "deny").await), (1, 1.0));
}
