//! A validator of OpenAPI documents that is not ours: PyPI's `openapi-spec-validator`.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const SCRIPT: &str = include_str!("check.py");

/// One request of an operation, and its answer; both as JSON, or `Null` for bodies of another kind.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) operation: &'static str,
    pub(super) status: u16,
    pub(super) request: Value,
    pub(super) answer: Value,
}

/// Fails with every mistake of the documents, and every exchange that the first document does not
/// describe.
pub(super) async fn check(documents: &[Value], exchanges: &[Exchange]) {
    let exchanges: Vec<_> = exchanges
        .iter()
        .map(|it| {
            json!({
                "operation": it.operation, "status": it.status, "request": it.request, "answer": it.answer,
            })
        })
        .collect();
    let input = json!({ "documents": documents, "exchanges": exchanges }).to_string();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/openapi-spec-validator");
    assert!(tools.is_dir(), "this test needs PyPI's openapi-spec-validator: run `cargo xtask setup`");
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .env("PYTHONPATH", tools)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = python.wait_with_output().await.unwrap();
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat();
    assert!(output.status.success(), "{text}");
}
