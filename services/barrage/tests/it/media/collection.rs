//! Media that no message shows any more, and those that are removed everywhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use barrage_testkit::wait;
use serde_json::{Value, json};

use super::pictures::ffmpeg;
use super::site::Site;
use crate::support::MESSAGES;

const PATIENCE: Duration = Duration::from_secs(30);
/// Media without a message go after two seconds; a walk takes one.
pub(super) const QUICK: [(&str, &str); 2] = [("UNUSED_SECS", "2"), ("WALK_SECS", "1")];

pub(super) async fn call(site: &Site, path: &str, token: &str, body: Value) -> Value {
    let answer = site.server.call("POST", path, token, &body).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

/// Uploads a picture of these pixels, and returns the view of the upload.
pub(super) async fn picture(site: &Site, token: &str, size: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let bytes = ffmpeg(folder.path(), &format!("testsrc=size={size}"), "a.png");
    let view = site.finished(token, &bytes, &[]).await;
    assert_eq!(view["state"], "ready", "{view}");
    view
}

pub(super) async fn allow_pictures(site: &Site) -> String {
    let host = site.server.token("host", "*", "host").await;
    let rule = json!({ "id": "r1", "action": { "type": "speak", "rule": { "media_role_min": "viewer" } } });
    call(site, "/v1/rooms/demo/actions", &host, rule).await;
    host
}

pub(super) fn folder_of(data: &Path, view: &Value) -> PathBuf {
    let digest = view["media"]["digest"].as_str().unwrap();
    data.join("media/blobs/media").join(&digest[..2]).join(digest)
}

/// Names of the blobs of a medium.
pub(super) fn blobs(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Makes the mark of a removal two hours old: uploads of the file wait for two minutes behind it.
pub(super) fn end_removal(medium: &Path) {
    let mark = std::fs::File::options().write(true).open(medium.join("condemned")).unwrap();
    mark.set_modified(std::time::SystemTime::now() - Duration::from_secs(7_200)).unwrap();
}

pub(super) async fn wait_until_gone(folder: &Path) {
    wait::until_true(PATIENCE, "the removal of the medium", async || {
        blobs(folder).iter().all(|name| name == "condemned")
    })
    .await;
}

#[tokio::test]
async fn medium_stays_while_a_message_shows_it_and_goes_afterwards() {
    let site = Site::start(&QUICK).await;
    let (ann, host) = (site.token("ann").await, allow_pictures(&site).await);
    let data = site.server.data_dir().to_owned();
    let in_room = picture(&site, &ann, "64x64").await;
    let post = json!({ "type": "chat", "id": "m1", "text": "", "media": in_room["reference"] });
    let sequence = call(&site, MESSAGES, &ann, post).await["sequence"].clone();
    let in_letter = picture(&site, &ann, "80x64").await;
    let letter = json!({ "type": "image", "id": "m1", "media": in_letter["reference"] });
    let sent = call(&site, "/v1/users/bob/messages", &ann, letter).await;
    let unused = picture(&site, &ann, "96x64").await;
    // Unused ones go, while those in messages are looked at and stay.
    wait_until_gone(&folder_of(&data, &unused)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for view in [&in_room, &in_letter] {
        assert!(blobs(&folder_of(&data, view)).contains(&"record.json".to_owned()), "{view}");
        site.read(view["media"]["variants"][0]["url"].as_str().unwrap()).await;
    }
    let recall = json!({ "id": "a1", "action": { "type": "recall", "sequence": sequence } });
    call(&site, "/v1/rooms/demo/actions", &host, recall).await;
    let recall = format!("/v1/conversations/{}/recall", sent["conversation"].as_str().unwrap());
    call(&site, &recall, &ann, json!({ "position": 1 })).await;
    for view in [&in_room, &in_letter] {
        wait_until_gone(&folder_of(&data, view)).await;
        let address = site.url(view["media"]["variants"][0]["url"].as_str().unwrap());
        wait::until_true(PATIENCE, "an address without a medium", async || {
            site.http.get(&address).send().await.unwrap().status() == 404
        })
        .await;
    }
}

#[tokio::test]
async fn removal_that_a_kill_cuts_off_is_finished_after_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = QUICK.map(|(name, value)| (format!("MEDIA__{name}"), value.to_owned()));
    let site = Site::start_with(settings.to_vec(), Some(data.clone())).await;
    let ann = site.token("ann").await;
    let medium = folder_of(&data, &picture(&site, &ann, "64x64").await);
    wait_until_gone(&medium).await;
    // What a kill leaves between the steps: the mark beside all blobs, the mark beside forms without a record, and the
    // mark alone.
    let mut site = site;
    for left in
        [&["condemned", "record.json", "64"][..], &["condemned", "64", "answers.json"], &["condemned"]]
    {
        let old = std::time::SystemTime::now() - Duration::from_secs(3_600);
        site = site
            .restart_after(|| {
                std::fs::create_dir_all(&medium).unwrap();
                for name in left {
                    std::fs::write(medium.join(name), b"{}").unwrap();
                    let file = std::fs::File::options().write(true).open(medium.join(name)).unwrap();
                    file.set_modified(old).unwrap();
                }
            })
            .await;
        wait_until_gone(&medium).await;
    }
    wait::until_true(PATIENCE, "the end of the mark", async || blobs(&medium).is_empty()).await;
    // The file may be uploaded again.
    picture(&site, &ann, "64x64").await;
}

#[tokio::test]
async fn medium_that_is_removed_everywhere_is_in_no_answer_and_cannot_come_back() {
    let site = Site::start(&[]).await;
    let (ann, host) = (site.token("ann").await, allow_pictures(&site).await);
    let admin = site.server.token("root", "*", "admin").await;
    let data = site.server.data_dir().to_owned();
    let (one, other) = (picture(&site, &ann, "64x64").await, picture(&site, &ann, "80x64").await);
    let mut sequences = Vec::new();
    for (id, view) in [("m1", &one), ("m2", &other)] {
        let post = json!({ "type": "chat", "id": id, "text": "look", "media": view["reference"] });
        sequences.push(call(&site, MESSAGES, &ann, post).await["sequence"].clone());
    }
    let letter = json!({ "type": "image", "id": "m3", "media": one["reference"] });
    let sent = call(&site, "/v1/users/bob/messages", &ann, letter).await;
    let history = async || {
        let page = site.server.call("GET", "/v1/rooms/demo/history", &ann, &Value::Null).await.body;
        let messages = page["messages"].as_array().unwrap().clone();
        messages
            .into_iter()
            .filter(|it| it["class"] == "chat")
            .map(|it| it["body"].clone())
            .collect::<Vec<_>>()
    };
    wait::until_true(PATIENCE, "both in the history", async || history().await.len() == 2).await;

    // An admin removes one, and a moderator the other one, with its message.
    let digest = json!({ "digest": one["media"]["digest"] });
    let removed = site.server.admin("POST", "/media/remove", &admin, &digest).await;
    assert_eq!((removed.status, &removed.body["digest"]), (200, &one["media"]["digest"]), "{removed:?}");
    let refused = site
        .server
        .call(
            "POST",
            MESSAGES,
            &ann,
            &json!({ "type": "chat", "id": "m4", "text": "", "media": one["reference"] }),
        )
        .await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    let act = json!({ "id": "a1", "action": { "type": "remove_media", "sequence": sequences[1] } });
    call(&site, "/v1/rooms/demo/actions", &host, act).await;
    wait::until_true(PATIENCE, "a history without both", async || {
        let shown = history().await;
        shown.len() == 1 && shown[0]["media"].is_null() && shown[0]["text"] == "look"
    })
    .await;
    let bob = site.token("bob").await;
    let items = format!("/v1/conversations/{}/messages", sent["conversation"].as_str().unwrap());
    let items = site.server.call("GET", &items, &bob, &Value::Null).await.body;
    assert_eq!(items["items"][0]["body"]["media"], Value::Null);
    for view in [&one, &other] {
        let address = site.url(view["media"]["variants"][0]["url"].as_str().unwrap());
        wait::until_true(PATIENCE, "a refused address", async || {
            site.http.get(&address).send().await.unwrap().status() == 403
        })
        .await;
        wait_until_gone(&folder_of(&data, view)).await;
    }
    // The same file again: refused, also after a kill.
    let site = site.kill_and_restart().await;
    let folder = tempfile::tempdir().unwrap();
    let bytes = ffmpeg(folder.path(), "testsrc=size=64x64", "a.png");
    let view = site.finished(&ann, &bytes, &[]).await;
    assert_eq!(
        (&view["state"], &view["refusal"]["code"]),
        (&json!("refused"), &json!("forbidden")),
        "{view}"
    );
    // The removal is lifted: the file may come back, and the message that stayed shows it again.
    let (allowed, again) = (
        site.server.admin("POST", "/media/allow", &admin, &digest).await,
        site.server.admin("POST", "/media/allow", &admin, &digest).await,
    );
    assert_eq!((allowed.status, again.status), (200, 404), "{allowed:?} {again:?}");
    wait_until_gone(&folder_of(&data, &one)).await;
    end_removal(&folder_of(&data, &one));
    let view = site.finished(&ann, &bytes, &[]).await;
    assert!(view["reference"].is_string(), "{view}");
    let gallery = site.server.call("GET", "/v1/rooms/demo/media", &host, &Value::Null).await.body;
    assert_eq!(gallery["media"].as_array().map(Vec::len), Some(1), "{gallery}");
    let url = gallery["media"][0]["media"]["variants"][0]["url"].as_str().unwrap();
    assert!(site.read(url).await.starts_with(b"RIFF"), "{gallery}");
}
