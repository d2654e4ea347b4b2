//! Bytes on the wire: a recording is replayed into a hot room, and read as JSON and deflated.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use super::site::admin::{self, sleep};
use super::site::{Build, Part, Process, ROOM};
use crate::run::{command, note, root, say};

const PUBLIC: &str = "127.0.0.1:18480";
const ADMIN: &str = "127.0.0.1:18481";
/// Viewers of each encoding; the bytes per viewer do not depend on the number.
const VIEWERS: u32 = 20;
/// Time before the first count, in which the room becomes hot.
const WARM_UP: Duration = Duration::from_secs(3);
/// Messages below which the figures are noise.
const MESSAGES_MIN: f64 = 100.0;

/// Replays a recording and divides the bytes by the messages.
pub(crate) fn main(
    build: &Build,
    recording: Option<PathBuf>,
    speed: f64,
    secs: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let recording = recording.unwrap_or_else(|| root().join("services/recording/assets/demo.xml"));
    let _server = serve(build, &recording, speed)?;
    let unsampled = ["--one-in", "1000000"];
    let mut plain = Part::viewers(build, PUBLIC, VIEWERS, &unsampled)?;
    let mut deflated = Part::viewers(build, PUBLIC, VIEWERS, &[&unsampled[..], &["--deflate"]].concat())?;
    sleep(WARM_UP);
    let messages = || -> anyhow::Result<f64> {
        Ok(admin::metric(ADMIN, "barrage_gateway_deliveries_total", "")? / f64::from(2 * VIEWERS))
    };
    let before = messages()?;
    plain.mark()?;
    deflated.mark()?;
    sleep(Duration::from_secs(secs.into()));
    let (plain, deflated) = (plain.mark()?, deflated.mark()?);
    let messages = messages()? - before;
    ensure!(
        messages > MESSAGES_MIN,
        "the recording had {messages} messages in {secs} s, fewer than {MESSAGES_MIN}; raise --speed"
    );
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

/// Starts the whole platform in one process, replaying in a loop.
fn serve(build: &Build, recording: &Path, speed: f64) -> anyhow::Result<Process> {
    let folder = root().join("target/bench/wire");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let speed = speed.to_string();
    let mut server = command(&build.barrage(), &["up", "--listen", PUBLIC, "--admin-listen", ADMIN]);
    server.args(["--room", ROOM, "--loop", "--speed", &speed, "--replay"]).arg(recording);
    server.arg("--data-dir").arg(folder);
    // The display limit of a room is no part of this measurement.
    server.env("BARRAGE_UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "1000000");
    server.stdout(Stdio::null()).stderr(Stdio::null());
    let server = Process(server.spawn().context("the server cannot be started")?);
    admin::wait_ready(ADMIN)?;
    note(&format!("{} at {speed} times its speed", recording.display()));
    Ok(server)
}
