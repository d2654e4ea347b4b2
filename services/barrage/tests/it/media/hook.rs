//! Media that the moderation hook is asked about: a service that reads each picture before it answers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use barrage_testkit::wait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::pictures::ffmpeg;
use super::site::{Site, bytes};

const PATIENCE: Duration = Duration::from_secs(60);

/// The service: its answer, and what it was asked with the first bytes that it has read.
#[derive(Default)]
struct Service {
    answer: Mutex<&'static str>,
    asked: Mutex<Vec<(Value, Vec<u8>)>>,
}

async fn decide(State(service): State<Arc<Service>>, axum::Json(question): axum::Json<Value>) -> Response {
    let read = reqwest::get(question["media"]["url"].as_str().unwrap()).await.unwrap();
    let read = read.error_for_status().unwrap().bytes().await.unwrap();
    service.asked.lock().push((question, read.to_vec()));
    match *service.answer.lock() {
        "fail" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        answer => axum::Json(json!({ "action": answer })).into_response(),
    }
}

impl Service {
    async fn start() -> (Arc<Self>, String) {
        let service = Arc::<Service>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/check", listener.local_addr().unwrap());
        let router = Router::new().route("/check", post(decide)).with_state(Arc::clone(&service));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (service, url)
    }

    fn answers(&self, answer: &'static str) {
        *self.answer.lock() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.lock().len()
    }

    async fn wait_for_questions(&self, more_than: usize) {
        wait::until_true(PATIENCE, "a question to the hook", async || self.asked() > more_than).await;
    }
}

fn picture(size: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    ffmpeg(folder.path(), &format!("testsrc=size={size}"), "a.png")
}

async fn start(url: &str, fallback: &str, folder: &tempfile::TempDir) -> Site {
    let settings = [
        ("MEDIA__HOOK", "pictures"),
        ("MODERATION__HOOK__URL", url),
        ("MODERATION__HOOK__DEADLINE_MS", "10000"),
        ("MODERATION__HOOK__FALLBACK", fallback),
        // The breaker stays closed: each check asks.
        ("MODERATION__HOOK__BREAKER__CALLS_MIN", "1000000"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Site::start_with(settings.to_vec(), Some(folder.path().join("data"))).await
}

async fn state(site: &Site, upload: &str, token: &str) -> Value {
    site.tus("GET", upload, token, &[], "").await.json().await.unwrap()
}

#[tokio::test]
async fn hook_reads_a_picture_by_its_address_and_decides_about_it() {
    let (service, url) = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let site = start(&url, "admit", &folder).await;
    let (ann, admin) = (site.token("ann").await, site.server.token("root", "*", "admin").await);
    service.answers("allow");
    let view = site.finished(&ann, &picture("640x320"), &[]).await;
    assert_eq!((&view["state"], view["reference"].is_string()), (&json!("ready"), true), "{view}");
    let (question, read) = service.asked.lock().pop().unwrap();
    let medium = &question["media"];
    assert_eq!((&question["user"], &medium["digest"]), (&json!("ann"), &view["media"]["digest"]));
    assert_eq!((&medium["kind"], &medium["width"]), (&json!("image"), &json!(640)), "{question}");
    assert!(read.starts_with(b"RIFF") && medium["length"] == read.len(), "{question}");
    let url = medium["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://{}/v1/media/", site.media)) && url.contains("/480?e="), "{url}");
    let ends: u64 = url.split(['=', '&']).nth(1).unwrap().parse().unwrap();
    assert!(ends <= barrage_clock::unix_ms() / 1_000 + 300, "{url}");
    // A picture that was allowed is not asked about again, and a file is not asked about at all.
    let bob = site.token("bob").await;
    assert_eq!(site.finished(&bob, &picture("640x320"), &[]).await["state"], "ready");
    assert_eq!(site.finished(&ann, &bytes(2_000), &[]).await["state"], "ready");
    assert_eq!(service.asked(), 0);
    service.answers("review");
    let upload = site.upload(&ann, &picture("80x64"), &[]).await;
    let digest = wait::until(PATIENCE, "a review", async || {
        let listed = site.server.admin("GET", "/media/reviews", &admin, &Value::Null).await.body;
        listed["reviews"][0]["media"]["digest"].as_str().map(str::to_owned)
    })
    .await;
    service.wait_for_questions(0).await;
    let shown = state(&site, &upload, &ann).await;
    assert_eq!((&shown["state"], &shown["reference"]), (&json!("checking"), &Value::Null), "{shown}");
    let path = format!("/media/reviews/{digest}");
    assert_eq!(site.server.admin("POST", &path, &admin, &json!({ "decision": "approve" })).await.status, 204);
    assert_eq!(site.checked(&upload, &ann).await["state"], "ready");
    service.answers("deny");
    for token in [&ann, &bob] {
        let view = site.finished(token, &picture("96x64"), &[]).await;
        let code = &view["refusal"]["code"];
        assert_eq!((&view["state"], code), (&json!("refused"), &json!("forbidden")), "{view}");
    }
    assert_eq!(service.asked(), 2, "what was denied is refused by its digest");
    // The service fails: the fallback admits.
    service.answers("fail");
    assert_eq!(site.finished(&ann, &picture("64x96"), &[]).await["state"], "ready");
}

#[tokio::test]
async fn picture_waits_for_a_hook_that_fails_through_a_kill() {
    let (service, url) = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let site = start(&url, "hold", &folder).await;
    let ann = site.token("ann").await;
    service.answers("fail");
    let upload = site.upload(&ann, &picture("64x64"), &[]).await;
    service.wait_for_questions(1).await;
    assert_eq!(state(&site, &upload, &ann).await["state"], "checking");
    let digest = service.asked.lock()[0].0["media"]["digest"].clone();
    let site = site.kill_and_restart().await;
    service.wait_for_questions(service.asked()).await;
    let request = site.http.post(site.url("/v1/media/references")).bearer_auth(&ann);
    let answer = request.body(json!({ "digest": digest }).to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 404, "nobody may send it");
    service.answers("allow");
    assert_eq!(site.checked(&upload, &ann).await["state"], "ready");
}
