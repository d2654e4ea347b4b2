//! The programs of docs/guide/write-a-client.md and docs/guide/embed.md run unchanged.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use barrage_testkit::wait;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::{BINARY, start};

/// Longest wait for the output of a program.
const OUTPUT_MAX: Duration = Duration::from_secs(60);

/// Returns a Node.js command with WebSocket enabled where it is not the default.
async fn node() -> Command {
    let version =
        Command::new("node").arg("--version").output().await.expect("node: `cargo xtask test` installs it");
    let version = String::from_utf8(version.stdout).unwrap();
    let major: u32 = version.trim_start_matches('v').split('.').next().unwrap().parse().unwrap();
    let mut node = Command::new("node");
    if major < 22 {
        node.args(["--experimental-websocket", "--no-warnings"]);
    }
    node
}

#[tokio::test]
async fn client_in_30_lines_joins_reads_and_sends() {
    let text = super::block(&super::page("docs/guide/write-a-client.md"), "js client");
    assert!(text.lines().count() <= 36, "the client must stay short");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("client.mjs"), text).unwrap();
    let server = start().await;
    let mut client = node()
        .await
        .arg("client.mjs")
        .arg(format!("http://{}", server.public))
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let (mut is_sent, mut is_seen) = (false, false);
    let run = async {
        while !(is_sent && is_seen) {
            let line = lines.next_line().await.unwrap().expect("the client has ended");
            is_sent |= line.contains("outcome: 'broadcast'");
            is_seen |= line == "Ann hello from 30 lines";
        }
    };
    wait::within(OUTPUT_MAX, "the message of the client in its own output", run).await;
}

/// Runs a program that makes a token from the secret file, and returns the token.
async fn made(mut program: Command, folder: &Path) -> String {
    let output = program.arg("secret.key").current_dir(folder).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn tokens_of_both_snippets_are_accepted() {
    let page = super::page("docs/guide/embed.md");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The line end is not part of the secret, and base64 is not decoded.
    std::fs::write(folder.join("secret.key"), "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
    let key = "[[token.keys]]\nid = \"k\"\nalgorithm = \"hs256\"\nsecret_file = \"secret.key\"\n";
    std::fs::write(folder.join("barrage.toml"), key).unwrap();
    std::fs::write(folder.join("token.mjs"), super::block(&page, "js token")).unwrap();
    std::fs::write(folder.join("make_token.py"), super::block(&page, "python token")).unwrap();
    let mut node = Command::new("node");
    node.arg("token.mjs");
    let mut python = Command::new("python3");
    python.arg("make_token.py");
    for program in [node, python] {
        let token = made(program, folder).await;
        let checked = Command::new(BINARY)
            .args(["token", "check", "--room", "demo", &token])
            .current_dir(folder)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.success() && said.contains("the token is accepted"), "{said}");
        assert!(!said.contains("note"), "{said}");
    }
}
