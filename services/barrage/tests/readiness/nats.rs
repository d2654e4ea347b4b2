//! A NATS server that hangs.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use barrage_testkit::{Server, ServerOptions, programs};
use tokio::process::{Child, Command};

use crate::{BINARY, PATH, gift, readyz};

struct Nats {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

async fn nats() -> Nats {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(programs::nats_server())
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("nats-server: `cargo xtask test` takes one, or put it on PATH");
    let listens = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), listens).await.expect("the NATS server did not start");
    Nats { child, url: format!("nats://127.0.0.1:{port}"), _folder: folder }
}

/// A NATS that hangs keeps its connections open and says nothing. A process survives that, and
/// one line of its log says which server it is.
#[tokio::test]
async fn hanging_nats_ends_no_readiness_and_is_logged_once() {
    let nats = nats().await;
    let folder = tempfile::tempdir().unwrap();
    let (log, secret) = (folder.path().join("log"), "s3cret");
    let address = nats.url.strip_prefix("nats://").unwrap();
    let url = format!("[\"nats://ann:{secret}@{address}\"]");
    let options = ServerOptions {
        environment: vec![("BARRAGE_NATS__URLS".into(), url)],
        log: Some(log.clone()),
        ..ServerOptions::default()
    };
    let server = Server::start(BINARY, options).await;
    let token = server.token("u1", "demo", "viewer").await;
    let signal = async |name: &str| {
        let pid = nats.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().await.unwrap().success());
    };
    signal("STOP").await;
    // Longer than the silence after which an instance is taken for dead.
    let stopped = Instant::now();
    while stopped.elapsed() < Duration::from_secs(12) {
        let (status, body) = readyz(&server).await;
        assert_eq!(status, 200, "after {:?}: {body}", stopped.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    signal("CONT").await;
    let continued = Instant::now();
    let gift = gift("g");
    while server.post(PATH, &token, gift.clone()).await.status != 200 {
        assert!(continued.elapsed() < Duration::from_secs(60), "no gift is taken");
        assert_eq!(readyz(&server).await.0, 200);
    }
    let line = format!("NATS (nats://{address}) does not answer");
    loop {
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text.matches(&line).count(), 1, "{text}");
        assert!(!text.contains(secret), "{text}");
        if text.contains("answers again") {
            return;
        }
        assert!(continued.elapsed() < Duration::from_secs(60), "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
