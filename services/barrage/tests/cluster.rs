//! Two processes on one NATS server are one platform.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket, Server, ServerOptions};
use serde_json::json;
use tokio::process::{Child, Command};

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
const PATH: &str = "/v1/rooms/demo/messages";

/// The server that `cargo xtask test` takes, or the one on the path.
fn nats_server() -> PathBuf {
    let taken = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/nats/bin/nats-server");
    if taken.is_file() { taken } else { "nats-server".into() }
}

struct Nats {
    _child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

async fn nats() -> Nats {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(nats_server())
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("nats-server: `cargo xtask test` takes one, or put it on PATH");
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Nats { _child: child, url: format!("nats://127.0.0.1:{port}"), _folder: folder }
}

/// A process with the token key of another one.
async fn member(nats: &Nats, folder: &Path, name: &str, key_of: Option<&Server>) -> Server {
    let data_dir = folder.join(name);
    if let Some(other) = key_of {
        std::fs::create_dir(&data_dir).unwrap();
        std::fs::copy(other.data_dir().join("token.key"), data_dir.join("token.key")).unwrap();
    }
    let environment =
        [("BARRAGE_NATS__URLS", format!("[\"{}\"]", nats.url)), ("BARRAGE_GATEWAY__ID", name.to_owned())];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let options = ServerOptions { environment, data_dir: Some(data_dir), ..ServerOptions::default() };
    Server::start(BINARY, options).await
}

#[tokio::test]
async fn what_is_posted_at_one_process_is_seen_at_the_other() {
    let nats = nats().await;
    let folder = tempfile::tempdir().unwrap();
    let one = member(&nats, folder.path(), "one", None).await;
    let other = member(&nats, folder.path(), "other", Some(&one)).await;
    let token = one.token("u1", "demo", "viewer").await;
    let admin = one.token("a1", "*", "admin").await;
    let mut viewer = RawSocket::join(other.public, "demo", None, None).await;
    let hello = viewer.next().await;
    assert!(matches!(hello, Frame::Protocol(ServerFrame::Hello(_), _)), "{hello:?}");
    let gift = json!({ "type": "gift", "id": "g1", "gift": { "name": "rose", "count": 1 } }).to_string();
    let first = one.post(PATH, &token, gift.clone()).await;
    assert_eq!(first.body["outcome"], "broadcast");
    // The same gift at the other process is no second one.
    let again = other.post(PATH, &token, gift).await;
    assert_eq!(
        (&again.body["outcome"], &again.body["sequence"]),
        (&json!("duplicate"), &first.body["sequence"])
    );
    let batch = viewer.next_batch().await;
    assert_eq!(batch.messages.len(), 1);
    assert_eq!(json!(batch.messages[0].sequence), first.body["sequence"]);

    // A switch and a mute-all are in force at the other process within a second.
    assert_eq!(one.admin("POST", "/rooms/demo/mute-all", &admin, &json!({ "on": true })).await.status, 200);
    let chat = |id: u32| {
        json!({ "type": "chat", "id": format!("c{id}"), "text": format!("hello {id}") }).to_string()
    };
    let started = tokio::time::Instant::now();
    let mut id = 0;
    while other.post(PATH, &token, chat(id)).await.code() != "room_muted" {
        assert!(started.elapsed() < Duration::from_secs(1), "mute-all is not in force");
        id += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
