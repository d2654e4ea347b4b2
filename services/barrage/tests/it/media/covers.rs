//! Covers of clips: a picture of the sender, shown in a letter before a byte of the clip is read.

use serde_json::{Value, json};

use super::pictures::{ffmpeg, ffmpeg_with};
use super::site::{Site, metadata};

async fn refer(site: &Site, token: &str, body: &Value) -> (u16, Value) {
    let request = site.http.post(site.url("/v1/media/references")).bearer_auth(token);
    let answer = request.body(body.to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn clip_has_the_cover_that_its_sender_gives_it_and_no_other() {
    let site = Site::start(&[]).await;
    let (ann, bob) = (site.token("ann").await, site.token("bob").await);
    let folder = tempfile::tempdir().unwrap();
    let source = "testsrc=size=160x90:rate=10:duration=1";
    let clip = ffmpeg_with(folder.path(), source, "a.mp4", &["-c:v", "mpeg4", "-movflags", "+faststart"]);
    let frame = ffmpeg(folder.path(), "testsrc=size=640x360", "frame.png");
    let fields = |of: &str| metadata(&[("filetype", of)]);
    let clip =
        site.finished(&ann, &clip, &[("upload-metadata", &fields("video/mp4"))]).await["media"].clone();
    let frame =
        site.finished(&ann, &frame, &[("upload-metadata", &fields("image/png"))]).await["media"].clone();

    let (status, answer) =
        refer(&site, &ann, &json!({ "digest": clip["digest"], "cover": frame["digest"] })).await;
    assert_eq!(status, 200, "{answer}");
    let shown = &answer["media"];
    assert_eq!(
        (&shown["kind"], &shown["width"], &shown["height"], &shown["thumbhash"]),
        (&json!("video"), &json!(640), &json!(360), &frame["thumbhash"])
    );
    let variants = shown["variants"].as_array().unwrap();
    let types: Vec<_> = variants.iter().map(|variant| variant["media_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["image/webp", "image/webp", "video/mp4"]);
    for (variant, of_picture) in variants.iter().zip(frame["variants"].as_array().unwrap()).take(2) {
        let bytes = site.read(variant["url"].as_str().unwrap()).await;
        assert_eq!(bytes, site.read(of_picture["url"].as_str().unwrap()).await);
        assert_eq!(json!(bytes.len()), variant["length"]);
    }

    // A letter has the cover, with addresses for its reader.
    let letter = json!({ "type": "file", "id": "l1", "text": "", "media": answer["reference"] });
    let sent = site.server.call("POST", "/v1/users/bob/messages", &ann, &letter).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let path = format!("/v1/inbox?at_least={}&lane={}", sent.body["sequence"], sent.body["lane"]);
    let inbox = site.server.call("GET", &path, &bob, &Value::Null).await;
    let read = &inbox.body["conversations"][0]["items"][0]["body"]["media"]["variants"];
    assert_eq!(site.read(read[0]["url"].as_str().unwrap()).await.len(), variants[0]["length"]);

    let cases = [
        (&ann, json!({ "digest": frame["digest"], "cover": frame["digest"] }), 400, "only a clip"),
        (&ann, json!({ "digest": clip["digest"], "cover": clip["digest"] }), 400, "is a picture"),
        (&ann, json!({ "digest": clip["digest"], "cover": "ab".repeat(32) }), 404, "upload it first"),
        (&bob, json!({ "digest": clip["digest"], "cover": frame["digest"] }), 404, "no such medium of yours"),
    ];
    for (token, body, expected, words) in cases {
        let (status, answer) = refer(&site, token, &body).await;
        assert!(status == expected && answer.to_string().contains(words), "{body}: {status} {answer}");
    }
    // What was removed everywhere is no cover either, and the clip stays.
    let admin = site.server.token("a", "*", "admin").await;
    let removed =
        site.server.admin("POST", "/media/remove", &admin, &json!({ "digest": frame["digest"] })).await;
    assert_eq!(removed.status, 200, "{removed:?}");
    for (variant, expected) in variants.iter().zip([403, 403, 200]) {
        let url = site.url(variant["url"].as_str().unwrap());
        assert_eq!(site.http.get(url).send().await.unwrap().status(), expected, "{variant}");
    }
}
