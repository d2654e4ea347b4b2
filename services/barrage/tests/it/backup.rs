//! `barrage backup` of a running server, `barrage restore`, and files of other versions.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use barrage_protocol::frame::RepairOutcome;
use barrage_testkit::{RawSocket, Server, ServerOptions, wait};
use rusqlite::Connection;
use serde_json::json;

use crate::support::{BINARY, MESSAGES, barrage, chat, gift, text_of};

fn with_data(data_dir: &Path) -> ServerOptions {
    ServerOptions { data_dir: Some(data_dir.to_owned()), ..ServerOptions::default() }
}

/// Posts a gift, and returns its sequence.
pub(crate) async fn post_gift(server: &Server, token: &str, id: &str) -> u64 {
    let answer = server.post(MESSAGES, token, gift(id)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body["sequence"].as_u64().unwrap()
}

/// Returns the sequences of gifts and chat in the history, by id.
pub(crate) async fn history(server: &Server) -> BTreeMap<String, u64> {
    let page = server.get("/v1/rooms/demo/history?after=0&limit=1000").await;
    let messages = page.body["messages"].as_array().unwrap().iter();
    // Signals have no id.
    let with_id = messages.filter_map(|message| {
        let id = message["body"]["id"].as_str()?.to_owned();
        Some((id, message["sequence"].as_u64().unwrap()))
    });
    with_id.collect()
}

pub(crate) async fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = barrage(folder, arguments).await;
    (output.status.success(), text_of(&output))
}

#[tokio::test]
async fn restored_server_has_what_was_answered_before_the_backup_and_repeats_no_position() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (data, copy, other) = (folder.join("data"), folder.join("copy"), folder.join("other"));
    let (data_dir, copy_dir, other_dir) =
        (data.to_str().unwrap(), copy.to_str().unwrap(), other.to_str().unwrap());
    let mut server = Server::start(BINARY, with_data(&data)).await;
    let token = server.token("u1", "demo", "viewer").await;
    let muted = server.token("u2", "demo", "viewer").await;
    let admin = server.token("a", "*", "admin").await;
    let mute = json!({ "user": "u2", "secs": 3600 });
    assert_eq!(server.admin("POST", "/rooms/demo/mute", &admin, &mute).await.status, 200);
    let mut before = BTreeMap::new();
    for n in 0..20 {
        let id = format!("before.{n}");
        before.insert(id.clone(), post_gift(&server, &token, &id).await);
    }

    let (succeeded, text) = run(folder, &["--data-dir", data_dir, "backup", "--to", copy_dir]).await;
    assert!(succeeded, "{text}");
    let (succeeded, text) = run(folder, &["--data-dir", data_dir, "backup", "--to", copy_dir]).await;
    assert!(!succeeded && text.contains("a backup is a new folder"), "{text}");
    let mut after = 0;
    for n in 0..20 {
        after = post_gift(&server, &token, &format!("after.{n}")).await;
    }
    server.kill().await;

    let (succeeded, text) = run(folder, &["--data-dir", data_dir, "restore", "--from", copy_dir]).await;
    assert!(!succeeded && text.contains("is not empty"), "{text}");
    let (succeeded, text) = run(folder, &["--data-dir", other_dir, "restore", "--from", copy_dir]).await;
    assert!(succeeded, "{text}");
    let server = Server::start(BINARY, with_data(&other)).await;
    wait::until_true(Duration::from_secs(20), "the gifts of the backup in the history", async || {
        history(&server).await == before
    })
    .await;
    let refused = server.post(MESSAGES, &muted, chat("m", "hello")).await;
    assert_eq!((refused.status, refused.code()), (403, "muted"), "the token and the mute are of the backup");
    // The original may have given as many positions after the backup.
    assert!(
        post_gift(&server, &token, "restored").await > after + (1 << 32),
        "a position may be given twice"
    );
    let mut socket = RawSocket::join(server.public, "demo", Some(&token), Some(after)).await;
    let repair = socket.next_batch().await.repair.unwrap();
    assert_eq!(repair.outcome, RepairOutcome::Gone);
}

#[tokio::test]
async fn tables_in_files_of_the_configuration_are_in_the_backup_and_move_to_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A configuration for each place of the two files.
    let place = |name: &str| {
        let tables = folder.join(name);
        std::fs::create_dir(&tables).unwrap();
        let file = |table: &str| tables.join(table).display().to_string();
        let (store, inbox) = (file("history.db"), file("letters.db"));
        let text = format!("[store]\nfile = {store:?}\n\n[inbox]\nfile = {inbox:?}\n");
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
        tables
    };
    let (old, new) = (place("old"), place("new"));
    let start = async |data: &str, place: &str| {
        let config = folder.join(format!("{place}.toml")).display().to_string();
        let arguments = vec!["--config".to_owned(), config];
        Server::start(BINARY, ServerOptions { arguments, ..with_data(&folder.join(data)) }).await
    };
    let mut server = start("data", "old").await;
    let token = server.token("u1", "*", "viewer").await;
    let mut before = BTreeMap::new();
    for n in 0..10 {
        let id = format!("before.{n}");
        before.insert(id.clone(), post_gift(&server, &token, &id).await);
    }
    let letter = json!({ "type": "text", "id": "m1", "text": "hello" });
    let sent = server.call("POST", "/v1/users/u2/messages", &token, &letter).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let inbox = format!("/v1/inbox?at_least={}&lane={}", sent.body["sequence"], sent.body["lane"]);
    let reader = server.token("u2", "*", "viewer").await;
    let unread = async |server: &Server, path: &str| {
        let answer = server.call("GET", path, &reader, &json!(null)).await;
        (answer.status, answer.body["conversations"].clone())
    };
    let letters = unread(&server, &inbox).await;
    assert!(letters.0 == 200 && letters.1.to_string().contains("hello"), "{letters:?}");

    let (succeeded, text) =
        run(folder, &["--config", "old.toml", "--data-dir", "data", "backup", "--to", "copy"]).await;
    assert!(succeeded, "{text}");
    post_gift(&server, &token, "after").await;
    server.kill().await;
    let data = folder.join("data");
    assert!(!data.join("store.sqlite").exists() && !data.join("inbox.sqlite").exists());
    assert!(old.join("history.db").exists() && old.join("letters.db").exists());

    let (succeeded, text) =
        run(folder, &["--config", "new.toml", "--data-dir", "other", "restore", "--from", "copy"]).await;
    assert!(!succeeded && text.contains("restore without these keys"), "{text}");
    assert!(!folder.join("other").exists() && std::fs::read_dir(&new).unwrap().next().is_none());
    let (succeeded, text) = run(folder, &["--data-dir", "other", "restore", "--from", "copy"]).await;
    assert!(succeeded, "{text}");
    for (from, to) in [("store.sqlite", "history.db"), ("inbox.sqlite", "letters.db")] {
        std::fs::rename(folder.join("other").join(from), new.join(to)).unwrap();
    }
    let server = start("other", "new").await;
    wait::until_true(Duration::from_secs(20), "the gifts of the backup in the history", async || {
        history(&server).await == before
    })
    .await;
    let restored = unread(&server, "/v1/inbox").await;
    assert_eq!(restored, letters, "the token's key is in the backup too");
}

#[tokio::test]
async fn changed_or_unknown_backup_is_refused_and_leaves_no_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (data, copy) = (folder.join("data"), folder.join("copy"));
    let mut server = Server::start(BINARY, with_data(&data)).await;
    server.stop("TERM").await;
    let arguments = ["--data-dir", "data", "backup", "--to", "copy"];
    let (succeeded, text) = run(folder, &arguments).await;
    assert!(succeeded, "a stopped server's: {text}");
    let manifest = std::fs::read_to_string(copy.join("manifest.json")).unwrap();
    let cases = [
        (manifest.replace("\"format\": 1", "\"format\": 3"), "which a newer barrage made"),
        (manifest.replace("token.key", "/token.key"), "does not know"),
        (manifest.replacen("\"sha256\": \"", "\"sha256\": \"0", 1), "has changed since the backup"),
        ("{}".to_owned(), "no form that this barrage knows"),
        ("[".to_owned(), "is not JSON"),
    ];
    for (text, reason) in cases {
        std::fs::write(copy.join("manifest.json"), text).unwrap();
        let (succeeded, text) = run(folder, &["--data-dir", "other", "restore", "--from", "copy"]).await;
        assert!(!succeeded && text.contains(reason), "{reason}: {text}");
        assert!(!folder.join("other").exists() && !folder.join("other.restoring").exists());
    }
    let (succeeded, text) = run(folder, &["--data-dir", "other", "backup", "--to", "copy2"]).await;
    assert!(!succeeded && text.contains("has no message log"), "{text}");
    let (succeeded, text) = run(folder, &["--data-dir", "other", "restore", "--from", "data"]).await;
    assert!(!succeeded && text.contains("is no backup"), "{text}");
}

#[tokio::test]
async fn files_of_a_newer_version_are_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(BINARY, with_data(&data)).await;
    server.stop("TERM").await;
    let change = |file: &str, sql: &str| {
        Connection::open(data.join(file)).unwrap().execute_batch(sql).unwrap();
    };
    let newer_store = "INSERT INTO _sqlx_migrations SELECT 9999, 'later', installed_on, 1, checksum, 0 \
                       FROM _sqlx_migrations LIMIT 1";
    let cases = [
        ("bus.sqlite", "PRAGMA user_version = 99", "PRAGMA user_version = 1"),
        ("store.sqlite", newer_store, "DELETE FROM _sqlx_migrations WHERE version = 9999"),
    ];
    for (file, newer, back) in cases {
        change(file, newer);
        let (succeeded, text) =
            run(folder.path(), &["--data-dir", "data", "up", "--listen", "127.0.0.1:0"]).await;
        assert!(!succeeded && text.contains("a newer barrage"), "{file}: {text}");
        change(file, back);
    }
    Server::start(BINARY, with_data(&data)).await;
}

/// Copies a data directory that an older version has left.
fn data_of(version: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(version);
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn data_directory_of_an_older_version_is_opened_with_all_that_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    data_of("0.2.0", &data);
    // The files get older with each day.
    let environment = vec![("BARRAGE_ARCHIVER__RETENTION_HOURS".into(), "0".into())];
    let server = Server::start(BINARY, ServerOptions { environment, ..with_data(&data) }).await;
    let mut expected: BTreeMap<String, u64> = (1..=5).map(|n| (format!("gift.{n}"), n)).collect();
    expected.insert("chat.1".into(), 6);
    let mut found = history(&server).await;
    found.retain(|id, _| expected.contains_key(id));
    assert_eq!(found, expected);
    let admin = server.token("boss", "*", "admin").await;
    let rooms = server.admin("GET", "/rooms", &admin, &json!(null)).await;
    assert_eq!(rooms.body["rooms"][0]["title"], "Demo of 0.2.0", "{rooms:?}");
    let token = server.token("u2", "demo", "viewer").await;
    assert_eq!(server.post(MESSAGES, &token, chat("m", "hello")).await.code(), "muted");
    let token = server.token("u1", "demo", "viewer").await;
    let again = server.post(MESSAGES, &token, gift("gift.9")).await;
    assert_eq!((again.status, &again.body["outcome"]), (200, &json!("broadcast")));
}
