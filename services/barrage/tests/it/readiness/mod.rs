//! `/readyz` answers 200 if and only if the process can work; checks of a start.

mod clock;
mod disk;
mod files;
mod nats;
mod start;

use std::time::Duration;

use barrage_testkit::{Server, ServerOptions, wait};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{MESSAGES, gift};

/// Longest time until `/readyz` reports a change, with room for a busy machine.
const CHANGE_MAX: Duration = Duration::from_secs(10);

async fn readyz(server: &Server) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}/readyz", server.admin)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until `/readyz` has this status, and returns the body.
async fn becomes(server: &Server, status: u16) -> String {
    wait::until(CHANGE_MAX, &format!("/readyz with the status {status}"), async || {
        let (found, body) = readyz(server).await;
        (found == status).then_some(body)
    })
    .await
}

/// Posts a gift and returns its sequence.
async fn post(server: &Server, token: &str, id: &str) -> u64 {
    let answer = server.post(MESSAGES, token, gift(id)).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("broadcast")), "{answer:?}");
    answer.body["sequence"].as_u64().unwrap()
}

/// Options of a server whose data and log are in a folder.
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
