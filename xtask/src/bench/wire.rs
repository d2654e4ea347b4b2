//! Bytes on the wire: a recording is replayed into a hot room, and read as JSON and
//! deflated.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::ready::{self, sleep};
use super::site::{self, Process};
use crate::run::{command, note, root, say};

const PUBLIC: &str = "127.0.0.1:18480";
const ADMIN: &str = "127.0.0.1:18481";
/// Viewers of each encoding: they only have to be there.
const VIEWERS: u32 = 20;
/// The room has become hot by then.
const WARM_UP: Duration = Duration::from_secs(3);

/// Replays at `speed` and divides the bytes by the messages.
pub(crate) fn main(recording: Option<PathBuf>, speed: f64, secs: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    let recording = recording.unwrap_or_else(|| root().join("services/recording/assets/demo.xml"));
    let server = serve(&recording, speed)?;
    let mut plain = site::crowd(PUBLIC, VIEWERS, &["--one-in", "1000000"])?;
    plain.says()?;
    let mut deflated = site::crowd(PUBLIC, VIEWERS, &["--one-in", "1000000", "--deflate"])?;
    deflated.says()?;
    sleep(WARM_UP);
    let messages = || -> anyhow::Result<f64> {
        Ok(ready::metric(ADMIN, "barrage_gateway_deliveries_total", "")? / f64::from(2 * VIEWERS))
    };
    let before = messages()?;
    plain.mark()?;
    deflated.mark()?;
    sleep(Duration::from_secs(secs.into()));
    let (plain, deflated) = (plain.mark()?, deflated.mark()?);
    let messages = messages()? - before;
    drop(server);
    ensure!(messages > 100.0, "the recording is too slow: {messages} messages in {secs} s");
    let per_message = |read: &serde_json::Value| {
        let bytes = read["bytes"].as_f64().unwrap_or_default() / f64::from(VIEWERS);
        (bytes / messages * 10.0).round() / 10.0
    };
    let per_s = (messages / f64::from(secs)).round();
    let (plain, deflated) = (per_message(&plain), per_message(&deflated));
    if as_json {
        return say(&json!({ "bytes_per_message_json": plain, "bytes_per_message_deflate": deflated,
            "messages_per_s": per_s })
        .to_string());
    }
    say(&format!("{per_s} messages a second: {plain} bytes each as JSON, {deflated} deflated"))
}

/// The whole platform in one process, replaying again and again.
fn serve(recording: &Path, speed: f64) -> anyhow::Result<Process> {
    let folder = root().join("target/bench/wire");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let speed = speed.to_string();
    let mut server = command(site::BARRAGE, &["up", "--listen", PUBLIC, "--admin-listen", ADMIN]);
    server.args(["--room", site::ROOM, "--loop", "--speed", &speed, "--replay"]).arg(recording);
    server.arg("--data-dir").arg(folder);
    // What one room may show is not what is asked here.
    server.env("BARRAGE_UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "1000000");
    let server = Process(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    ready::wait(ADMIN)?;
    note(&format!("{} at {speed} times its pace", recording.display()));
    Ok(server)
}
