//! Full disks, deleted files and damaged files while the process runs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use barrage_testkit::{Server, wait};

use super::{becomes, in_folder, lines_with, log, post, readyz};
use crate::support::{BINARY, MESSAGES, gift, start};

/// Limits the size of the files that the server can write.
fn set_largest_file(server: &Server, bytes: &str) {
    let line = ["--pid", &server.id().to_string(), &format!("--fsize={bytes}:unlimited")].map(str::to_owned);
    let set = Command::new("prlimit").args(line).status().expect("`prlimit` of util-linux");
    assert!(set.success());
}

/// Makes a program that starts the server with SIGXFSZ ignored, so that a write beyond the largest
/// size fails as a write to a full disk does.
fn without_size_signal(folder: &Path) -> String {
    let path = folder.join("barrage");
    std::fs::write(&path, format!("#!/bin/sh\ntrap '' XFSZ\nexec {BINARY} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn full_disk_ends_readiness_until_writes_succeed_and_is_logged_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&without_size_signal(folder.path()), in_folder(&folder)).await;
    let token = server.token("u1", "demo", "viewer").await;
    for n in 0..30 {
        post(&server, &token, &format!("before-{n}")).await;
    }
    set_largest_file(&server, "49152");
    let began = Instant::now();
    let (mut refused, mut n) = (0, 0);
    while refused < 50 {
        let answer = server.post(MESSAGES, &token, gift(&format!("during-{n}"))).await;
        if answer.status == 503 {
            assert_eq!((answer.code(), answer.retry_after.is_some()), ("unavailable", true));
            refused += 1;
        }
        n += 1;
        assert!(began.elapsed() < Duration::from_secs(30), "the server accepts gifts that it cannot write");
    }
    let reason = becomes(&server, 503).await;
    assert!(reason.contains("cannot be written"), "{reason}");
    set_largest_file(&server, "unlimited");
    becomes(&server, 200).await;
    post(&server, &token, "after").await;
    let log = log(&folder);
    for state in ["messages are refused until it can", "the message log can be written again"] {
        assert_eq!(lines_with(&log, state).len(), 1, "{log}");
    }
    let errors = log.lines().filter(|line| line.contains("ERROR")).count();
    assert!(errors < 10, "{errors} lines for {refused} refused gifts:\n{log}");
}

#[tokio::test]
async fn deleted_store_or_message_log_ends_readiness_with_its_name() {
    for (name, words) in
        [("store.sqlite", "store.sqlite is not there"), ("bus.sqlite", "bus.sqlite is not there")]
    {
        let server = start().await;
        std::fs::remove_file(server.data_dir().join(name)).unwrap();
        let reason = becomes(&server, 503).await;
        assert!(reason.contains(words), "{reason}");
    }
}

/// Overwrites the last quarter of a file: messages, and not the tables that a start reads.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let from = bytes.len() / 4 * 3;
    bytes[from..].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damaged_store_ends_readiness_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(BINARY, in_folder(&folder)).await;
    let token = server.token("u1", "demo", "viewer").await;
    for n in 0..200 {
        post(&server, &token, &format!("g{n}")).await;
    }
    assert_eq!(server.stop("TERM").await, Some(0));
    damage(&folder.path().join("data/store.sqlite"));
    // The server starts, and is never ready.
    let server = Server::start_unready(BINARY, in_folder(&folder)).await;
    wait::until_true(Duration::from_secs(30), "/readyz that names the damage", async || {
        let (status, body) = readyz(&server).await;
        assert_eq!(status, 503, "{body}");
        body.contains("is damaged")
    })
    .await;
}
