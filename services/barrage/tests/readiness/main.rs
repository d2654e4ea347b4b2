//! `/readyz` is true when and only when the process can do its work, and what a start finds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod disk;
mod files;
mod nats;
mod start;

use std::time::{Duration, Instant};

use barrage_testkit::{Server, ServerOptions};
use serde_json::json;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
const PATH: &str = "/v1/rooms/demo/messages";
/// A change of readiness is noticed within this time; twice that on a busy machine.
const NOTICED: Duration = Duration::from_secs(10);

fn gift(id: &str) -> String {
    json!({ "type": "gift", "id": id, "gift": { "name": "rose", "count": 1 } }).to_string()
}

async fn readyz(server: &Server) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}/readyz", server.admin)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits for the status; the body that came with it.
async fn becomes(server: &Server, status: u16) -> String {
    let began = Instant::now();
    loop {
        let (found, body) = readyz(server).await;
        if found == status {
            return body;
        }
        assert!(began.elapsed() < NOTICED, "after {:?}: {found} {body}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn post(server: &Server, token: &str, id: &str) -> u64 {
    let answer = server.post(PATH, token, gift(id)).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("broadcast")), "{answer:?}");
    answer.body["sequence"].as_u64().unwrap()
}

fn in_folder(folder: &TempDir) -> ServerOptions {
    ServerOptions {
        data_dir: Some(folder.path().join("data")),
        log: Some(folder.path().join("log")),
        ..ServerOptions::default()
    }
}

fn log(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("log")).unwrap()
}

fn lines_with<'a>(log: &'a str, words: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}
