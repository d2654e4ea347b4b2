//! A real server, and the load tester against it.

use std::path::{Path, PathBuf};
use std::process::Output;

use barrage_testkit::{Server, ServerOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) const LOADTEST: &str = env!("CARGO_BIN_EXE_barrage-loadtest");

/// The server's binary: named by `LOADTEST_SERVER`, or built beside ours.
pub(crate) fn barrage() -> String {
    let path = std::env::var_os("LOADTEST_SERVER")
        .map_or_else(|| Path::new(LOADTEST).with_file_name("barrage"), PathBuf::from);
    assert!(path.is_file(), "{} is not there: cargo build -p barrage", path.display());
    path.to_str().unwrap().to_owned()
}

/// A server and a folder for what the load tester writes.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) dir: TempDir,
}

impl Site {
    pub(crate) async fn start() -> Site {
        Site::with(&[]).await
    }

    /// With settings by their environment variables.
    pub(crate) async fn with(environment: &[(&str, &str)]) -> Site {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Site::of(ServerOptions { environment: environment.collect(), ..ServerOptions::default() }).await
    }

    pub(crate) async fn of(options: ServerOptions) -> Site {
        let server = Server::start(&barrage(), options).await;
        Site { server, dir: TempDir::new().unwrap() }
    }

    /// Writes a scenario of a second and a half, and what a test adds to it.
    pub(crate) fn scenario(&self, rest: &str) -> String {
        let text = format!(
            "name: short\nviewers: 100\nsettle_secs: 1\ntester_lag_p99_ms_max: 2000\n\
             likes_per_viewer_per_min: 6\nchat_per_viewer_per_min: 30\ngifts_per_viewer_per_min: 12\n{rest}"
        );
        let path = self.dir.path().join("short.yaml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a scenario; the output and the report.
    pub(crate) async fn run(&self, scenario: &str, more: &[&str]) -> (Output, Value) {
        self.command("run", scenario, more).await
    }

    /// Runs a command that takes one name, and writes a report.
    pub(crate) async fn command(&self, command: &str, of: &str, more: &[&str]) -> (Output, Value) {
        let output = self.prepared(command, of, more).output().await.unwrap();
        (output, self.report())
    }

    /// The report that a run has written; null when there is none.
    pub(crate) fn report(&self) -> Value {
        let report = std::fs::read(self.dir.path().join("report.json")).ok();
        report.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// A command against this server that is not started yet.
    pub(crate) fn prepared(&self, command: &str, of: &str, more: &[&str]) -> Command {
        let json = self.dir.path().join("report.json");
        let target = format!("http://{}", self.server.public);
        let admin = format!("http://{}", self.server.admin);
        let mut prepared = Command::new(LOADTEST);
        prepared
            .args([command, of, "--target", &target, "--admin", &admin, "--quiet", "--json"])
            .arg(&json)
            .arg("--html")
            .arg(self.dir.path().join("report.html"))
            .arg("--token-key")
            .arg(self.server.data_dir().join("token.key"))
            .args(more);
        prepared
    }

    /// The server's process, found by its data directory.
    pub(crate) fn pid(&self) -> String {
        let data_dir = self.server.data_dir().to_str().unwrap();
        let is_ours = |entry: &std::fs::DirEntry| {
            let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            arguments.contains(data_dir) && arguments.contains("--admin-listen")
        };
        let found = std::fs::read_dir("/proc").unwrap().flatten().find(is_ours).unwrap();
        found.file_name().into_string().unwrap()
    }
}

pub(crate) fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}
