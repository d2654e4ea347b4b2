//! Requests and files that are made to break an upload, the check or the server.

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::site::{Site, bytes, metadata};

#[tokio::test]
async fn malformed_requests_are_refused_and_change_nothing() {
    let site = Site::start(&[("UPLOAD_BYTES_MAX", "1000000")]).await;
    let token = site.token("ann").await;
    let create = async |fields: &[(&str, &str)]| {
        site.tus("POST", "/v1/uploads", &token, fields, "").await.status().as_u16()
    };
    let (long_name, two_to_63) = (metadata(&[("filename", &"n".repeat(10_000))]), (1_u64 << 63).to_string());
    for (fields, status) in [
        (vec![], 400),
        (vec![("upload-length", "-1")], 400),
        (vec![("upload-length", "0")], 400),
        (vec![("upload-length", two_to_63.as_str())], 400),
        (vec![("upload-length", "9223372036854775807")], 413),
        (vec![("upload-length", "1000001")], 413),
        (vec![("upload-defer-length", "2")], 400),
        (vec![("upload-defer-length", "1"), ("upload-length", "5")], 400),
        (vec![("upload-length", "5"), ("upload-length", "6")], 400),
        (vec![("upload-length", "5"), ("upload-metadata", "filename ???")], 400),
        (vec![("upload-length", "5"), ("upload-metadata", long_name.as_str())], 400),
        (vec![("upload-length", "5"), ("upload-concat", "final;")], 400),
        (vec![("upload-concat", "final;/etc/passwd")], 400),
        (vec![("upload-concat", "final;/v1/uploads/00000000000000000000000000000000")], 404),
    ] {
        assert_eq!(create(&fields).await, status, "{fields:?}");
    }
    let no_version = site.http.post(site.url("/v1/uploads")).bearer_auth(&token).header("upload-length", "5");
    let no_version = no_version.send().await.unwrap();
    assert_eq!(
        (no_version.status().as_u16(), no_version.headers()["tus-version"].to_str().unwrap()),
        (412, "1.0.0")
    );

    let upload = site.create(&token, 10, &[]).await;
    let offset = async |value: &str| {
        let fields = [("upload-offset", value), ("content-type", "application/offset+octet-stream")];
        site.tus("PATCH", &upload, &token, &fields, "01234").await.status().as_u16()
    };
    for (value, status) in [
        ("-1", 400),
        ("", 400),
        ("1", 409),
        ("9223372036854775807", 409),
        ("9223372036854775808", 400),
        ("1e1", 400),
    ] {
        assert_eq!(offset(value).await, status, "{value:?}");
    }
    assert_eq!(
        site.patch(&upload, &token, 0, &[], "01234567890").await.status(),
        413,
        "longer than the upload"
    );
    let typed = site.tus("PATCH", &upload, &token, &[("upload-offset", "0")], "01234").await;
    assert_eq!(typed.status(), 415);
    assert_eq!(site.offset(&upload, &token).await, 0);
    assert_eq!(site.patch(&upload, &token, 0, &[], "0123456789").await.status(), 204);
    assert_eq!(site.patch(&upload, &token, 10, &[], "").await.status(), 204, "an empty request at the end");
    assert_eq!(site.patch(&upload, &token, 10, &[], "x").await.status(), 413, "after the end");
    for id in ["..", "00000000000000000000000000000000", "%2e%2e%2f", "ABCDEF00000000000000000000000000"] {
        assert_eq!(
            site.tus("HEAD", &format!("/v1/uploads/{id}"), &token, &[], "").await.status(),
            404,
            "{id}"
        );
    }
}

#[tokio::test]
async fn pages_scripts_and_disguised_files_are_saved_or_refused_and_never_shown() {
    let site = Site::start(&[]).await;
    let token = site.token("ann").await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    for (file, declared) in [
        (&svg[..], "image/svg+xml"),
        (b"<html><script>alert(1)</script>", "text/html"),
        (b"%PDF-1.7 PK\x03\x04", ""),
    ] {
        let fields = metadata(&[("filetype", declared)]);
        let view = site.finished(&token, file, &[("upload-metadata", &fields)]).await;
        assert_eq!((&view["state"], &view["media"]["kind"]), (&json!("ready"), &json!("file")), "{view}");
        let address = view["media"]["variants"][0]["url"].as_str().unwrap();
        let answer = site.http.get(site.url(address)).send().await.unwrap();
        assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert!(["application/octet-stream", "application/pdf"].contains(&kind), "{kind}");
    }
    let gif_and_script = b"GIF89a/*\0\0\0\0\0*/=1;alert(document.cookie)";
    for (file, declared) in [
        (&gif_and_script[..], "image/gif"),
        (b"<html>", "image/png"),
        (b"\x89PNG\r\n\x1a\n", "video/mp4"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xff\xff\xff\xff\xff\xff\xff\x08\x06\0\0\0\0\0\0\0", "image/png"),
    ] {
        let fields = metadata(&[("filetype", declared)]);
        let view = site.finished(&token, file, &[("upload-metadata", &fields)]).await;
        assert_eq!(view["state"], "refused", "{view}");
        assert!(view["refusal"]["message"].as_str().unwrap().len() > 20, "{view}");
        assert!(view["media"].is_null());
    }
}

#[tokio::test]
async fn denied_file_is_neither_taken_nor_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let denied = folder.path().join("denied");
    std::fs::write(&denied, "").unwrap();
    let site = Site::start(&[("CHECK__DENIED_FILE", denied.to_str().unwrap())]).await;
    let token = site.token("ann").await;
    let view = site.finished(&token, &bytes(1_000), &[]).await;
    let address = view["media"]["variants"][0]["url"].as_str().unwrap().to_owned();
    std::fs::write(&denied, format!("{}\n", view["media"]["digest"].as_str().unwrap())).unwrap();
    let site = site.kill_and_restart().await;
    assert_eq!(site.http.get(site.url(&address)).send().await.unwrap().status(), 403);
    let view = site.finished(&token, &bytes(1_000), &[]).await;
    assert_eq!((&view["state"], &view["refusal"]["code"]), (&json!("refused"), &json!("forbidden")));
}

#[tokio::test]
async fn picture_that_needs_too_much_memory_ends_its_own_process_alone() {
    let site = Site::start(&[("CHECK__MEMORY_MIB_MAX", "64")]).await;
    let token = site.token("ann").await;
    let folder = tempfile::tempdir().unwrap();
    // 36 megapixels of one colour: some KB as PNG, 108 MB in memory.
    let bomb = super::pictures::ffmpeg(folder.path(), "color=c=red:size=6000x6000", "bomb.png");
    let view = site.finished(&token, &bomb, &[]).await;
    assert_eq!(
        (&view["state"], &view["refusal"]["code"]),
        (&json!("refused"), &json!("too_large")),
        "{view}"
    );
    let view = site.finished(&token, &bytes(100), &[]).await;
    assert_eq!(view["state"], "ready", "the server goes on");
}

#[tokio::test]
async fn hundred_checks_at_once_run_in_two_processes_at_a_time() {
    let settings = [
        ("MEDIA__CHECK__AT_ONCE", "2"),
        ("MEDIA__USER_OPEN_MAX", "100"),
        ("HTTP__LIMITS__UPLOADS_PER_S", "1000"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let site = Site::start_with(settings.into(), None).await;
    let token = site.token("ann").await;
    let folder = tempfile::tempdir().unwrap();
    let picture = super::pictures::ffmpeg(folder.path(), "color=c=red:size=400x400", "a.png");
    // What follows the end of a PNG changes its digest, and nothing else.
    let files: Vec<_> = (0..100_u32).map(|n| [&picture[..], &n.to_be_bytes()].concat()).collect();
    // As many as a user may send at once.
    let sent = stream::iter(&files).map(|file| site.upload(&token, file, &[])).buffered(3);
    let uploads: Vec<_> = sent.collect().await;
    let server = site.server.id().to_string();
    let (mut most, mut waiting) = (0, uploads.len());
    let began = std::time::Instant::now();
    while waiting > 0 {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "{waiting} wait still");
        most = most.max(barrage_testkit::process::children(&server).len());
        let metrics = site.server.metrics().await;
        let left = metrics.lines().find_map(|line| line.strip_prefix("barrage_media_checks_waiting "));
        let ready = "barrage_media_checks_total{result=\"ready\"} ";
        let ended =
            metrics.lines().find_map(|line| line.strip_prefix(ready)).unwrap().parse::<usize>().unwrap();
        waiting = if ended == uploads.len() { 0 } else { left.unwrap().parse::<usize>().unwrap().max(1) };
    }
    assert!((1..=2).contains(&most), "{most} processes at once");
    for upload in &uploads {
        assert_eq!(site.checked(upload, &token).await["state"], "ready");
    }
}
