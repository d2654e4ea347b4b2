//! The role over a bucket: the same promises as over files, through outages of the store.

use std::time::Duration;

use barrage_testkit::{Meddler, Meddling, S3Program, S3Server, wait};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::pictures::ffmpeg;
use super::site::{Site, bytes, metadata};

/// Starts the role over a bucket, at a URL that may be a proxy's.
async fn site_over(server: &S3Server, url: String) -> Site {
    let settings = [
        ("ENDPOINT", url),
        ("BUCKET", S3Server::BUCKET.to_owned()),
        ("ACCESS_KEY_ID", S3Server::KEY.to_owned()),
        ("SECRET_FILE", server.secret_file().display().to_string()),
        ("REQUEST_SECS", "2".to_owned()),
    ];
    let settings = settings.map(|(name, value)| (format!("MEDIA__S3__{name}"), value));
    Site::start_with(settings.into(), None).await
}

/// Uploads, resumes, checks, delivers by ranges, knows again and removes: what every store must carry.
async fn suite(program: S3Program) {
    let server = S3Server::start(program).await;
    let site = site_over(&server, server.url()).await;
    let token = site.token("ann").await;
    // More than one part of an upload to S3.
    let file = bytes(6 << 20);
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    let fields = metadata(&[("sha256", &digest)]);
    let upload = site.create(&token, file.len(), &[("upload-metadata", &fields)]).await;
    assert_eq!(site.patch(&upload, &token, 0, &[], file[..2_000_000].to_vec()).await.status(), 204);
    let site = site.kill_and_restart().await;
    assert_eq!(site.patch(&upload, &token, 2_000_000, &[], file[2_000_000..].to_vec()).await.status(), 204);
    let view = site.checked(&upload, &token).await;
    assert_eq!((&view["state"], &view["media"]["digest"]), (&json!("ready"), &json!(digest)), "{view}");
    let address = view["media"]["variants"][0]["url"].as_str().unwrap();
    assert!(site.read(address).await == file);
    for range in [1..2, 70_000..5_500_000, file.len() - 1..file.len()] {
        let field = format!("bytes={}-{}", range.start, range.end - 1);
        let part = site.http.get(site.url(address)).header("range", field).send().await.unwrap();
        assert_eq!(part.status(), 206);
        assert!(part.bytes().await.unwrap() == file[range]);
    }
    let folder = tempfile::tempdir().unwrap();
    let view = site.finished(&token, &ffmpeg(folder.path(), "testsrc=size=600x400", "a.png"), &[]).await;
    assert_eq!(view["media"]["variants"].as_array().unwrap().len(), 3, "{view}");
    let request = site.http.post(site.url("/v1/media/references")).bearer_auth(&token);
    let referred = request.body(json!({ "digest": digest }).to_string()).send().await.unwrap();
    assert_eq!(referred.status(), 200);
    let admin = site.server.token("root", "*", "admin").await;
    let removed = site.server.admin("POST", "/media/remove", &admin, &json!({ "digest": digest })).await;
    assert_eq!(removed.status, 200);
    wait::until_true(Duration::from_secs(20), "the removal", async || {
        site.http.get(site.url(address)).send().await.unwrap().status() == 403
    })
    .await;
}

#[tokio::test]
async fn bucket_of_s3rver_carries_the_role() {
    suite(S3Program::S3rver).await;
}

#[tokio::test]
async fn bucket_of_moto_carries_the_role() {
    suite(S3Program::Moto).await;
}

#[tokio::test]
#[ignore = "s3s-fs is compiled for minutes"]
async fn bucket_of_s3s_fs_carries_the_role() {
    suite(S3Program::S3sFs).await;
}

#[tokio::test]
async fn store_that_fails_or_hangs_delays_uploads_and_loses_none() {
    let server = S3Server::start(S3Program::S3rver).await;
    let proxy = Meddler::start(Meddling::Errors).await;
    proxy.connect_to(server.address());
    let site = site_over(&server, proxy.url()).await;
    let (token, file) = (site.token("ann").await, bytes(300_000));
    let upload = site.upload(&token, &file, &[]).await;
    wait::until_true(Duration::from_secs(30), "a check that failed", async || {
        let metrics = site.server.metrics().await;
        !metrics.contains("barrage_media_checks_total{result=\"failed\"} 0")
    })
    .await;
    let shown: Value = site.tus("GET", &upload, &token, &[], "").await.json().await.unwrap();
    assert_eq!(shown["state"], "checking", "{shown}");
    proxy.set(Meddling::EverySecond);
    let view = site.checked(&upload, &token).await;
    assert_eq!(view["state"], "ready", "{view}");
    proxy.set(Meddling::Pass);
    let address = view["media"]["variants"][0]["url"].as_str().unwrap();
    assert!(site.read(address).await == file);
    // The store takes requests and says nothing: a reader is told to come back, and the chat does not notice.
    server.pause();
    let bob = site.token("bob").await;
    let reading = site.http.get(site.url(address)).send();
    let post = json!({ "type": "chat", "id": "m1", "text": "hello" });
    let sent = site.server.call("POST", crate::support::MESSAGES, &bob, &post).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let read = wait::within(Duration::from_secs(30), "an answer", reading).await.unwrap();
    assert!(read.status() == 503 || read.bytes().await.is_err());
    server.resume();
    assert!(site.read(address).await == file);
}
