//! A server with letters in one process, the load tester against it, and its counts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use serde_json::{Map, Value};

use crate::bench::site::{Build, KEY, Part, Process, admin, empty_folder};
use crate::run::{command, run};

/// Public and admin address of the server, or of entry and the first uplink.
pub(super) const PUBLIC: &str = "127.0.0.1:18490";
pub(super) const ADMIN: &str = "127.0.0.1:18491";
/// Limits above the load: all users have one address.
pub(super) const ENVIRONMENT: [(&str, &str); 10] = [
    ("BARRAGE_UPLINK__LIMITS__ADDRESS_PER_S", "1000000"),
    ("BARRAGE_UPLINK__LIMITS__USER_PER_S", "100000"),
    ("BARRAGE_UPLINK__LIMITS__PLATFORM_PER_S", "1000000"),
    ("BARRAGE_INBOX__LIMITS__NEW_CONVERSATIONS_PER_HOUR", "1000000"),
    ("BARRAGE_INBOX__LIMITS__SYNCS_PER_S", "100000"),
    ("BARRAGE_INBOX__LIMITS__GROUP_ITEMS_PER_S", "100000"),
    ("BARRAGE_MODERATION__REPEAT__USER_TIMES_MAX", "0"),
    ("BARRAGE_GATEWAY__USER_CONNECTIONS_MAX", "1000000"),
    ("BARRAGE_GATEWAY__JOINS_PER_S", "1000000"),
    ("BARRAGE_GATEWAY__PING_MARGIN_MS", "600000"),
];

/// A server with letters, and the file with its key.
pub(super) struct Site {
    pub(super) process: Process,
    folder: PathBuf,
    key: PathBuf,
}

impl Site {
    pub(super) fn start(build: &Build, name: &str) -> anyhow::Result<Self> {
        let folder = empty_folder(name)?;
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        let key = data.join("token.key");
        std::fs::write(&key, KEY)?;
        let mut server = command(&build.barrage(), &["up", "--listen", PUBLIC, "--admin-listen", ADMIN]);
        server.arg("--data-dir").arg(&data).envs(ENVIRONMENT);
        server.stdout(Stdio::null()).stderr(std::fs::File::create(folder.join("server.log"))?);
        let process = Process(server.spawn().context("the server cannot be started")?);
        admin::wait_ready(ADMIN)?;
        Ok(Site { process, folder, key })
    }

    /// Runs a part of the bench to its end, and returns its figures.
    pub(super) fn part(
        &self,
        build: &Build,
        name: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Map<String, Value>> {
        let key = self.key();
        let all = [&[name, "--address", PUBLIC, "--key", &key], arguments].concat();
        Part::output(build, &all)?.pop().with_context(|| format!("{name} printed nothing"))
    }

    /// File of the key that signs tokens.
    pub(super) fn key(&self) -> String {
        self.key.display().to_string()
    }

    /// Data directory of the server.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Runs a load of letters, and returns the load tester's report.
    pub(super) fn load(&self, build: &Build, name: &str, load: &str) -> anyhow::Result<Value> {
        let (tester, json) = tester(build, &self.folder, &self.key, name, load)?;
        run(tester)?;
        Ok(serde_json::from_slice(&std::fs::read(json)?)?)
    }

    /// Letters that the courier has taken, and the rows that it has written.
    pub(super) fn taken(&self) -> anyhow::Result<[f64; 2]> {
        let sent = admin::metric(ADMIN, "barrage_courier_events_total", "outcome=\"sent\"")?;
        Ok([sent, admin::metric(ADMIN, "barrage_courier_rows_total", "")?])
    }
}

/// Returns the load tester with a scenario without thresholds, and the file of its report.
pub(super) fn tester(
    build: &Build,
    folder: &Path,
    key: &Path,
    name: &str,
    load: &str,
) -> anyhow::Result<(Command, PathBuf)> {
    let (file, json) = (folder.join("load.yaml"), folder.join("report.json"));
    std::fs::write(&file, format!("name: {name}\ntester_lag_p99_ms_max: 10000\n{load}"))?;
    let target = format!("http://{PUBLIC}");
    let mut tester = command(&build.program("barrage-loadtest"), &["run"]);
    tester.arg(&file).args(["--quiet", "--target", &target, "--token-key"]).arg(key).arg("--json").arg(&json);
    // The summary would be among the figures.
    tester.stdout(Stdio::null());
    Ok((tester, json))
}
