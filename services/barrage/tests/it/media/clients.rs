//! tus-js-client and tuspy, unmodified, through kills of the server and of the client.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use barrage_testkit::wait;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::site::{Site, bytes};

/// Longest wait for an event of a client. A loaded machine starts Node.js and Python slowly.
const EVENT_MAX: Duration = Duration::from_secs(60);

/// A library that uploads, unmodified.
#[derive(Debug, Clone, Copy)]
enum Library {
    Js,
    Python,
}

/// A running client, which is killed when the value is dropped.
struct Client {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
}

impl Client {
    async fn start(library: Library, job: &Value) -> Client {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tests = root.join("services/media/tests");
        let missing = "the clients of tus are missing; run `cargo xtask setup`";
        let mut command = match library {
            Library::Js => {
                assert!(tests.join("js/node_modules").is_dir(), "{missing}");
                let mut command = Command::new("node");
                command.arg(tests.join("js/upload.mjs"));
                command
            }
            Library::Python => {
                let packages = root.join("target/tools/tus");
                assert!(packages.is_dir(), "{missing}");
                let mut command = Command::new("python3");
                command.arg(tests.join("py/upload.py")).env("PYTHONPATH", packages);
                command
            }
        };
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let stdin = child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{job}\n").as_bytes()).await.unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Client { child, events }
    }

    /// Waits for an event that has a value, and returns the value.
    async fn event(&mut self, wanted: impl Fn(&Value) -> Option<Value>) -> Value {
        let found = async {
            loop {
                let line = self.events.next_line().await.unwrap().expect("the client ended");
                let event: Value = serde_json::from_str(&line).unwrap();
                assert!(event["error"].is_null(), "{event}");
                if let Some(value) = wanted(&event) {
                    return value;
                }
            }
        };
        wait::within(EVENT_MAX, "an event of a client", found).await
    }

    async fn done(&mut self) -> String {
        let url = self.event(|event| event.get("done").cloned()).await;
        url.as_str().unwrap().to_owned()
    }

    async fn sent(&mut self, bytes: u64) {
        self.event(|event| event["sent"].as_u64().filter(|sent| *sent >= bytes).map(Value::from)).await;
    }
}

/// What a client is to upload, and where it keeps its URLs.
struct Job {
    folder: tempfile::TempDir,
    file: PathBuf,
    bytes: Vec<u8>,
    token: String,
}

impl Job {
    async fn new(site: &Site, length: usize) -> Job {
        let (folder, bytes) = (tempfile::tempdir().unwrap(), bytes(length));
        let file = folder.path().join("file.bin");
        std::fs::write(&file, &bytes).unwrap();
        Job { folder, file, bytes, token: site.token("ann").await }
    }

    fn json(&self, site: &Site, chunk: usize, parts: usize) -> Value {
        let digest: String = Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        json!({
            "endpoint": site.url("/v1/uploads"), "token": self.token, "file": self.file,
            "storage": self.folder.path().join("urls.json"), "chunk": chunk, "parts": parts,
            "metadata": { "filename": "file.bin", "sha256": digest },
        })
    }

    /// Checks that the medium of an upload has the bytes of the file.
    async fn check(&self, site: &Site, url: &str) {
        let path = url.strip_prefix(&site.url("")).unwrap_or(url);
        let view = site.checked(path, &self.token).await;
        assert_eq!(view["state"], "ready", "{view}");
        assert!(site.read(view["media"]["variants"][0]["url"].as_str().unwrap()).await == self.bytes);
    }
}

#[tokio::test]
async fn tus_js_client_uploads_in_parallel_parts_that_are_joined() {
    let site = Site::start(&[]).await;
    let job = Job::new(&site, 3_000_000).await;
    let mut client = Client::start(Library::Js, &job.json(&site, 500_000, 4)).await;
    let url = client.done().await;
    job.check(&site, &url).await;
    let metrics = site.server.metrics().await;
    assert!(metrics.contains("barrage_media_uploads_total{outcome=\"joined\"} 1"), "{metrics}");
}

#[tokio::test]
async fn tus_js_client_goes_on_after_kills_of_the_server_and_of_itself() {
    let mut site = Site::start(&[]).await;
    let job = Job::new(&site, 12 << 20).await;
    let started = job.json(&site, 256 * 1024, 1);
    let mut client = Client::start(Library::Js, &started).await;
    client.sent(2 << 20).await;
    site = site.kill_and_restart().await;
    client.sent(5 << 20).await;
    client.child.kill().await.unwrap();
    let mut client = Client::start(Library::Js, &started).await;
    assert_eq!(client.event(|event| event.get("resumes").cloned()).await, true);
    let first = client.event(|event| event.get("sent").cloned()).await.as_u64().unwrap();
    assert!(first >= 3 << 20, "it begins where it was, not at {first}");
    let url = client.done().await;
    job.check(&site, &url).await;
}

#[tokio::test]
async fn tuspy_uploads_with_checksums_through_a_kill_of_the_server() {
    let mut site = Site::start(&[]).await;
    let job = Job::new(&site, 8 << 20).await;
    let mut client = Client::start(Library::Python, &job.json(&site, 256 * 1024, 1)).await;
    client.sent(1 << 20).await;
    site = site.kill_and_restart().await;
    let url = client.done().await;
    job.check(&site, &url).await;
}
