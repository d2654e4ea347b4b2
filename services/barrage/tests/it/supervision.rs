//! A failed task ends the process; `/healthz` and the first log line identify the process.

use barrage_testkit::{Server, ServerOptions};
use serde_json::Value;

use crate::support::{self, BINARY, MESSAGES, start};

async fn healthz(server: &Server) -> (u16, Value) {
    let answer = reqwest::get(format!("http://{}/healthz", server.admin)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn chat(id: &str) -> String {
    support::chat(id, "hello")
}

/// The test writes messages to the archive at the next positions, so that the archiver meets a
/// conflict that an operator alone can resolve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_task_ends_the_process_with_exit_code_1_and_the_name_of_the_task() {
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
    let posted = server.post(MESSAGES, &token, chat("a")).await;
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
    assert_eq!(server.metric("barrage_build_info").await, 5.0, "one series for each role");

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
    drop(server.try_post(MESSAGES, &token, chat("b")).await);
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
async fn requested_shutdown_exits_with_0() {
    let mut server = start().await;
    assert_eq!(healthz(&server).await.0, 200);
    assert_eq!(server.stop("TERM").await, Some(0));
}
