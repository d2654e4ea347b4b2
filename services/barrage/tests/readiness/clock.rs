//! The wall clock steps while the server runs: nothing doubles, nothing is forgotten.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use barrage_testkit::{Server, ServerOptions, programs};

use crate::{BINARY, PATH, gift};

/// Steps the server's wall clock and leaves its monotonic one alone.
struct Steps {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Steps {
    /// None, and a loud word, where libfaketime is not installed.
    fn new() -> Option<Self> {
        let Some(library) = programs::libfaketime() else {
            // To the real stderr: the test's own is shown for failures alone.
            let words = b"SKIPPED: the test of clock steps needs libfaketime (Debian: faketime)\n";
            std::io::stderr().write_all(words).unwrap();
            return None;
        };
        let steps = Steps { folder: tempfile::tempdir().unwrap(), library };
        steps.to("+0");
        Some(steps)
    }

    fn to(&self, offset: &str) {
        // Renamed into place: the library reads it at any moment.
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

async fn outcome(server: &Server, token: &str, id: &str) -> String {
    let answer = server.post(PATH, token, gift(id)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["outcome"].as_str().unwrap().to_owned()
}

/// Several sweeps of what is old.
const SWEEPS: Duration = Duration::from_secs(12);

#[tokio::test]
async fn wall_clock_steps_double_no_gift_and_empty_no_resume() {
    let Some(steps) = Steps::new() else { return };
    let mut server = Server::start(BINARY, steps.options()).await;
    // Good for longer than the greatest step.
    let token = server.token_for("u1", "demo", "viewer", 86_400).await;
    let ids = ["before", "plus-180-s", "plus-1-h", "minus-1-h"];
    assert_eq!(outcome(&server, &token, ids[0]).await, "broadcast");
    for (n, offset) in ["+180", "+3600", "-3600"].into_iter().enumerate() {
        steps.to(offset);
        // Nothing shows when a sweep has run; in this time two have.
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
    // A start at another time, too.
    server.kill().await;
    steps.to("+7200");
    let server = Server::start(BINARY, steps.options()).await;
    for id in ids {
        assert_eq!(outcome(&server, &token, id).await, "duplicate", "{id} after the restart");
    }
}
