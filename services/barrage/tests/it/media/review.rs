//! Media that wait for a moderator.

use std::time::Duration;

use barrage_testkit::wait;
use serde_json::{Value, json};

use super::collection::{end_removal, folder_of};
use super::pictures::ffmpeg;
use super::site::{Site, metadata};
use crate::cli::run_at;
use crate::support::text_of;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn picture(size: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    ffmpeg(folder.path(), &format!("testsrc=size={size}"), "a.png")
}

/// Waits until as many media wait for a moderator, and returns them.
pub(super) async fn waiting(site: &Site, admin: &str, number: usize) -> Vec<Value> {
    wait::until(PATIENCE, "media that wait", async || {
        let answer = site.server.admin("GET", "/media/reviews", admin, &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let reviews = answer.body["reviews"].as_array().unwrap().clone();
        (reviews.len() == number).then_some(reviews)
    })
    .await
}

pub(super) async fn decide(site: &Site, admin: &str, review: &Value, decision: &str) -> u16 {
    let path = format!("/media/reviews/{}", review["media"]["digest"].as_str().unwrap());
    site.server.admin("POST", &path, admin, &json!({ "decision": decision })).await.status
}

pub(super) async fn view(site: &Site, upload: &str, token: &str) -> Value {
    site.tus("GET", upload, token, &[], "").await.json().await.unwrap()
}

#[tokio::test]
async fn picture_waits_for_a_moderator_through_a_kill_and_is_then_its_senders() {
    let folder = tempfile::tempdir().unwrap();
    let settings = vec![("MEDIA__REVIEW".to_owned(), "pictures".to_owned())];
    let site = Site::start_with(settings, Some(folder.path().join("data"))).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let admin = site.server.token("root", "*", "admin").await;
    let file = picture("64x48");
    let upload = site.upload(&ann, &file, &[]).await;
    let review = waiting(&site, &admin, 1).await.remove(0);
    assert_eq!((&review["user"], &review["media"]["kind"]), (&json!("ann"), &json!("image")), "{review}");
    let address = review["media"]["variants"][0]["url"].as_str().unwrap().to_owned();
    assert!(site.read(&address).await.starts_with(b"RIFF"), "the moderator sees the picture");
    let of_console = site.http.get(format!("http://{}{address}", site.server.admin)).send().await.unwrap();
    assert!(
        of_console.bytes().await.unwrap().starts_with(b"RIFF"),
        "the console shows it from its own origin"
    );
    let site = site.kill_and_restart().await;
    let shown = view(&site, &upload, &ann).await;
    assert_eq!((&shown["state"], &shown["reference"]), (&json!("checking"), &Value::Null), "{shown}");
    for token in [&ann, &bob] {
        let request = site.http.post(site.url("/v1/media/references")).bearer_auth(token);
        let body = json!({ "digest": review["media"]["digest"] }).to_string();
        assert_eq!(request.body(body).send().await.unwrap().status(), 404, "nobody may send it");
    }
    // What was uploaded is kept nowhere, while it waits too.
    let spool = site.server.data_dir().join("media/spool");
    wait::until_true(PATIENCE, "a spool without bytes", async || {
        let files = std::fs::read_dir(&spool).unwrap().flatten();
        files.map(|file| file.file_name()).all(|name| !name.to_string_lossy().ends_with(".data"))
    })
    .await;
    // The same file of another user waits as well, and a file that is no picture does not.
    let of_bob = site.upload(&bob, &file, &[]).await;
    let note = site.finished(&bob, b"a note", &[]).await;
    assert_eq!(note["state"], "ready", "{note}");
    let digest = review["media"]["digest"].as_str().unwrap();
    let approved = run_at(&site.server, &["review", "decide-media", digest, "approve"]).await;
    assert!(approved.status.success(), "{}", text_of(&approved));
    assert_eq!(decide(&site, &admin, &review, "deny").await, 404, "the first decision counts");
    for (upload, token) in [(&upload, &ann), (&of_bob, &bob)] {
        wait::until_true(PATIENCE, "the end of the review", async || {
            view(&site, upload, token).await["state"] == "ready"
        })
        .await;
    }
    assert!(view(&site, &upload, &ann).await["reference"].is_string());
    // Approved once, it is not asked for again.
    let carl = site.token("carl").await;
    assert_eq!(site.finished(&carl, &file, &[]).await["state"], "ready");
    waiting(&site, &admin, 0).await;
}

#[tokio::test]
async fn denied_picture_is_gone_and_refused_from_then_on() {
    let site = Site::start(&[("REVIEW", "all")]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let admin = site.server.token("root", "*", "admin").await;
    let file = picture("80x60");
    let upload = site.upload(&ann, &file, &[]).await;
    let review = waiting(&site, &admin, 1).await.remove(0);
    let viewer = site.server.admin("GET", "/media/reviews", &ann, &Value::Null).await;
    assert_eq!(viewer.status, 403, "{viewer:?}");
    assert_eq!(decide(&site, &admin, &review, "deny").await, 204);
    let refused = wait::until(PATIENCE, "the refusal", async || {
        let shown = view(&site, &upload, &ann).await;
        (shown["state"] == "refused").then_some(shown)
    })
    .await;
    assert_eq!(refused["refusal"]["code"], "forbidden", "{refused}");
    let address = review["media"]["variants"][0]["url"].as_str().unwrap();
    assert_eq!(site.http.get(site.url(address)).send().await.unwrap().status(), 404);
    let again = site.finished(&bob, &file, &[]).await;
    assert_eq!((&again["state"], &again["refusal"]["code"]), (&json!("refused"), &json!("forbidden")));
    // Once the denial is lifted, the file waits again.
    let digest = review["media"]["digest"].as_str().unwrap();
    let lifted = run_at(&site.server, &["review", "lift-media", digest]).await;
    assert!(lifted.status.success(), "{}", text_of(&lifted));
    let none = run_at(&site.server, &["review", "lift-media", digest]).await;
    assert!(!none.status.success(), "{}", text_of(&none));
    end_removal(&folder_of(site.server.data_dir(), &review));
    site.upload(&bob, &file, &[]).await;
    let review = waiting(&site, &admin, 1).await.remove(0);
    assert_eq!(decide(&site, &admin, &review, "deny").await, 204);
    // An upload that its sender ends meanwhile leaves nothing that could be sent.
    let other =
        site.upload(&ann, b"a note", &[("upload-metadata", &metadata(&[("filename", "a.txt")]))]).await;
    let review = waiting(&site, &admin, 1).await.remove(0);
    assert_eq!(site.tus("DELETE", &other, &ann, &[], "").await.status(), 204);
    assert_eq!(decide(&site, &admin, &review, "approve").await, 204);
    assert_eq!(site.tus("HEAD", &other, &ann, &[], "").await.status(), 404);
}
