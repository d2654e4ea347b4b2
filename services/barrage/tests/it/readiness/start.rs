//! Checks of a start: a message log without its end, a second process, roles without a common store.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use barrage_testkit::{Server, wait};

use super::{becomes, in_folder, lines_with, log, post};
use crate::support::{BINARY, start};

/// Waits until the history has `count` messages, and returns the newest sequence.
async fn newest_archived(server: &Server, count: usize) -> u64 {
    wait::until(Duration::from_secs(20), &format!("{count} archived messages"), async || {
        let page = server.get("/v1/rooms/demo/history?after=0&limit=1000").await;
        let messages = page.body["messages"].as_array().unwrap();
        (messages.len() >= count).then(|| messages.last().unwrap()["sequence"].as_u64().unwrap())
    })
    .await
}

/// Damages the message log between a kill and a restart, and checks that the log goes on after the
/// newest archived message.
async fn restart_after(damage: fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(BINARY, in_folder(&folder)).await;
    let token = server.token("u1", "demo", "viewer").await;
    for n in 0..20 {
        post(&server, &token, &format!("g{n}")).await;
    }
    let archived = newest_archived(&server, 20).await;
    server.kill().await;
    damage(&folder.path().join("data"));
    let server = Server::start(BINARY, in_folder(&folder)).await;
    let sequence = post(&server, &token, "after").await;
    assert!(sequence > archived, "{sequence} was given twice: the archive has {archived}");
    assert_eq!(newest_archived(&server, 21).await, sequence);
    let log = log(&folder);
    assert_eq!(lines_with(&log, "has lost its newest messages").len(), 1, "{log}");
    becomes(&server, 200).await;
}

#[tokio::test]
async fn deleted_message_log_is_logged_and_no_sequence_repeats() {
    restart_after(|data_dir| {
        for name in ["bus.sqlite", "bus.sqlite-wal", "bus.sqlite-shm", "bus.mark"] {
            drop(std::fs::remove_file(data_dir.join(name)));
        }
    })
    .await;
}

#[tokio::test]
async fn truncated_write_ahead_log_is_logged_and_no_sequence_repeats() {
    restart_after(|data_dir| {
        let wal = std::fs::OpenOptions::new().write(true).open(data_dir.join("bus.sqlite-wal")).unwrap();
        wal.set_len(0).unwrap();
    })
    .await;
}

/// Runs a command that must fail, and returns its error text.
fn error_of(arguments: &[&str], data_dir: &Path) -> String {
    let Output { status, stderr, .. } =
        Command::new(BINARY).args(arguments).arg("--data-dir").arg(data_dir).output().unwrap();
    assert!(!status.success(), "the command must fail");
    String::from_utf8(stderr).unwrap()
}

#[tokio::test]
async fn second_process_on_a_data_directory_is_refused_even_without_the_lock_file() {
    let server = start().await;
    let up = ["up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let first = error_of(&up, server.data_dir());
    assert!(first.contains("another barrage runs on"), "{first}");
    std::fs::remove_file(server.data_dir().join("lock")).unwrap();
    let second = error_of(&up, server.data_dir());
    assert!(second.contains("bus.sqlite is used by another process"), "{second}");
    let token = server.token("u1", "demo", "viewer").await;
    post(&server, &token, "still-served").await;
}

#[test]
fn roles_in_separate_processes_refuse_a_sqlite_store() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("barrage.toml");
    std::fs::write(&config, "[nats]\n").unwrap();
    for role in ["uplink", "archiver"] {
        let line = [role, "--config", config.to_str().unwrap()];
        let reason = error_of(&line, &folder.path().join("data"));
        assert!(reason.contains("[postgres]") && reason.contains("store.file"), "{role}: {reason}");
    }
}
