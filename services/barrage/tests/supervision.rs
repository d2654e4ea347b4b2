//! A process whose task fails ends; `/healthz` and the start line say which process it is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use barrage_testkit::{Server, ServerOptions};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");

async fn healthz(server: &Server) -> (u16, Value) {
    let answer = reqwest::get(format!("http://{}/healthz", server.admin)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn chat(id: &str) -> String {
    format!(r#"{{"type":"chat","id":"{id}","text":"hello"}}"#)
}

/// The archive gets a message that the log does not have at the next positions, so that the
/// archiver meets a conflict that only an operator can mend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_fails_ends_the_process_with_exit_code_1_and_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let options = ServerOptions {
        data_dir: Some(dir.path().join("data")),
        log: Some(log.clone()),
        environment: vec![("RUST_LOG".into(), "info".into())],
        ..ServerOptions::default()
    };
    let mut server = Server::start(BINARY, options).await;
    let token = server.token("ann", "demo", "viewer").await;
    let posted = server.post("/v1/rooms/demo/messages", &token, chat("a")).await;
    assert_eq!(posted.status, 200, "{posted:?}");
    let (status, vitals) = healthz(&server).await;
    assert_eq!((status, &vitals["status"]), (200, &"ok".into()), "{vitals}");
    let names: Vec<_> =
        vitals["tasks"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap()).collect();
    for name in [
        "gateway",
        "gateway/shard-0",
        "gateway/hubs",
        "uplink",
        "entry",
        "archiver",
        "public listeners",
        "admin listener",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!(server.metric("barrage_build_info").await, 4.0, "one series for each role");

    let store = rusqlite::Connection::open(server.data_dir().join("store.sqlite")).unwrap();
    store.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    let sequence = posted.body["sequence"].as_u64().unwrap();
    for ahead in 1..=64 {
        store
            .execute(
                "INSERT OR IGNORE INTO messages (sequence, room, class, at_ms, stream_started_at_ms, offset_ms, body) \
                 VALUES (?1, 'demo', 'chat', 1, 1, 0, '{}')",
                [i64::try_from(sequence + ahead).unwrap()],
            )
            .unwrap();
    }
    drop(server.try_post("/v1/rooms/demo/messages", &token, chat("b")).await);
    assert_eq!(server.ended().await, Some(1));
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("a task failed")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("archiver") && lines[0].contains("the archive keeps another message"), "{log}");
    assert!(log.lines().last().unwrap().contains("task archiver failed"), "{log}");
    let start = log.lines().find(|line| line.contains("barrage starts")).unwrap();
    for field in ["version", "revision", "gateway,uplink,entry,archiver", &server.public.to_string()] {
        assert!(start.contains(field), "{field} is not in {start}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_that_was_asked_for_is_no_failure() {
    let mut server = Server::start(BINARY, ServerOptions::default()).await;
    assert_eq!(healthz(&server).await.0, 200);
    assert_eq!(server.stop("TERM").await, Some(0));
}
