//! Webhooks of a real server to the receiver of the guide, which verifies them with the library of
//! Standard Webhooks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use barrage_testkit::{Server, ServerOptions, wait};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{BINARY, MESSAGES, chat, gift, text_of};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATIENCE: Duration = Duration::from_secs(60);
const RECEIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/examples/webhook_receiver.mjs");

/// The receiver of the guide, on a free port.
struct Receiver {
    port: u16,
    events: Arc<Mutex<Vec<Value>>>,
    _child: Child,
}

impl Receiver {
    async fn start() -> Self {
        let mut child = Command::new("node")
            .args([RECEIVER, "0"])
            .env("WEBHOOK_SECRET", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node: `cargo xtask test` installs it");
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = wait::within(PATIENCE, "the receiver", errors.next_line()).await.unwrap();
        let line = line.expect("the receiver ended at once; `npm ci` in web installs its library");
        let port = line.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{line}"));
        let events = Arc::<Mutex<Vec<Value>>>::default();
        let printed = Arc::clone(&events);
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                printed.lock().push(serde_json::from_str(&line).unwrap());
            }
        });
        Receiver { port, events, _child: child }
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        self.events.lock().iter().filter(|event| event["type"] == kind).cloned().collect()
    }

    async fn first(&self, kind: &str) -> Value {
        wait::until(PATIENCE, kind, async || self.events(kind).into_iter().next()).await
    }
}

/// Writes a configuration with the receiver, and returns the options of a server with it.
fn options(folder: &Path, receiver: &Receiver) -> ServerOptions {
    std::fs::write(folder.join("secret"), SECRET).unwrap();
    let file: PathBuf = folder.join("barrage.toml");
    let port = receiver.port;
    let text = format!(
        "[webhooks]\nallow_networks = [\"127.0.0.0/8\"]\npoll_interval_ms = 50\nretry_secs = [0, 1, 1, 1]\n\
         [[webhooks.endpoints]]\nname = \"shop\"\nurl = \"http://127.0.0.1:{port}/canary\"\nsecret_file = \"secret\"\n"
    );
    std::fs::write(&file, text).unwrap();
    ServerOptions {
        arguments: vec!["--config".into(), file.display().to_string()],
        data_dir: Some(folder.join("data")),
        log: Some(folder.join("log")),
        ..ServerOptions::default()
    }
}

#[tokio::test]
async fn receiver_of_the_guide_verifies_what_happens_in_a_room() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let server = Server::start(BINARY, options(folder.path(), &receiver)).await;
    let (viewer, admin) =
        (server.token("ann", "demo", "viewer").await, server.token("a", "*", "admin").await);
    let talker = server.token("talker", "demo", "viewer").await;
    let ready = async || server.metrics().await.contains("barrage_webhooks_pending{");
    wait::until_true(PATIENCE, "webhooks", ready).await;
    // The receiver begins at its first position: events before it are of no interest here.
    wait::until_true(PATIENCE, "the first chat", async || {
        server.post(MESSAGES, &talker, chat(&rand_id().to_string(), "弹幕")).await;
        !receiver.events("message.created").is_empty()
    })
    .await;
    assert_eq!(server.post(MESSAGES, &viewer, gift("g1")).await.status, 200);
    let paid =
        json!({ "type": "super_chat", "id": "s1", "text": "hi", "amount_minor": 300, "currency": "EUR" });
    assert_eq!(server.post(MESSAGES, &viewer, paid.to_string()).await.status, 200);
    for (path, body) in [
        ("/rooms/demo/events", json!({ "id": "e1", "event": "shop.card", "class": "gift", "data": 42 })),
        ("/rooms/demo/mute", json!({ "user": "bob", "secs": 60 })),
        ("/rooms/demo/kick", json!({ "user": "bob", "secs": 60 })),
        ("/rooms/demo/slow-mode", json!({ "secs": 5 })),
        ("/rooms/demo/recall", json!({ "sequence": 1 })),
    ] {
        let answer = server.admin("POST", path, &admin, &body).await;
        assert!(answer.status == 200 || path.ends_with("recall"), "{path}: {answer:?}");
    }
    reviewed(&server, &receiver).await;
    assert_eq!(server.admin("POST", "/rooms/demo/close", &admin, &json!({})).await.status, 200);
    let gift = receiver.first("gift.created").await;
    assert_eq!(gift["data"]["message"]["gift"]["name"], "rose", "{gift}");
    assert_eq!(gift["id"], format!("demo/{}", gift["data"]["sequence"]), "{gift}");
    assert_eq!(receiver.first("super_chat.created").await["data"]["message"]["amount_minor"], 300);
    assert_eq!(receiver.first("event.created").await["data"]["message"]["event"], "shop.card");
    let muted = wait::until(PATIENCE, "the mute", async || {
        receiver.events("moderation.acted").into_iter().find(|event| event["data"]["action"] == "mute")
    });
    let muted = muted.await;
    assert_eq!((&muted["data"]["actor"], &muted["data"]["room"]), (&json!("a"), &json!("demo")), "{muted}");
    for kind in ["user.kicked", "room.settings", "room.closed"] {
        assert_eq!(receiver.first(kind).await["data"]["room"], "demo");
    }
    let forged = reqwest::Client::new().post(format!("http://127.0.0.1:{}/", receiver.port));
    let forged = forged
        .header("webhook-id", "x")
        .header("webhook-timestamp", "1")
        .header("webhook-signature", "v1,AA");
    assert_eq!(forged.body("{}").send().await.unwrap().status(), 400);
    listed_and_replayed(&server, &admin).await;
    drop(server);
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("canary") && !log.contains("MfKQ9r8G"), "{log}");
}

/// Sends a message to review and denies it; the receiver gets both events.
async fn reviewed(server: &Server, receiver: &Receiver) {
    let moderator = server.token("mod", "demo", "moderator").await;
    let words = json!({ "rules": [{ "name": "ask", "words": ["leak"], "action": "review" }] });
    let url = format!("http://{}/v1/rooms/demo/words", server.public);
    let put = reqwest::Client::new().put(url).bearer_auth(&moderator).json(&words).send().await.unwrap();
    assert_eq!(put.status(), 200);
    let cat = server.token("cat", "demo", "viewer").await;
    let held = server.post(MESSAGES, &cat, chat("leak-1", "a leak")).await;
    let review = held.body["review"].as_str().unwrap_or_else(|| panic!("{held:?}"));
    let opened = receiver.first("review.opened").await;
    assert_eq!((&opened["data"]["review"], &opened["data"]["user"]), (&json!(review), &json!("cat")));
    assert_eq!(opened["data"]["message"]["text"], "a leak", "{opened}");
    let path = format!("/v1/rooms/demo/reviews/{review}");
    let deny = json!({ "decision": "deny", "reason": "a secret" }).to_string();
    assert_eq!(server.post(&path, &moderator, deny).await.status, 200);
    let decided = receiver.first("review.decided").await;
    let expected = (&json!("deny"), &json!("mod"), &json!("a secret"));
    let data = &decided["data"];
    assert_eq!((&data["decision"], &data["by"], &data["reason"]), expected, "{decided}");
    assert_eq!(data["opened_at_ms"], opened["data"]["at_ms"], "{decided}");
}

fn rand_id() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
}

/// Checks the admin API of webhooks and its verbs.
async fn listed_and_replayed(server: &Server, admin: &str) {
    let listed = wait::until(PATIENCE, "no event waits", async || {
        let listed = server.admin("GET", "/webhooks", admin, &Value::Null).await.body;
        (listed["endpoints"][0]["pending"] == 0).then_some(listed)
    });
    let listed = listed.await;
    let shop = &listed["endpoints"][0];
    assert_eq!((&shop["name"], &shop["disabled_reason"]), (&json!("shop"), &Value::Null), "{listed}");
    assert!(shop["delivered"].as_u64().unwrap() >= 7 && !listed.to_string().contains("canary"), "{listed}");
    let log =
        server.admin("GET", "/webhooks/shop/deliveries?state=delivered&limit=1", admin, &Value::Null).await;
    let event = log.body["deliveries"][0]["event"].as_str().unwrap().to_owned();
    assert_eq!(log.body["deliveries"][0]["status"], 204, "{log:?}");
    let run = async |arguments: &[&str]| crate::cli::run_at(server, arguments).await;
    let output = run(&["webhook", "replay", "shop", "--event", &event]).await;
    assert!(output.status.success() && text_of(&output).contains("replayed: 1"), "{}", text_of(&output));
    for arguments in [
        &["webhook", "replay", "shop", "--since", "2026-01-01T00:00:00Z"][..],
        &["webhook", "deliveries", "shop", "--state", "failed"],
        &["webhook", "enable", "shop"],
    ] {
        let output = run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", text_of(&output));
    }
    let unknown = server.admin("POST", "/webhooks/shop/replay", admin, &json!({ "event": "none" })).await;
    assert_eq!((unknown.status, unknown.code()), (404, "not_found"));
}

#[tokio::test]
async fn no_gift_is_missing_at_the_receiver_after_kills_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let options = options(folder.path(), &receiver);
    let mut accepted = BTreeSet::new();
    for round in 0..4_u64 {
        let server = Server::start(BINARY, options.clone()).await;
        let mut tokens = Vec::new();
        for user in ["u0", "u1", "u2", "u3"] {
            tokens.push(server.token(user, "demo", "viewer").await);
        }
        if round == 0 {
            let ready = async || server.metrics().await.contains("barrage_webhooks_pending{");
            wait::until_true(PATIENCE, "webhooks", ready).await;
            wait::until_true(PATIENCE, "the first event", async || {
                server.post(MESSAGES, &tokens[0], chat(&rand_id().to_string(), "first")).await;
                !receiver.events("message.created").is_empty()
            })
            .await;
        }
        for n in 0..20 {
            let id = format!("g{round}.{n}");
            if server.post(MESSAGES, &tokens[n % 4], gift(&id)).await.status == 200 {
                accepted.insert(id);
            }
        }
        tokio::time::sleep(Duration::from_millis(round * 40)).await;
        server.kill_by_id().await;
    }
    assert!(accepted.len() > 20, "{}", accepted.len());
    let _server = Server::start(BINARY, options).await;
    let arrived = || -> BTreeSet<String> {
        let gifts = receiver.events("gift.created");
        gifts.iter().map(|event| event["data"]["message"]["id"].as_str().unwrap().to_owned()).collect()
    };
    wait::until_true(PATIENCE, "each accepted gift", async || accepted.is_subset(&arrived())).await;
    assert_eq!(receiver.events("gift.created").len(), arrived().len(), "the receiver drops doubles by id");
}
