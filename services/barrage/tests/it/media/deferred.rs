//! Uploads whose length is stated late: a voice note goes up while it is being recorded.

use serde_json::{Value, json};

use super::site::{Site, bytes};

const DEFERRED: (&str, &str) = ("upload-defer-length", "1");

async fn create(site: &Site, token: &str) -> String {
    let created = site.tus("POST", "/v1/uploads", token, &[DEFERRED], "").await;
    assert_eq!(created.status(), 201, "{}", created.text().await.unwrap());
    created.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn bytes_come_before_the_length_and_the_upload_ends_with_it_through_a_kill() {
    let site = Site::start(&[]).await;
    let (token, file) = (site.token("ann").await, bytes(50_000));
    let options =
        site.http.request("OPTIONS".parse().unwrap(), site.url("/v1/uploads")).send().await.unwrap();
    assert!(options.headers()["tus-extension"].to_str().unwrap().contains("creation-defer-length"));
    let upload = create(&site, &token).await;
    assert_eq!(site.patch(&upload, &token, 0, &[], file[..20_000].to_vec()).await.status(), 204);
    let site = site.kill_and_restart().await;
    let head = site.tus("HEAD", &upload, &token, &[], "").await;
    assert_eq!(head.headers()["upload-defer-length"], "1");
    assert!(!head.headers().contains_key("upload-length"));
    let view: Value = site.tus("GET", &upload, &token, &[], "").await.json().await.unwrap();
    assert_eq!(
        (&view["state"], &view["offset"], &view["length"]),
        (&json!("receiving"), &json!(20_000), &Value::Null)
    );
    for (length, status) in [("19999", 400), ("16777217", 413), ("x", 400)] {
        let refused = site.patch(&upload, &token, 20_000, &[("upload-length", length)], "").await;
        assert_eq!(refused.status(), status, "{length}");
    }
    let length = [("upload-length", "50000")];
    assert_eq!(
        site.patch(&upload, &token, 20_000, &length, file[20_000..30_000].to_vec()).await.status(),
        204
    );
    assert_eq!(
        site.patch(&upload, &token, 30_000, &[("upload-length", "40000")], "").await.status(),
        400,
        "stated once"
    );
    let site = site.kill_and_restart().await;
    assert_eq!(site.patch(&upload, &token, 30_000, &[], file[30_000..].to_vec()).await.status(), 204);
    let view = site.checked(&upload, &token).await;
    assert_eq!((&view["state"], &view["length"]), (&json!("ready"), &json!(50_000)));
    assert!(site.read(view["media"]["variants"][0]["url"].as_str().unwrap()).await == file);
    // The length may come alone, behind the last byte.
    let upload = create(&site, &token).await;
    assert_eq!(site.patch(&upload, &token, 0, &[], file.clone()).await.status(), 204);
    assert_eq!(site.patch(&upload, &token, 50_000, &length, "").await.status(), 204);
    assert_eq!(site.checked(&upload, &token).await["state"], "ready");
}

#[tokio::test]
async fn reserved_bytes_count_until_the_length_is_stated_and_come_back_then() {
    let site = Site::start(&[("USER_MIB_PER_DAY", "20")]).await;
    let token = site.token("ann").await;
    let upload = create(&site, &token).await;
    let refused = site.tus("POST", "/v1/uploads", &token, &[DEFERRED], "").await;
    assert_eq!(refused.status(), 429, "16 of 20 MiB are reserved");
    assert_eq!(site.patch(&upload, &token, 0, &[("upload-length", "5")], "hello").await.status(), 204);
    let next = create(&site, &token).await;
    let deleted = site.tus("DELETE", &next, &token, &[], "").await;
    assert_eq!(deleted.status(), 204);
    create(&site, &token).await;
}

#[tokio::test]
async fn letter_with_a_file_has_the_name_that_its_sender_gives_it() {
    let site = Site::start(&[]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let reference = site.finished(&ann, b"minutes of the meeting", &[]).await["reference"].clone();
    let letter = json!({ "type": "file", "id": "f1", "media": reference, "file_name": "minutes.txt" });
    let sent = site.server.call("POST", "/v1/users/bob/messages", &ann, &letter).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let path = format!("/v1/inbox?at_least={}&lane={}", sent.body["sequence"], sent.body["lane"]);
    let inbox = site.server.call("GET", &path, &bob, &Value::Null).await;
    let body = &inbox.body["conversations"][0]["items"][0]["body"];
    assert_eq!((&body["file_name"], &body["media"]["kind"]), (&json!("minutes.txt"), &json!("file")));
    let long = json!({ "type": "file", "id": "f2", "media": letter["media"], "file_name": "x".repeat(121) });
    assert_eq!(site.server.call("POST", "/v1/users/bob/messages", &ann, &long).await.status, 422);
}
