//! Secrets with a mark in each: a running server shows none of them in any of its outputs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrage_client::{Accounts, HttpPool};
use barrage_protocol::account::{LoginRequest, SecretText};
use barrage_testkit::{OtlpReceiver, RawSocket, Server, ServerOptions, wait};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{BINARY, MESSAGES, barrage, chat, gift, text_of};

/// Part of every secret of the configuration.
const MARK: &str = "canary-5e1f";
/// Signing key of tokens, 32 bytes and more.
const KEY: &str = "canary-5e1f-0123456789-abcdefghijklmn";
/// Secret of a webhook receiver; its bytes are `canary-5e1f` and more.
const WEBHOOK: &str = "whsec_Y2FuYXJ5LTVlMWYtd2ViaG9vay1zZWNyZXQtb2YtMzI=";
const PASSWORD: &str = "canary-5e1f horse battery";
const PATIENCE: Duration = Duration::from_secs(30);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Receiver of webhooks that keeps what it gets.
async fn receiver() -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::<Mutex<Vec<u8>>>::default();
    let kept = Arc::clone(&received);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read) = stream.read(&mut buffer).await {
                    if read == 0 {
                        break;
                    }
                    kept.lock().extend_from_slice(&buffer[..read]);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    // A body that comes in a second piece gets a second answer, which nobody reads.
                    drop(stream.write_all(answer).await);
                }
            });
        }
    });
    (port, received)
}

/// A configuration with a secret at each place that can have one while the process runs.
fn configuration(folder: &Path, webhook_port: u16, collector: &OtlpReceiver) -> String {
    std::fs::write(folder.join("token.key"), KEY).unwrap();
    std::fs::write(folder.join("webhook.key"), WEBHOOK).unwrap();
    let collector = collector.url().replace("http://", &format!("http://me:{MARK}@"));
    format!(
        "[[token.keys]]\nid = \"k\"\nalgorithm = \"hs256\"\nsecret_file = \"token.key\"\n\
         [redis]\nurl = \"redis://me:{MARK}@127.0.0.1:1/\"\n\
         [history_redis]\nurls = [\"redis://me:{MARK}@127.0.0.1:1/\"]\n\
         [moderation.hook]\nurl = \"http://me:{MARK}@127.0.0.1:1/{MARK}\"\n\
         [trace]\nendpoint = \"{collector}\"\nexport_ms = 20\n\
         [accounts]\nenabled = true\n\
         [webhooks]\nallow_networks = [\"127.0.0.0/8\"]\npoll_interval_ms = 50\n\
         [[webhooks.endpoints]]\nname = \"shop\"\nurl = \"http://127.0.0.1:{webhook_port}/hook\"\nsecret_file = \"webhook.key\"\n"
    )
}

/// Mints a token with the configuration's key.
async fn token(folder: &Path, user: &str, rooms: &str, role: &str) -> String {
    let arguments = ["token", "--config", "barrage.toml", "--user", user, "--room", rooms, "--role", role];
    let output = barrage(folder, &arguments).await;
    assert!(output.status.success(), "{}", text_of(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Asks for every path of the description that takes a GET, with and without a right token. Returns the answers.
async fn answers(server: &Server, tokens: &[&str]) -> String {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
    let mut all = String::new();
    for address in [server.public, server.admin] {
        let url = format!("http://{address}/v1/openapi.json");
        let document: Value = http.get(url).send().await.unwrap().json().await.unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let path = path.replace("{room}", "demo").replace("{sequence}", "1").replace("{user}", "ann");
            let path = path.replace(['{', '}'], "");
            for token in tokens {
                let method =
                    if methods["get"].is_object() { reqwest::Method::GET } else { reqwest::Method::PUT };
                let request =
                    http.request(method, format!("http://{address}{path}?room=demo")).bearer_auth(token);
                // A stream does not end: what it begins with is enough.
                let Ok(mut answer) = request.body("{\"x\":1}").send().await else { continue };
                all.push_str(&format!("{path} {:?}\n", answer.headers()));
                while let Ok(Some(chunk)) = answer.chunk().await {
                    all.push_str(&String::from_utf8_lossy(&chunk));
                }
            }
        }
    }
    all
}

#[tokio::test]
async fn no_output_of_a_running_server_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let collector = OtlpReceiver::start().await;
    let (port, webhooks) = receiver().await;
    std::fs::write(folder.path().join("barrage.toml"), configuration(folder.path(), port, &collector))
        .unwrap();
    let config = folder.path().join("barrage.toml");
    let options = ServerOptions {
        arguments: vec!["--demo".into(), "--config".into(), config.display().to_string()],
        environment: vec![("RUST_LOG".into(), "trace".into())],
        data_dir: Some(folder.path().join("data")),
        log: Some(folder.path().join("log")),
        ..ServerOptions::default()
    };
    let mut server = Server::start(BINARY, options).await;
    let viewer = token(folder.path(), "ann", "demo", "viewer").await;
    let admin = token(folder.path(), "boss", "*", "admin").await;
    let forged = format!("{viewer}x");
    let mut secrets = vec![MARK.to_owned(), WEBHOOK["whsec_".len()..].to_owned(), PASSWORD.to_owned()];
    secrets.extend([&viewer, &admin].map(|token| token.rsplit('.').next().unwrap().to_owned()));

    let ready = async || server.metrics().await.contains("barrage_webhooks_pending{");
    wait::until_true(PATIENCE, "webhooks", ready).await;
    let accounts = Accounts::new(&HttpPool::new(), &format!("http://{}", server.public));
    let request =
        |password: &str| LoginRequest { name: "Canary".into(), password: SecretText::new(password.into()) };
    let account = accounts.register(&request(PASSWORD)).await.unwrap();
    secrets.push(account.session.unwrap().expose().to_owned());
    assert!(accounts.login(&request(&format!("{PASSWORD}!"))).await.is_err());
    let traced =
        reqwest::Client::new().post(format!("http://{}{MESSAGES}", server.public)).bearer_auth(&viewer);
    let traced = traced.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    assert_eq!(traced.body(gift("g1")).send().await.unwrap().status(), 200);
    server.post(MESSAGES, &viewer, chat("c1", "hello")).await;
    server.post(MESSAGES, &forged, chat("c2", "hello")).await;
    RawSocket::join(server.public, "demo", Some(&viewer), None).await;
    RawSocket::join(server.public, "demo", Some(&forged), None).await;
    let muted = server.admin("POST", "/rooms/demo/mute", &admin, &json!({ "user": "bob", "secs": 60 })).await;
    assert_eq!(muted.status, 200, "{muted:?}");

    let answers = answers(&server, &[&admin, &viewer, &forged]).await;
    assert!(
        answers.contains("\"mute\"") && answers.contains("barrage_recorder"),
        "audit log and recorder are asked"
    );
    wait::until_true(PATIENCE, "webhooks", async || !webhooks.lock().is_empty()).await;
    wait::until_true(PATIENCE, "spans", async || !collector.spans().is_empty()).await;
    let metrics = server.metrics().await;
    let mut outputs = vec![
        ("answers", answers),
        ("metrics", metrics),
        ("webhooks", String::from_utf8_lossy(&webhooks.lock()).into_owned()),
        ("traces", format!("{:?}", collector.spans())),
    ];
    for command in [&["config", "show"][..], &["config", "check"], &["doctor"]] {
        let arguments = [command, &["--config", "barrage.toml"]].concat();
        outputs.push(("command", text_of(&barrage(folder.path(), &arguments).await)));
    }
    assert_eq!(server.stop("TERM").await, Some(0));
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("TRACE"), "the log has the level trace");
    outputs.push(("log", log));
    for entry in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        // Accounts' hashes and messages are in the files; secrets are not.
        if path.is_file() {
            outputs.push(("file", String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()));
        }
    }
    for (name, output) in &outputs {
        assert!(!output.is_empty() || matches!(*name, "file" | "command"), "{name} is empty");
        for secret in &secrets {
            let at = output.find(secret.as_str());
            let around = at.map(|at| {
                output[output.floor_char_boundary(at.saturating_sub(200))..]
                    .chars()
                    .take(260)
                    .collect::<String>()
            });
            assert_eq!(around, None, "{name} shows a secret");
        }
    }
}
