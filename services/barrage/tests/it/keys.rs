//! Changes of token keys while a process runs.

use std::path::Path;
use std::time::Duration;

use barrage_testkit::{Server, ServerOptions, wait};

use crate::support::{BINARY, MESSAGES, barrage, chat, text_of};

/// Longest time until a change is in force, as the operations guide promises.
const IN_FORCE_MAX: Duration = Duration::from_secs(10);

/// Writes a configuration with these keys; the first one signs.
fn configure(folder: &Path, ids: &[&str]) {
    let key = |id: &&str| {
        format!("[[token.keys]]\nid = \"{id}\"\nalgorithm = \"hs256\"\nsecret_file = \"{id}.key\"\n")
    };
    let text: String = ids.iter().map(key).collect();
    // Replaced by a rename, as tools of operators do.
    std::fs::write(folder.join("new"), text).unwrap();
    std::fs::rename(folder.join("new"), folder.join("barrage.toml")).unwrap();
}

async fn mint(folder: &Path) -> String {
    let output = barrage(folder, &["token", "--user", "u1", "--room", "demo"]).await;
    assert!(output.status.success(), "{}", text_of(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Posts until the answer has this status.
async fn becomes(server: &Server, token: &str, status: u16) {
    let mut number = 0;
    wait::until_true(IN_FORCE_MAX, &format!("an answer with the status {status}"), async || {
        number += 1;
        let post = chat(&format!("{status}-{number}"), &format!("n {number}"));
        server.post(MESSAGES, token, post).await.status == status
    })
    .await;
}

/// Waits until the log contains a text.
async fn logs(log: &Path, text: &str) {
    wait::until_true(IN_FORCE_MAX, &format!("{text:?} in the log"), async || {
        std::fs::read_to_string(log).unwrap().contains(text)
    })
    .await;
}

#[tokio::test]
async fn added_and_removed_keys_are_in_force_without_a_restart() {
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

    // A key that cannot be loaded changes nothing and is logged.
    configure(folder, &["weak"]);
    logs(&log, "the keys before stay in force").await;
    becomes(&server, &new, 200).await;
    // The file of a configured key appears later.
    configure(folder, &["old", "late"]);
    logs(&log, "late.key").await;
    std::fs::write(folder.join("late.key"), "a secret that is written after the configuration\n").unwrap();
    becomes(&server, &old, 200).await;

    // The key file changes, and the configuration does not.
    std::fs::write(folder.join("old.key"), "another secret of forty bytes, as an example").unwrap();
    let rewritten = mint(folder).await;
    becomes(&server, &rewritten, 200).await;
    becomes(&server, &old, 401).await;
}
