//! The service that tests play as Apple's, asked by the library `aioapns` of PyPI: it was not written for our sender alone.

use std::path::Path;
use std::process::Stdio;

use barrage_push::VapidKey;
use barrage_testkit::{PushAnswer, PushServices, certificates};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

#[tokio::test]
async fn library_of_others_takes_the_answers_of_the_played_apns() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let services = PushServices::start(folder.path()).await;
    let (_, pem) = VapidKey::generate("").unwrap();
    std::fs::write(folder.path().join("apns.p8"), pem).unwrap();
    services.answer(|request| {
        let body = r#"{"reason":"Unregistered","timestamp":1700000000000}"#.to_owned();
        request.path.ends_with("/dead").then(|| PushAnswer { body, ..PushAnswer::status(410) })
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = root.join("../../target/tools/aioapns");
    assert!(packages.is_dir(), "the package aioapns of PyPI is missing; run `cargo xtask setup`");
    let mut python = Command::new("python3");
    python.arg(root.join("tests/py/apns.py")).env("PYTHONPATH", packages);
    python.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut python = python.spawn().unwrap();
    let wanted = json!({
        "port": services.url().rsplit(':').next().unwrap().parse::<u16>().unwrap(),
        "ca": folder.path().join("ca.pem"),
        "key": folder.path().join("apns.p8"),
        "topic": "com.example.app",
        "notes": [
            { "token": "0123abcd", "text": "\u{1f389} hello", "collapse": "c1", "priority": 10 },
            { "token": "dead", "text": "hello" },
            { "token": "no-hex", "text": "hello" },
            { "token": "0123abcd", "text": "hello", "collapse": "c".repeat(65) },
            { "token": "0123abcd", "text": "hello", "priority": 7 },
            { "token": "0123abcd", "text": "x".repeat(4_096) },
        ],
    });
    python.stdin.take().unwrap().write_all(format!("{wanted}\n").as_bytes()).await.unwrap();
    let output = python.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    let results: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [
        json!(["200", null, null, true]),
        json!(["410", "Unregistered", 1_700_000_000_000_u64, true]),
        json!(["400", "BadDeviceToken", null, true]),
        json!(["400", "BadCollapseId", null, true]),
        json!(["400", "BadPriority", null, true]),
        json!(["413", "PayloadTooLarge", null, true]),
    ];
    assert_eq!(results, expected);
    assert_eq!(services.connections(), 1);
    let first = &services.requests()[0];
    assert_eq!(first.headers["apns-collapse-id"], "c1");
    let payload: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(payload["aps"]["alert"], "\u{1f389} hello");
}
