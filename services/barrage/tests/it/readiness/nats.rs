//! A NATS server that hangs.

use std::time::{Duration, Instant};

use barrage_testkit::{NatsServer, Server, ServerOptions, wait};

use super::readyz;
use crate::support::{BINARY, MESSAGES, gift};

/// Longer than the silence after which an instance counts as dead.
const HANG: Duration = Duration::from_secs(12);
/// Longest time until gifts are accepted after the server continues.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// A NATS server that hangs keeps its connections open and answers nothing.
#[tokio::test]
async fn hanging_nats_does_not_end_readiness_and_is_logged_once() {
    let nats = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (log, secret) = (folder.path().join("log"), "s3cret");
    let address = nats.address();
    let url = format!("[\"nats://ann:{secret}@{address}\"]");
    let options = ServerOptions {
        environment: vec![("BARRAGE_NATS__URLS".into(), url)],
        log: Some(log.clone()),
        ..ServerOptions::default()
    };
    let server = Server::start(BINARY, options).await;
    let token = server.token("u1", "demo", "viewer").await;
    nats.pause();
    let paused = Instant::now();
    while paused.elapsed() < HANG {
        let (status, body) = readyz(&server).await;
        assert_eq!(status, 200, "after {:?}: {body}", paused.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    nats.resume();
    wait::until_true(RECOVERY_MAX, "an accepted gift", async || {
        assert_eq!(readyz(&server).await.0, 200);
        server.post(MESSAGES, &token, gift("g")).await.status == 200
    })
    .await;
    let is_outage =
        |line: &&str| line.contains("NATS does not answer") && line.contains(&address.to_string());
    wait::until_true(RECOVERY_MAX, "the end of the hang in the log", async || {
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text.lines().filter(is_outage).count(), 1, "{text}");
        assert!(!text.contains(secret), "{text}");
        text.contains("answers again")
    })
    .await;
}
