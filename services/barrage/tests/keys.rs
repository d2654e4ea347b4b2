//! Keys are changed while a real process runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, Instant};

use barrage_testkit::{Server, ServerOptions};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
const POSTS: &str = "/v1/rooms/demo/messages";
/// The promise of docs/guide/operate.md.
const IN_FORCE_MAX: Duration = Duration::from_secs(10);

/// Writes the configuration with these keys, the first of which signs.
fn configure(folder: &Path, ids: &[&str]) {
    let key = |id: &&str| {
        format!("[[token.keys]]\nid = \"{id}\"\nalgorithm = \"hs256\"\nsecret_file = \"{id}.key\"\n")
    };
    let text: String = ids.iter().map(key).collect();
    // Written whole under another name first, as an operator's tool does.
    std::fs::write(folder.join("new"), text).unwrap();
    std::fs::rename(folder.join("new"), folder.join("barrage.toml")).unwrap();
}

async fn mint(folder: &Path) -> String {
    let output = tokio::process::Command::new(BINARY)
        .args(["token", "--user", "u1", "--room", "demo"])
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Posts until the answer has this status.
async fn becomes(server: &Server, token: &str, status: u16) {
    let since = Instant::now();
    let mut number = 0;
    loop {
        number += 1;
        let text =
            json!({ "type": "chat", "id": format!("{status}-{number}"), "text": format!("n {number}") });
        let answer = server.post(POSTS, token, text.to_string()).await;
        if answer.status == status {
            return;
        }
        assert!(since.elapsed() < IN_FORCE_MAX, "still {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn logs(log: &Path, text: &str) {
    let since = Instant::now();
    while !std::fs::read_to_string(log).unwrap().contains(text) {
        assert!(since.elapsed() < IN_FORCE_MAX, "{text} is not in the log");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_new_key_is_accepted_and_a_removed_one_refused_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("old.key"), "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::write(folder.join("new.key"), "fedcba9876543210fedcba9876543210\n").unwrap();
    std::fs::write(folder.join("weak.key"), "a".repeat(40)).unwrap();
    configure(folder, &["old"]);
    let log = folder.join("log");
    let config = folder.join("barrage.toml").to_string_lossy().into_owned();
    let options = ServerOptions {
        environment: vec![("BARRAGE_CONFIG".into(), config)],
        data_dir: Some(folder.join("data")),
        log: Some(log.clone()),
        ..ServerOptions::default()
    };
    let server = Server::start(BINARY, options).await;
    let old = mint(folder).await;
    becomes(&server, &old, 200).await;

    configure(folder, &["new", "old"]);
    let new = mint(folder).await;
    assert_ne!(new.split('.').next(), old.split('.').next(), "another `kid`");
    becomes(&server, &new, 200).await;
    becomes(&server, &old, 200).await;

    configure(folder, &["new"]);
    becomes(&server, &old, 401).await;
    becomes(&server, &new, 200).await;

    // A key that cannot be used changes nothing, and the log says so.
    configure(folder, &["weak"]);
    logs(&log, "the token keys stay those from before").await;
    becomes(&server, &new, 200).await;
    // A key whose file comes later.
    configure(folder, &["old", "late"]);
    logs(&log, "late.key").await;
    std::fs::write(folder.join("late.key"), "a secret that comes later than its name\n").unwrap();
    becomes(&server, &old, 200).await;

    // The file alone changes.
    std::fs::write(folder.join("old.key"), "another secret of forty bytes, as an example").unwrap();
    let rewritten = mint(folder).await;
    becomes(&server, &rewritten, 200).await;
    becomes(&server, &old, 401).await;
}
