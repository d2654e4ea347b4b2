//! Uploads: resumed after crashes, overtaken, checked, joined, limited and removed.

use std::time::Duration;

use barrage_testkit::wait;
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::site::{Site, bytes, metadata};

const MIB: usize = 1 << 20;
/// Bytes that a server may have read and not yet written.
const GATHERED_MAX: usize = 64 * 1024;

/// A body that sends these bytes and then nothing, without an end.
pub(super) fn endless(bytes: &[u8]) -> reqwest::Body {
    use futures_util::StreamExt as _;
    let pieces: Vec<_> = bytes.chunks(16 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    reqwest::Body::wrap_stream(stream::iter(pieces).chain(stream::pending::<Result<Bytes, std::io::Error>>()))
}

#[tokio::test]
async fn upload_resumes_after_a_kill_of_the_server_with_one_mebibyte_at_most_again() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start_on(folder.path().join("data")).await;
    let (token, file) = (site.token("ann").await, bytes(5 * MIB));
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    let fields = metadata(&[("filename", "a.bin"), ("sha256", &digest)]);
    let upload = site.create(&token, file.len(), &[("upload-metadata", &fields)]).await;
    let sent = 3 * MIB + 500_000;
    let request = site
        .http
        .patch(site.url(&upload))
        .bearer_auth(&token)
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", "0")
        .header("content-type", "application/offset+octet-stream")
        .body(endless(&file[..sent]));
    let sending = tokio::spawn(request.send());
    wait::until_true(Duration::from_secs(20), "the bytes at the server", async || {
        site.offset(&upload, &token).await + GATHERED_MAX >= sent
    })
    .await;
    let site = site.kill_and_restart().await;
    assert!(sending.await.unwrap().is_err());

    let offset = site.offset(&upload, &token).await;
    assert!(offset <= sent && sent - offset <= MIB + GATHERED_MAX, "{offset} of {sent}");
    let head = site.tus("HEAD", &upload, &token, &[], "").await;
    assert_eq!(head.headers()["upload-metadata"], fields.as_str());
    assert_eq!(head.headers()["upload-length"], file.len().to_string().as_str());
    assert!(head.headers().contains_key("upload-expires"));
    let answer = site.patch(&upload, &token, offset, &[], file[offset..].to_vec()).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["upload-offset"]),
        (204, &file.len().to_string().parse().unwrap())
    );

    let view = site.checked(&upload, &token).await;
    assert_eq!(
        (&view["state"], &view["name"], &view["media"]["digest"]),
        (&json!("ready"), &json!("a.bin"), &json!(digest))
    );
    let address = view["media"]["variants"][0]["url"].as_str().unwrap();
    assert!(site.read(address).await == file);
    // The medium is there after another kill, and the bytes of the upload are not.
    let site = site.kill_and_restart().await;
    assert!(site.read(address).await == file);
    let spool = std::fs::read_dir(folder.path().join("data/media/spool")).unwrap();
    let names: Vec<_> = spool.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.ends_with(".data") && !name.ends_with(".check")), "{names:?}");
}

#[tokio::test]
async fn newer_request_ends_the_older_one_and_goes_on() {
    let site = Site::start(&[]).await;
    let (token, file) = (site.token("ann").await, bytes(MIB));
    let upload = site.create(&token, file.len(), &[]).await;
    let (http, url, bearer, first) =
        (site.http.clone(), site.url(&upload), token.clone(), endless(&file[..300_000]));
    let older = tokio::spawn(async move {
        let request =
            http.patch(url).bearer_auth(bearer).header("tus-resumable", "1.0.0").header("upload-offset", "0");
        request.header("content-type", "application/offset+octet-stream").body(first).send().await
    });
    wait::until_true(Duration::from_secs(20), "bytes of the older request", async || {
        site.offset(&upload, &token).await + GATHERED_MAX >= 300_000
    })
    .await;
    // What the server has gathered is written when the older request ends: the offset moves once more.
    let offset = site.offset(&upload, &token).await;
    let answer = site.patch(&upload, &token, offset, &[], file[offset..].to_vec()).await;
    if answer.status() == 409 {
        let offset = site.offset(&upload, &token).await;
        assert!(offset <= 300_000);
        let answer = site.patch(&upload, &token, offset, &[], file[offset..].to_vec()).await;
        assert_eq!(answer.status(), 204);
    }
    let older = older.await.unwrap();
    assert!(older.is_err() || older.unwrap().status() == 409);
    let view = site.checked(&upload, &token).await;
    assert!(site.read(view["media"]["variants"][0]["url"].as_str().unwrap()).await == file);
}

#[tokio::test]
async fn wrong_checksum_and_wrong_digest_leave_nothing() {
    let site = Site::start(&[]).await;
    let (token, file) = (site.token("ann").await, bytes(3 * MIB));
    let upload = site.create(&token, file.len(), &[]).await;
    let half = file.len() / 2;
    // SHA-1 of "abc".
    let wrong = site.patch(
        &upload,
        &token,
        0,
        &[("upload-checksum", "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")],
        file[..half].to_vec(),
    );
    let wrong = wrong.await;
    assert_eq!(wrong.status(), 460);
    assert_eq!(wrong.json::<serde_json::Value>().await.unwrap()["error"]["code"], "digest_mismatch");
    assert_eq!(site.offset(&upload, &token).await, 0);
    let other = site.patch(&upload, &token, 0, &[("upload-checksum", "md5 AAAA")], "x").await;
    assert_eq!(other.status(), 400);
    let right = {
        use base64::Engine as _;
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&file[..half]));
        format!("sha256 {hash}")
    };
    let answer = site.patch(&upload, &token, 0, &[("upload-checksum", &right)], file[..half].to_vec()).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(site.offset(&upload, &token).await, half);

    let fields = metadata(&[("sha256", &"0".repeat(64))]);
    let upload = site.create(&token, file.len(), &[("upload-metadata", &fields)]).await;
    let answer = site.patch(&upload, &token, 0, &[], file.clone()).await;
    assert_eq!(answer.status(), 460);
    let view = site.checked(&upload, &token).await;
    assert_eq!((&view["state"], &view["refusal"]["code"]), (&json!("refused"), &json!("digest_mismatch")));
}

#[tokio::test]
async fn parts_are_joined_once_in_their_order_by_their_owner() {
    let site = Site::start(&[]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let file = bytes(700_000);
    let pieces: Vec<_> = file.chunks(250_000).collect();
    let mut parts = Vec::new();
    for piece in &pieces {
        parts.push(site.upload(&ann, piece, &[("upload-concat", "partial")]).await);
    }
    let head = site.tus("HEAD", &parts[0], &ann, &[], "").await;
    assert_eq!(head.headers()["upload-concat"], "partial");
    let join = |parts: &[String]| format!("final;{}", parts.join(" "));
    let ask = async |token: &str, concat: String| {
        site.tus("POST", "/v1/uploads", token, &[("upload-concat", &concat)], "").await
    };
    assert_eq!(ask(&bob, join(&parts)).await.status(), 404, "parts of another user");
    let whole = site.upload(&ann, &file[..10], &[]).await;
    assert_eq!(ask(&ann, join(&[parts[0].clone(), whole])).await.status(), 409, "no part");
    let open = site.create(&ann, 10, &[("upload-concat", "partial")]).await;
    assert_eq!(ask(&ann, join(&[parts[0].clone(), open])).await.status(), 409, "a part without its bytes");

    let joined = ask(&ann, join(&parts)).await;
    assert_eq!(joined.status(), 201);
    let location = joined.headers()["location"].to_str().unwrap().to_owned();
    let again = ask(&ann, join(&parts)).await;
    assert_eq!(
        (again.status().as_u16(), again.headers()["location"].to_str().unwrap()),
        (201, location.as_str())
    );
    let head = site.tus("HEAD", &location, &ann, &[], "").await;
    assert_eq!(head.headers()["upload-concat"], join(&parts).as_str());
    assert_eq!(head.headers()["upload-length"], "700000");
    assert_eq!(
        site.patch(&location, &ann, 700_000, &[], "x").await.status(),
        403,
        "it takes no bytes of its own"
    );
    let concat = join(std::slice::from_ref(&location));
    assert_eq!(ask(&ann, concat).await.status(), 409, "a join of a join");
    let view = site.checked(&location, &ann).await;
    assert!(site.read(view["media"]["variants"][0]["url"].as_str().unwrap()).await == file);
    assert_eq!(site.tus("HEAD", &parts[0], &ann, &[], "").await.status(), 404, "parts go with the join");
}

#[tokio::test]
async fn upload_is_of_its_user_and_ends_when_the_user_says_so() {
    let site = Site::start(&[("UPLOAD_SECS", "60")]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let upload = site.create(&ann, 10, &[]).await;
    for method in ["HEAD", "GET", "DELETE"] {
        assert_eq!(site.tus(method, &upload, &bob, &[], "").await.status(), 404, "{method}");
    }
    assert_eq!(site.patch(&upload, &bob, 0, &[], "0123456789").await.status(), 404);
    let url = site.url("/v1/uploads");
    let anonymous = site.http.post(&url).header("tus-resumable", "1.0.0").header("upload-length", "5");
    assert_eq!(anonymous.send().await.unwrap().status(), 401);
    let guest = site.server.token("guest-0123", "*", "viewer").await;
    assert_eq!(site.tus("POST", "/v1/uploads", &guest, &[("upload-length", "5")], "").await.status(), 403);
    let public = metadata(&[("visibility", "public")]);
    let fields = [("upload-length", "5"), ("upload-metadata", public.as_str())];
    assert_eq!(
        site.tus("POST", "/v1/uploads", &ann, &fields, "").await.status(),
        403,
        "a viewer's public medium"
    );

    assert_eq!(site.tus("DELETE", &upload, &ann, &[], "").await.status(), 204);
    assert_eq!(site.tus("HEAD", &upload, &ann, &[], "").await.status(), 404);
}

#[tokio::test]
async fn quotas_streams_and_room_refuse_with_a_time_to_come_back() {
    let site =
        Site::start(&[("USER_MIB_PER_DAY", "4"), ("USER_OPEN_MAX", "5"), ("USER_UPLOADS_MAX", "2")]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let refused = async |token: &str, length: usize| {
        let answer =
            site.tus("POST", "/v1/uploads", token, &[("upload-length", &length.to_string())], "").await;
        let (status, retry) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        let body: serde_json::Value = answer.json().await.unwrap_or_default();
        (status, retry, body["error"]["limit"]["rule"].as_str().unwrap_or_default().to_owned())
    };
    site.create(&ann, 3 * MIB, &[]).await;
    assert_eq!(refused(&ann, 2 * MIB).await, (429, true, "user_mib_per_day".into()));
    let carl = site.token("carl").await;
    // An upload that its sender ends gives its bytes back, and so does one that was refused by its digest.
    let ended = site.create(&carl, 3 * MIB, &[]).await;
    assert_eq!(refused(&carl, 2 * MIB).await.0, 429);
    assert_eq!(site.tus("DELETE", &ended, &carl, &[], "").await.status(), 204);
    let wrong = metadata(&[("sha256", &"0".repeat(64))]);
    let wrong = site.create(&carl, 3 * MIB, &[("upload-metadata", &wrong)]).await;
    assert_eq!(site.patch(&wrong, &carl, 0, &[], bytes(3 * MIB)).await.status(), 460);
    site.create(&carl, 4 * MIB, &[]).await;
    let mut uploads = Vec::new();
    for _ in 0..5 {
        uploads.push(site.create(&bob, 100_000, &[]).await);
    }
    assert_eq!(refused(&bob, 1).await, (429, true, String::new()), "five are open");
    // Two of them receive bytes, and the third must wait.
    let mut sending = Vec::new();
    for upload in &uploads[..2] {
        let request = site.http.patch(site.url(upload)).bearer_auth(&bob).header("tus-resumable", "1.0.0");
        let request =
            request.header("upload-offset", "0").header("content-type", "application/offset+octet-stream");
        sending.push(tokio::spawn(request.body(endless(&[1; 65_536])).send()));
    }
    for upload in &uploads[..2] {
        wait::until_true(Duration::from_secs(20), "bytes", async || site.offset(upload, &bob).await > 0)
            .await;
    }
    let third = site.patch(&uploads[2], &bob, 0, &[], "0").await;
    assert_eq!((third.status().as_u16(), third.headers().contains_key("retry-after")), (429, true));
    sending.iter().for_each(tokio::task::JoinHandle::abort);
    wait::until_true(Duration::from_secs(20), "a free place", async || {
        let offset = site.offset(&uploads[2], &bob).await;
        site.patch(&uploads[2], &bob, offset, &[], "0").await.status() == 204
    })
    .await;
}

#[tokio::test]
async fn users_of_one_address_share_its_quota() {
    let site = Site::start(&[("USER_MIB_PER_DAY", "4"), ("ADDRESS_MIB_PER_DAY", "6")]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let upload = site.create(&ann, 4 * MIB, &[]).await;
    let create = async || {
        let length = (3 * MIB).to_string();
        let answer = site.tus("POST", "/v1/uploads", &bob, &[("upload-length", &length)], "").await;
        let status = answer.status().as_u16();
        (status, answer.json::<serde_json::Value>().await.unwrap_or_default())
    };
    let (status, body) = create().await;
    assert_eq!((status, &body["error"]["limit"]["rule"]), (429, &json!("address_mib_per_day")), "{body}");
    assert_eq!(site.tus("DELETE", &upload, &ann, &[], "").await.status(), 204);
    assert_eq!(create().await.0, 201, "the bytes of the other user came back");
}

#[tokio::test]
async fn slow_client_is_cut_and_keeps_what_has_arrived() {
    let site = Site::start(&[("RATE_SECS", "1"), ("RATE_BYTES_PER_S_MIN", "100000")]).await;
    let token = site.token("ann").await;
    let upload = site.create(&token, 200_000, &[]).await;
    let request = site.http.patch(site.url(&upload)).bearer_auth(&token).header("tus-resumable", "1.0.0");
    let request =
        request.header("upload-offset", "0").header("content-type", "application/offset+octet-stream");
    let answer =
        wait::within(Duration::from_secs(20), "the cut", request.body(endless(&[7; 5_000])).send()).await;
    assert!(answer.is_err() || answer.unwrap().status() == 408);
    wait::until_true(Duration::from_secs(5), "the bytes that came", async || {
        site.offset(&upload, &token).await == 5_000
    })
    .await;
    assert_eq!(site.patch(&upload, &token, 5_000, &[], vec![7; 195_000]).await.status(), 204);
    let metrics = site.server.metrics().await;
    assert!(metrics.contains("barrage_media_upload_requests_total{end=\"too_slow\"} 1"), "{metrics}");
}

#[tokio::test]
async fn upload_whose_time_is_over_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start_on(folder.path().join("data")).await;
    let token = site.token("ann").await;
    let upload = site.create(&token, 10, &[]).await;
    // The time of an upload is at least a minute: the file says that it is over.
    let id = upload.rsplit('/').next().unwrap();
    let head = folder.path().join(format!("data/media/spool/{id}.head"));
    let mut stored: serde_json::Value = serde_json::from_slice(&std::fs::read(&head).unwrap()).unwrap();
    stored["expires_ms"] = json!(1_000);
    std::fs::write(&head, stored.to_string()).unwrap();
    let site = site.kill_and_restart().await;
    let answer = site.tus("GET", &upload, &token, &[], "").await;
    // 410 until the sweep has removed it.
    assert!([404, 410].contains(&answer.status().as_u16()));
    wait::until_true(Duration::from_secs(20), "the sweep", async || !head.exists()).await;
}

#[tokio::test]
async fn first_bytes_come_with_the_creation_and_the_rest_by_post() {
    let site = Site::start(&[]).await;
    let (token, file) = (site.token("ann").await, bytes(300_000));
    let length = file.len().to_string();
    let kind = ("content-type", "application/offset+octet-stream");
    let fields = [("upload-length", length.as_str()), kind];
    let created = site.tus("POST", "/v1/uploads", &token, &fields, file[..100_000].to_vec()).await;
    assert_eq!(
        (created.status().as_u16(), &created.headers()["upload-offset"]),
        (201, &"100000".parse().unwrap())
    );
    let upload = created.headers()["location"].to_str().unwrap().to_owned();
    let by_post = async |method: &str, fields: &[(&str, &str)], body: Vec<u8>| {
        let fields = [&[("x-http-method-override", method), kind], fields].concat();
        site.tus("POST", &upload, &token, &fields, body).await
    };
    let head = by_post("HEAD", &[], Vec::new()).await;
    assert_eq!((head.status().as_u16(), &head.headers()["upload-offset"]), (200, &"100000".parse().unwrap()));
    assert_eq!(by_post("PUT", &[], Vec::new()).await.status(), 405);
    let rest = by_post("PATCH", &[("upload-offset", "100000")], file[100_000..].to_vec()).await;
    assert_eq!(rest.status(), 204, "{}", rest.text().await.unwrap());
    let view = site.checked(&upload, &token).await;
    assert!(site.read(view["media"]["variants"][0]["url"].as_str().unwrap()).await == file);
    // All bytes at once, of another digest than the declared one.
    let digest = metadata(&[("sha256", &"0".repeat(64))]);
    let fields = [("upload-length", "5"), ("upload-metadata", digest.as_str()), kind];
    assert_eq!(site.tus("POST", "/v1/uploads", &token, &fields, "hello").await.status(), 460);
    // More bytes than the stated length: the upload is there, and empty.
    let created = site.tus("POST", "/v1/uploads", &token, &[("upload-length", "3"), kind], "hello").await;
    assert_eq!(
        (created.status().as_u16(), &created.headers()["upload-offset"]),
        (201, &"0".parse().unwrap())
    );
    let ended = site
        .tus(
            "POST",
            created.headers()["location"].to_str().unwrap(),
            &token,
            &[("x-http-method-override", "DELETE")],
            "",
        )
        .await;
    assert_eq!(ended.status(), 204);
}
