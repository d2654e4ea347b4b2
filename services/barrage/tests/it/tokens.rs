//! Answers to tokens with mistakes, and `barrage token check`.

use std::process::Stdio;

use barrage_testkit::{Server, ServerOptions};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::support::{BINARY, MESSAGES, chat};

/// Message for a token whose signature does not verify: it must not reveal the reason.
const GENERAL: &str = "the token is missing or does not verify; fetch a new one";

/// Computes HMAC-SHA256 (RFC 2104) for a key of at most 64 bytes.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(to, from)| *to ^= from);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

/// Makes a token with any header and claims.
fn sign(secret: &str, header: &Value, claims: &Value) -> String {
    let message = [header, claims].map(|part| base64url(part.to_string().as_bytes())).join(".");
    format!("{message}.{}", base64url(&hmac(secret.as_bytes(), message.as_bytes())))
}

fn claims() -> Value {
    json!({ "sub": "u1", "rooms": ["demo"], "role": "viewer", "exp": 4_000_000_000_u64, "aud": "barrage" })
}

/// Returns valid claims with one claim changed, or removed by `Null`.
fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => _ = claims.as_object_mut().unwrap().remove(claim),
        value => claims[claim] = value,
    }
    claims
}

/// Starts a server with a log file. Returns it with its folder and its token secret.
async fn server() -> (Server, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let options = ServerOptions {
        environment: vec![("RUST_LOG".into(), "info".into())],
        log: Some(folder.path().join("log")),
        data_dir: Some(folder.path().join("data")),
        ..ServerOptions::default()
    };
    let server = Server::start(BINARY, options).await;
    let secret = std::fs::read_to_string(folder.path().join("data/token.key")).unwrap();
    (server, folder, secret)
}

#[tokio::test]
async fn refusal_names_the_wrong_claim_only_after_a_valid_signature() {
    let (server, folder, secret) = server().await;
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    let mut number = 0;
    let mut post = async |token: &str| {
        number += 1;
        let post = chat(&format!("m{number}"), &format!("text {number}"));
        server.post(MESSAGES, token, post).await
    };
    for good in [
        claims(),
        with("aud", json!(["other", "barrage"])),
        with("rooms", json!("*")),
        with("exp", json!(4_000_000_000.5)),
    ] {
        let answer = post(&sign(&secret, &hs256, &good)).await;
        assert_eq!(answer.status, 200, "{good}: {answer:?}");
    }
    for (claim, value, reason) in [
        ("exp", Value::Null, "`exp` is missing"),
        ("aud", json!("elsewhere"), "`aud` is \"elsewhere\""),
        ("role", json!("Moderator"), "`role` is \"Moderator\""),
        ("rooms", json!("demo"), "`rooms` is \"demo\""),
        ("sub", json!(17), "`sub` is 17"),
    ] {
        let answer = post(&sign(&secret, &hs256, &with(claim, value))).await;
        let message = answer.body["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
        assert!(message.contains(reason), "{message} has not {reason}");
    }
    let wrong = [
        sign("another secret", &hs256, &claims()),
        sign(&secret, &json!({ "alg": "HS512" }), &claims()),
        sign(&secret, &json!({ "alg": "HS256", "kid": "of-last-year" }), &claims()),
    ];
    for token in &wrong {
        let answer = post(token).await;
        assert_eq!((answer.status, &answer.body["error"]["message"]), (401, &json!(GENERAL)));
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    for reason in
        ["`exp` is missing", "signature does not match", "HS512 is not allowed", "of-last-year is unknown"]
    {
        assert!(log.contains(reason), "{reason} is not in {log}");
    }
    for token in &wrong {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!log.contains(signature), "a token is in the log");
    }
}

/// Runs `barrage token check`. Returns its exit code and output.
async fn check(folder: &std::path::Path, arguments: &[&str], input: &str) -> (i32, String) {
    let mut child = tokio::process::Command::new(BINARY)
        .args(["--data-dir", "data", "token", "check"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that reads no input closes the pipe.
    _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), text)
}

#[tokio::test]
async fn token_check_explains_a_token_and_exits_with_0_for_a_valid_one() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "0123456789abcdef0123456789abcdef";
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/token.key"), secret).unwrap();
    let folder = folder.path();
    let hs256 = json!({ "alg": "HS256" });
    let good = sign(secret, &hs256, &claims());
    let (code, said) = check(folder, &[&good], "").await;
    assert_eq!(code, 0, "{said}");
    for part in ["key       local", "sub", "\"u1\"", "2096-10-02T07:06:40Z", "the token is accepted"] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let (code, said) = check(folder, &[], &format!("Bearer {good}\n")).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = check(folder, &["--room", "other", &good], "").await;
    assert!(code == 1 && said.contains("not for the room other"), "{said}");
    let (code, said) = check(folder, &[&sign(secret, &hs256, &with("role", Value::Null))], "").await;
    assert!(code == 1 && said.contains("`role` is missing"), "{said}");
    let (code, said) = check(folder, &[&sign(secret, &hs256, &with("exp", json!(1_000)))], "").await;
    assert!(code == 1 && said.contains("expired"), "{said}");
    let with_line_end = sign(&format!("{secret}\n"), &hs256, &claims());
    let (code, said) = check(folder, &[&with_line_end], "").await;
    assert!(code == 1 && said.contains("line end"), "{said}");
    let hostile = sign(secret, &hs256, &with("name", json!("\u{1b}[2J\nrow")));
    let (code, said) = check(folder, &[&hostile], "").await;
    assert!(code == 0 && !said.contains('\u{1b}') && !said.contains("\nrow"), "{said:?}");
}
