//! A browser's other end: the library `http_ece` of npm opens what arrives.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::site::Site;

#[tokio::test]
async fn many_letters_are_one_notification_with_the_badge_of_that_moment() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("push/tests/js");
    let mut node = Command::new("node");
    let node = node.arg("browser.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = node.spawn().expect("node; `cargo xtask setup` tells how to install it");
    let (mut input, output) = (node.stdin.take().unwrap(), BufReader::new(node.stdout.take().unwrap()));
    let mut lines = output.lines();
    let subscription = lines.next().expect("http_ece; run `cargo xtask setup`").unwrap();
    let subscription: Value = serde_json::from_str(&subscription).unwrap();

    let mut site = Site::start().await;
    site.browser_with("host", "laptop", &subscription["keys"].to_string()).await;
    for text in ["one", "two", "three \u{1f389}"] {
        site.letter("fan", "host", text).await;
    }
    let running = site.run();
    let requests = site.requests(1).await;
    site.empty().await;
    assert_eq!(running.stop().await.settled, 1);
    assert_eq!(site.services.requests().len(), 1);
    let header = |name: &str| requests[0].headers[name].as_str();
    assert_eq!((header("urgency"), header("ttl"), header("topic").len()), ("high", "86400", 32));
    let body = BASE64_STANDARD.encode(&requests[0].body);
    writeln!(input, "{}", json!({ "body": body, "authorization": header("authorization") })).unwrap();
    let opened: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((&opened["verified"], &opened["claims"]["aud"]), (&json!(true), &json!(site.services.url())));
    let note: Value = serde_json::from_str(opened["text"].as_str().unwrap()).unwrap();
    let shown = ["kind", "title", "body"].map(|field| note[field].as_str().unwrap());
    assert_eq!((shown, &note["badge"]), (["letter", "fan", "three \u{1f389}"], &json!(3)));
    assert_eq!(note["opens"].as_str().unwrap().split('.').next(), Some("d"));
    assert_eq!(note["collapse"], json!(header("topic")));
    drop(input);
    assert!(node.wait().unwrap().success());
}
