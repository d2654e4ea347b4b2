//! The library `http_ece` of npm opens what is encrypted here, and node verifies the sender's token.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use barrage_push::{PLAIN_BYTES_MAX, VapidKey, WebSubscription, encrypt};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

#[test]
fn library_of_others_opens_each_message_and_verifies_the_sender() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js");
    let mut browser = Command::new("node")
        .arg("browser.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node; `cargo xtask setup` tells how to install it");
    let (mut input, output) = (browser.stdin.take().unwrap(), BufReader::new(browser.stdout.take().unwrap()));
    let mut lines = output.lines();
    let subscription = lines.next().expect("http_ece; run `cargo xtask setup`").unwrap();
    let subscription = WebSubscription::parse(&subscription).unwrap();
    let (key, pem) = VapidKey::generate("mailto:ops@example.com").unwrap();
    assert_eq!(VapidKey::from_pem(&pem, "").unwrap().public(), key.public());
    for text in [String::new(), "\u{1f389} hello".to_owned(), "x".repeat(PLAIN_BYTES_MAX)] {
        let body = BASE64_STANDARD.encode(encrypt(&subscription, text.as_bytes()).unwrap());
        let authorization = key.authorization(&subscription, 1_000_000).unwrap();
        writeln!(input, "{}", json!({ "body": body, "authorization": authorization })).unwrap();
        let opened: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(opened["text"], text);
        assert_eq!(opened["verified"], true);
        let header = json!({ "typ": "JWT", "alg": "ES256" });
        let claims =
            json!({ "aud": "https://push.example", "exp": 1_043_200, "sub": "mailto:ops@example.com" });
        assert_eq!((&opened["header"], &opened["claims"]), (&header, &claims));
    }
    drop(input);
    assert!(browser.wait().unwrap().success());
}
