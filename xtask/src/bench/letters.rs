//! Letters through a whole server, and a device that comes back after a month.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::figures::{self, thousandths};
use super::site::admin;
use super::site::{Build, KEY, Part, Process, empty_folder};
use crate::run::{command, note};

const PUBLIC: &str = "127.0.0.1:18490";
const ADMIN: &str = "127.0.0.1:18491";
/// Limits above the load: all users have one address.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("BARRAGE_UPLINK__LIMITS__ADDRESS_PER_S", "1000000"),
    ("BARRAGE_UPLINK__LIMITS__USER_PER_S", "100000"),
    ("BARRAGE_UPLINK__LIMITS__PLATFORM_PER_S", "1000000"),
    ("BARRAGE_INBOX__LIMITS__NEW_CONVERSATIONS_PER_HOUR", "1000000"),
    ("BARRAGE_MODERATION__REPEAT__USER_TIMES_MAX", "0"),
];

/// A server with letters, and the file with its key.
struct Site {
    _server: Process,
    key: PathBuf,
}

impl Site {
    fn start(build: &Build, name: &str) -> anyhow::Result<Self> {
        let folder = empty_folder(name)?;
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        let key = data.join("token.key");
        std::fs::write(&key, KEY)?;
        let mut server = command(&build.barrage(), &["up", "--listen", PUBLIC, "--admin-listen", ADMIN]);
        server.arg("--data-dir").arg(&data).envs(ENVIRONMENT);
        server.stdout(Stdio::null()).stderr(std::fs::File::create(folder.join("server.log"))?);
        let server = Process(server.spawn().context("the server cannot be started")?);
        admin::wait_ready(ADMIN)?;
        Ok(Site { _server: server, key })
    }

    fn part(&self, build: &Build, name: &str, arguments: &[&str]) -> anyhow::Result<Map<String, Value>> {
        let key = self.key.display().to_string();
        let all = [&[name, "--address", PUBLIC, "--key", &key], arguments].concat();
        Part::output(build, &all)?.pop().with_context(|| format!("{name} printed nothing"))
    }
}

/// Sends letters as fast as they are accepted, then at an even pace, and prints rates and times.
pub(crate) fn letters(build: &Build, rate: u32, secs: u32, as_json: bool) -> anyhow::Result<()> {
    let site = Site::start(build, "letters")?;
    let secs = secs.to_string();
    note("letters as fast as they are accepted");
    let fast = site.part(build, "letters", &["--secs", &secs])?;
    let taken = || -> anyhow::Result<[f64; 2]> {
        let sent = admin::metric(ADMIN, "barrage_courier_events_total", "outcome=\"sent\"")?;
        Ok([sent, admin::metric(ADMIN, "barrage_courier_rows_total", "")?])
    };
    let before = taken()?;
    note(&format!("{rate} letters a second"));
    let paced =
        site.part(build, "letters", &["--secs", &secs, "--rate", &rate.to_string(), "--users", "2000"])?;
    let after = taken()?;
    let mut printed = Map::new();
    let mut figure = |name: &str, value: f64| printed.insert(name.into(), json!(thousandths(value)));
    for key in ["per_s", "accepted_per_s"] {
        figure(key, fast[key].as_f64().unwrap_or_default());
    }
    figure("rate", rate.into());
    for key in ["accept_p50_ms", "accept_p99_ms", "p50_ms", "p99_ms"] {
        figure(key, paced[key].as_f64().unwrap_or_default());
    }
    figure("rows_per_message_with_batches", (after[1] - before[1]) / (after[0] - before[0]).max(1.0));
    figures::print(&printed, as_json)
}

/// Fills an inbox with 100,000 items, and prints the size and the time of a new device's sync.
pub(crate) fn sync(build: &Build, as_json: bool) -> anyhow::Result<()> {
    let site = Site::start(build, "sync")?;
    note("100,000 letters in 300 conversations; this takes a minute");
    let printed = site.part(build, "sync", &[])?;
    figures::print(&printed, as_json)
}
