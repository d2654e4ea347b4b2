//! Clients of a server whose public listeners speak TLS, with certificates of a private authority.

use std::path::Path;
use std::time::Duration;

use barrage_client::{ClientTls, Event, HttpPool, SendError, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::entry::Transport;
use barrage_protocol::post::{Gift, Post};
use barrage_testkit::{Server, certificates, wait};
use tempfile::TempDir;

use crate::support::{barrage, start_with, text_of};

/// Longest wait for an event.
const EVENT_MAX: Duration = Duration::from_secs(30);

/// Starts a server with TLS. Returns it with the folder of the certificates and its URL by name.
async fn start() -> (Server, TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let settings = [("HTTP__TLS_CERT_FILE", cert.as_str()), ("HTTP__TLS_KEY_FILE", key.as_str())];
    let server = start_with(&settings).await;
    let url = format!("https://localhost:{}", server.public.port());
    (server, folder, url)
}

fn trusting(folder: &Path) -> ClientTls {
    ClientTls::load(Some(&folder.join("ca.pem"))).unwrap()
}

fn gift(id: &str) -> Post {
    let gift = Gift { name: "rose".into(), count: 1, price_minor: 100, combo: None };
    Post::Gift { id: id.parse().unwrap(), gift }
}

async fn hello(viewer: &mut Viewer) -> Transport {
    loop {
        match wait::within(EVENT_MAX, "a hello", viewer.next()).await.unwrap() {
            Event::Hello(_, transport) => return transport,
            Event::Closed { message, .. } => panic!("closed: {message}"),
            _ => {}
        }
    }
}

async fn shown(viewer: &mut Viewer, id: &str) {
    loop {
        match wait::within(EVENT_MAX, "a gift", viewer.next()).await.unwrap() {
            Event::Message(message) if message.body.get().contains(id) => return,
            Event::Closed { message, .. } => panic!("closed: {message}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn every_transport_post_and_history_works_over_tls() {
    let (server, folder, url) = start().await;
    let (tls, room) = (trusting(folder.path()), "demo".parse().unwrap());
    let pool = HttpPool::with_tls(&tls);
    let mut viewers = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Poll] {
        let config =
            ViewerConfig { transports: vec![transport], ..ViewerConfig::new(&url, "demo".parse().unwrap()) };
        let mut viewer = Viewer::start_with(config, &pool);
        assert_eq!(hello(&mut viewer).await, transport);
        viewers.push(viewer);
    }
    let token = server.token("u1", "demo", "viewer").await;
    let sender = Sender::with_tls(SenderConfig::through_entry(&url, token), &tls).unwrap();
    sender.send(&room, &gift("over-tls")).await.unwrap();
    for viewer in &mut viewers {
        shown(viewer, "over-tls").await;
    }
    let http = reqwest::Client::builder().tls_backend_preconfigured(tls.rustls()).build().unwrap();
    wait::until_true(EVENT_MAX, "the gift in the history", async || {
        let page = http.get(format!("{url}/v1/rooms/demo/history")).send().await.unwrap();
        page.text().await.unwrap().contains("over-tls")
    })
    .await;
}

/// curl of the system, as a page's HTTP client: it negotiates the version and reuses connections.
#[tokio::test]
async fn entry_post_and_history_share_one_http2_connection() {
    let (server, folder, url) = start().await;
    let token = server.token("u1", "demo", "viewer").await;
    let bearer = format!("Authorization: Bearer {token}");
    let authority = folder.path().join("ca.pem").display().to_string();
    let room = format!("{url}/v1/rooms/demo");
    let common = ["-sS", "--http2", "--noproxy", "*", "--cacert", &authority, "-o", "/dev/null"];
    let report = ["-w", "%{http_code} %{http_version} %{num_connects}\n"];
    let each = [&common[..], &report].concat();
    let post = ["-H", &bearer, "-H", "Content-Type: application/json", "-d"];
    let body = r#"{"type":"chat","id":"over-h2","text":"hello"}"#;
    let (messages, history, entry) =
        (format!("{room}/messages"), format!("{room}/history"), format!("{url}/v1/entry?room=demo"));
    let ws = format!("{room}/ws");
    let arguments = [
        &each[..],
        &[&entry, "--next"],
        &each,
        &post,
        &[body, &messages, "--next"],
        &each,
        &[&history, "--next"],
        &each,
        &[&ws],
    ]
    .concat();
    let output = tokio::process::Command::new("curl").args(arguments).output().await.unwrap();
    // A WebSocket needs HTTP/1.1: the answer says so, on the same connection.
    let expected = "200 2 1\n200 2 0\n200 2 0\n426 2 0\n";
    assert_eq!(text_of(&output), expected, "one connection for all");
}

#[tokio::test]
async fn client_without_the_authority_is_refused_with_a_remedy() {
    let (server, folder, url) = start().await;
    let token = server.token("u1", "demo", "viewer").await;
    let config =
        SenderConfig { deadline: Duration::from_millis(200), ..SenderConfig::through_entry(&url, token) };
    let refused = Sender::new(config).unwrap().send(&"demo".parse().unwrap(), &gift("g")).await;
    let Err(SendError::Deadline(text)) = refused else { panic!("{refused:?}") };
    assert!(text.contains("UnknownIssuer") && text.contains("--ca-file"), "{text}");
    let probe = async |arguments: &[&str]| {
        let data = server.data_dir().display().to_string();
        let all = [&["probe", "--count", "1", "--data-dir", &data, "--url", &url], arguments].concat();
        let output = barrage(folder.path(), &all).await;
        (output.status.code(), text_of(&output))
    };
    let (code, text) = probe(&["--ca-file", "ca.pem"]).await;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = probe(&["--ca-file", "key.pem"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("key.pem has no certificate"), "{text}");
}

#[tokio::test]
async fn server_does_not_start_with_a_ca_file_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let output = barrage(folder.path(), &["config", "check", "--ca-file", "none.pem"]).await;
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(text.contains("ca_file") && text.contains("none.pem cannot be read"), "{text}");
}
