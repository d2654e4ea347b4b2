//! What a start finds: a log that lost its end, another process, roles without a common store.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use barrage_testkit::{Server, ServerOptions};

use crate::{BINARY, becomes, in_folder, lines_with, log, post};

/// The newest position of the room's history, once it has so many messages.
async fn newest_archived(server: &Server, count: usize) -> u64 {
    let began = Instant::now();
    loop {
        let page = server.get("/v1/rooms/demo/history?after=0&limit=1000").await;
        let messages = page.body["messages"].as_array().unwrap().clone();
        if messages.len() >= count {
            return messages.last().unwrap()["sequence"].as_u64().unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{} of {count} are archived", messages.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn loses(what: fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(BINARY, in_folder(&folder)).await;
    let token = server.token("u1", "demo", "viewer").await;
    for n in 0..20 {
        post(&server, &token, &format!("g{n}")).await;
    }
    let archived = newest_archived(&server, 20).await;
    server.kill().await;
    what(&folder.path().join("data"));
    let server = Server::start(BINARY, in_folder(&folder)).await;
    let sequence = post(&server, &token, "after").await;
    assert!(sequence > archived, "{sequence} was given twice: the archive has {archived}");
    assert_eq!(newest_archived(&server, 21).await, sequence);
    let log = log(&folder);
    assert_eq!(lines_with(&log, "has lost its newest messages").len(), 1, "{log}");
    becomes(&server, 200).await;
}

#[tokio::test]
async fn lost_message_log_is_noticed_and_no_position_repeats() {
    loses(|data_dir| {
        for name in ["bus.sqlite", "bus.sqlite-wal", "bus.sqlite-shm", "bus.mark"] {
            drop(std::fs::remove_file(data_dir.join(name)));
        }
    })
    .await;
}

#[tokio::test]
async fn cut_write_ahead_log_is_noticed_and_no_position_repeats() {
    loses(|data_dir| {
        let wal = std::fs::OpenOptions::new().write(true).open(data_dir.join("bus.sqlite-wal")).unwrap();
        wal.set_len(0).unwrap();
    })
    .await;
}

fn refused(arguments: &[&str], data_dir: &Path) -> String {
    let Output { status, stderr, .. } =
        Command::new(BINARY).args(arguments).arg("--data-dir").arg(data_dir).output().unwrap();
    assert!(!status.success(), "it ran");
    String::from_utf8(stderr).unwrap()
}

#[tokio::test]
async fn second_process_on_a_directory_is_refused_without_the_lock_file_too() {
    let server = Server::start(BINARY, ServerOptions::default()).await;
    let up = ["up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let first = refused(&up, server.data_dir());
    assert!(first.contains("another barrage runs on"), "{first}");
    std::fs::remove_file(server.data_dir().join("lock")).unwrap();
    let second = refused(&up, server.data_dir());
    assert!(second.contains("bus.sqlite is used by another process"), "{second}");
    let token = server.token("u1", "demo", "viewer").await;
    post(&server, &token, "still-served").await;
}

#[test]
fn roles_in_processes_of_their_own_do_not_start_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("barrage.toml");
    std::fs::write(&config, "[nats]\n").unwrap();
    for role in ["uplink", "archiver"] {
        let line = [role, "--config", config.to_str().unwrap()];
        let reason = refused(&line, &folder.path().join("data"));
        assert!(reason.contains("[postgres]") && reason.contains("store.file"), "{role}: {reason}");
    }
}
