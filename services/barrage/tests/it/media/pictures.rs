//! Pictures and clips through the check, as ffmpeg makes them.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::site::{Site, metadata};

/// Makes a file of a source of ffmpeg's `lavfi`, and returns its bytes.
pub(super) fn ffmpeg(folder: &Path, source: &str, name: &str) -> Vec<u8> {
    ffmpeg_with(folder, source, name, &["-frames:v", "1"])
}

pub(super) fn ffmpeg_with(folder: &Path, source: &str, name: &str, options: &[&str]) -> Vec<u8> {
    let file = folder.join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-loglevel", "error", "-f", "lavfi", "-i", source]).args(options).arg(&file);
    let status = command.status().expect("`ffmpeg`; run `cargo xtask setup`");
    assert!(status.success());
    std::fs::read(file).unwrap()
}

/// Returns a JPEG with an Exif segment: turned a quarter to the right, and taken at a place.
fn with_exif(jpeg: &[u8]) -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    // Orientation 6, and a GPS directory at 38.
    tiff.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
    tiff.extend(b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x26");
    tiff.extend([0; 4]);
    tiff.extend(b"\0\x01\0\x01\0\x02\0\0\0\x02N\0\0\0\0\0\0\0SECRET-PLACE");
    let body = [b"Exif\0\0", &tiff[..]].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &body, &jpeg[2..], b"<script>after the end</script>"].concat()
}

#[tokio::test]
async fn photograph_becomes_upright_webp_without_its_place() {
    let site = Site::start(&[]).await;
    let token = site.token("ann").await;
    let folder = tempfile::tempdir().unwrap();
    let photograph = with_exif(&ffmpeg(folder.path(), "testsrc=size=1600x900", "a.jpg"));
    let fields = metadata(&[("filename", "IMG_1.JPG"), ("filetype", "image/jpeg")]);
    let view = site.finished(&token, &photograph, &[("upload-metadata", &fields)]).await;
    let media = &view["media"];
    assert_eq!((&view["state"], &media["kind"]), (&json!("ready"), &json!("image")), "{view}");
    assert_eq!((&media["width"], &media["height"]), (&json!(900), &json!(1600)), "turned upright");
    assert!(media["thumbhash"].as_str().unwrap().len() > 20);
    let variants = media["variants"].as_array().unwrap();
    let names: Vec<_> = variants.iter().map(|variant| variant["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["96", "480", "1280"]);
    let mut lengths = Vec::new();
    for variant in variants {
        let address = variant["url"].as_str().unwrap();
        let answer = site.http.get(site.url(address)).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "image/webp");
        assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("inline"));
        let bytes = answer.bytes().await.unwrap();
        assert!(bytes.starts_with(b"RIFF"));
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!has(b"SECRET") && !has(b"Exif") && !has(b"EXIF") && !has(b"script"));
        lengths.push(bytes.len());
    }
    assert!(lengths.is_sorted(), "{lengths:?}");
    // What was uploaded is kept nowhere.
    let held = std::fs::read_dir(site.server.data_dir().join("media/spool")).unwrap();
    assert!(held.flatten().all(|entry| !entry.file_name().to_string_lossy().ends_with(".data")));
}

#[tokio::test]
async fn clip_plays_from_its_start_or_is_refused_with_the_remedy() {
    let site = Site::start(&[]).await;
    let token = site.token("ann").await;
    let folder = tempfile::tempdir().unwrap();
    let source = "testsrc=size=160x90:rate=10:duration=1";
    let place = ["-c:v", "mpeg4", "-metadata", "comment=SECRET-PLACE"];
    let late = ffmpeg_with(folder.path(), source, "late.mp4", &place);
    let early =
        ffmpeg_with(folder.path(), source, "early.mp4", &[&place[..], &["-movflags", "+faststart"]].concat());
    let fields = metadata(&[("filetype", "video/mp4")]);
    let view = site.finished(&token, &late, &[("upload-metadata", &fields)]).await;
    assert_eq!(view["state"], "refused");
    assert!(view["refusal"]["message"].as_str().unwrap().contains("fast start"), "{view}");

    let has_place = |bytes: &[u8]| bytes.windows(12).any(|window| window == b"SECRET-PLACE");
    assert!(has_place(&early));
    let view = site.finished(&token, &early, &[("upload-metadata", &fields)]).await;
    assert_eq!((&view["state"], &view["media"]["kind"]), (&json!("ready"), &json!("video")), "{view}");
    let bytes = site.read(view["media"]["variants"][0]["url"].as_str().unwrap()).await;
    assert!(!has_place(&bytes) && bytes.len() == early.len());
    let played = folder.path().join("played.mp4");
    std::fs::write(&played, bytes).unwrap();
    let decoded = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-xerror", "-i"])
        .arg(&played)
        .args(["-f", "null", "-"])
        .output();
    let decoded = decoded.unwrap();
    assert!(
        decoded.status.success() && decoded.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&decoded.stderr)
    );
}
