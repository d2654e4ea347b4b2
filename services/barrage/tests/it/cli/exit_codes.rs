//! Each exit code of the help is that of a real process.

use std::path::Path;

use super::{run, run_at};
use crate::support::{start, text_of};

async fn code(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), arguments, variables).await;
    (output.status.code(), text_of(&output))
}

#[tokio::test]
async fn exit_code_tells_a_script_why_a_command_failed() {
    let server = start().await;
    let done = run_at(&server, &["room", "list"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", text_of(&done));
    assert!(done.stderr.is_empty(), "standard error is for talk: {}", text_of(&done));
    let unknown = run_at(&server, &["room", "close", "none"]).await;
    assert_eq!(unknown.status.code(), Some(5), "{}", text_of(&unknown));
    assert!(unknown.stdout.is_empty() && text_of(&unknown).contains("no such room"), "{}", text_of(&unknown));
    let range = run_at(&server, &["room", "slow-mode", "demo", "2h"]).await;
    assert_eq!(range.status.code(), Some(5), "{}", text_of(&range));
    let url = format!("http://{}", server.admin);
    let variables = [("BARRAGE_ADMIN_URL", url.as_str()), ("BARRAGE_ADMIN_TOKEN", "no.jwt.token")];
    let (refused, text) = code(&["room", "list"], &variables).await;
    assert_eq!(refused, Some(5), "{text}");
    assert!(text.contains("barrage token"), "the remedy is named: {text}");
    assert!(!text.contains("no.jwt.token"), "no token in a message: {text}");
    let (away, text) =
        code(&["room", "list"], &[("BARRAGE_ADMIN_URL", "http://127.0.0.1:9"), ("BARRAGE_ADMIN_TOKEN", "t")])
            .await;
    assert_eq!(away, Some(4), "{text}");
    assert!(text.contains("http://127.0.0.1:9") && text.contains("--admin"), "{text}");
    let check = run(
        Path::new("/"),
        &["token", "check", "x", "--data-dir", &server.data_dir().display().to_string()],
        &[],
    )
    .await;
    assert_eq!(check.status.code(), Some(1), "{}", text_of(&check));
    for usage in [
        &["room", "close"][..],
        &["user", "mute", "u", "--room", "r", "--for", "10"],
        &["user", "revoke-all"],
    ] {
        let (usage_code, text) = code(usage, &[]).await;
        assert_eq!(usage_code, Some(2), "{text}");
    }
    let (configuration, text) = code(&["room", "list"], &[("BARRAGE_GATEWAY__WINDOW_MS", "0")]).await;
    assert_eq!(configuration, Some(64), "{text}");
}

#[tokio::test]
async fn help_lists_the_exit_codes() {
    let (done, help) = code(&["--help"], &[]).await;
    assert_eq!(done, Some(0));
    for line in ["   0  ", "   1  ", "   2  ", "   4  ", "   5  ", "  64  "] {
        assert!(help.contains(&format!("\n{line}")), "{line:?} in {help}");
    }
}
