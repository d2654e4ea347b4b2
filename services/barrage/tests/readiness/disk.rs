//! Disks that take nothing and files that are gone or damaged, while the process runs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use barrage_testkit::{Server, ServerOptions};

use crate::{BINARY, PATH, becomes, gift, in_folder, lines_with, log, post};

fn set_largest_file(server: &Server, bytes: &str) {
    let line = ["--pid", &server.id().to_string(), &format!("--fsize={bytes}:unlimited")].map(str::to_owned);
    let set = Command::new("prlimit").args(line).status().expect("`prlimit` of util-linux");
    assert!(set.success());
}

/// A program that starts the server with its signal for a too large file ignored, so that such
/// a write fails as one to a full disk does.
fn without_size_signal(folder: &Path) -> String {
    let path = folder.join("barrage");
    std::fs::write(&path, format!("#!/bin/sh\ntrap '' XFSZ\nexec {BINARY} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn disk_that_takes_nothing_is_noticed_logged_once_and_over_when_it_takes_again() {
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
        let answer = server.post(PATH, &token, gift(&format!("during-{n}"))).await;
        if answer.status == 503 {
            assert_eq!((answer.code(), answer.retry_after.is_some()), ("unavailable", true));
            refused += 1;
        }
        n += 1;
        assert!(began.elapsed() < Duration::from_secs(30), "the log takes gifts with nothing to write to");
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
async fn deleted_store_and_deleted_log_end_readiness_with_a_sentence() {
    for (name, words) in
        [("store.sqlite", "store.sqlite is not there"), ("bus.sqlite", "bus.sqlite is not there")]
    {
        let server = Server::start(BINARY, ServerOptions::default()).await;
        std::fs::remove_file(server.data_dir().join(name)).unwrap();
        let reason = becomes(&server, 503).await;
        assert!(reason.contains(words), "{reason}");
    }
}

/// Overwrites the second half of a file.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let from = bytes.len() / 2;
    bytes[from..].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damaged_history_ends_readiness_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(BINARY, in_folder(&folder)).await;
    let token = server.token("u1", "demo", "viewer").await;
    for n in 0..200 {
        post(&server, &token, &format!("g{n}")).await;
    }
    assert_eq!(server.stop("TERM").await, Some(0));
    let addresses = (server.public, server.admin);
    damage(&folder.path().join("data/store.sqlite"));
    // It is never ready: so not by `Server::start`.
    let child = tokio::process::Command::new(BINARY)
        .args(["up", "--listen", &addresses.0.to_string(), "--admin-listen", &addresses.1.to_string()])
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let _child = child.unwrap();
    let began = Instant::now();
    loop {
        let answer = reqwest::get(format!("http://{}/readyz", addresses.1)).await;
        let body = match answer {
            Ok(answer) => {
                assert_eq!(answer.status().as_u16(), 503);
                answer.text().await.unwrap()
            }
            Err(_) => String::new(),
        };
        if body.contains("is damaged") {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
