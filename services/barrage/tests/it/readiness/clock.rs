//! Steps of the wall clock while the server runs: no gift is duplicated or forgotten.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use barrage_testkit::{Server, ServerOptions, programs};

use crate::support::{BINARY, MESSAGES, gift};

/// Control over the wall clock of a server; the monotonic clock does not change.
struct Steps {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Steps {
    /// Returns `None`, and reports the skipped test, without libfaketime.
    fn new() -> Option<Self> {
        let Some(library) = programs::libfaketime() else {
            // Written to the real stderr, because the test harness hides the output of a test that passes.
            let text = b"SKIPPED: the test of clock steps needs libfaketime (Debian: faketime)\n";
            std::io::stderr().write_all(text).unwrap();
            return None;
        };
        let steps = Steps { folder: tempfile::tempdir().unwrap(), library };
        steps.step_to("+0");
        Some(steps)
    }

    /// Sets the offset of the wall clock in seconds.
    fn step_to(&self, offset: &str) {
        // Replaced by a rename, because the library reads the file at any time.
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, offset).unwrap();
        std::fs::rename(draft, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    fn options(&self) -> ServerOptions {
        let file = self.file();
        let set = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
        ];
        ServerOptions {
            environment: set.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            data_dir: Some(self.folder.path().join("data")),
            ..ServerOptions::default()
        }
    }
}

/// Posts a gift and returns its outcome.
async fn outcome(server: &Server, token: &str, id: &str) -> String {
    let answer = server.post(MESSAGES, token, gift(id)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["outcome"].as_str().unwrap().to_owned()
}

/// Time in which the server sweeps old entries at least twice; no metric counts the sweeps.
const SWEEPS: Duration = Duration::from_secs(12);

#[tokio::test]
async fn wall_clock_steps_neither_duplicate_gifts_nor_empty_a_resume() {
    let Some(steps) = Steps::new() else { return };
    let mut server = Server::start(BINARY, steps.options()).await;
    // Valid for longer than the largest step.
    let token = server.token_for("u1", "demo", "viewer", 86_400).await;
    let ids = ["before", "plus-180-s", "plus-1-h", "minus-1-h"];
    assert_eq!(outcome(&server, &token, ids[0]).await, "broadcast");
    for (n, offset) in ["+180", "+3600", "-3600"].into_iter().enumerate() {
        steps.step_to(offset);
        tokio::time::sleep(SWEEPS).await;
        for id in &ids[..=n] {
            assert_eq!(outcome(&server, &token, id).await, "duplicate", "{id} at {offset}");
        }
        assert_eq!(outcome(&server, &token, ids[n + 1]).await, "broadcast", "{offset}");
    }
    let resumed = server.get("/v1/rooms/demo/poll?after=0").await;
    let listed = resumed.body.to_string();
    for id in ids {
        assert_eq!(listed.matches(&format!("\"{id}\"")).count(), 1, "{id}: {listed}");
    }
    // A restart at another time.
    server.kill().await;
    steps.step_to("+7200");
    let server = Server::start(BINARY, steps.options()).await;
    for id in ids {
        assert_eq!(outcome(&server, &token, id).await, "duplicate", "{id} after the restart");
    }
}
