//! A poll with thousands of voters: whether each counts once, and what it costs a viewer.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

use super::figures::{self, thousandths};
use super::site::admin::{self, sleep};
use super::site::{Build, KEY, Part, Process, ROOM, empty_folder};
use crate::run::{command, note};

const PUBLIC: &str = "127.0.0.1:18488";
const ADMIN: &str = "127.0.0.1:18489";
/// Viewers that read while others vote; the bytes per viewer do not depend on their number.
const VIEWERS: u32 = 100;
/// Time in which the last pulses arrive.
const AFTER: Duration = Duration::from_secs(2);
/// Limits above the load: all voters have one address, and a slow machine closes nobody.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("BARRAGE_UPLINK__LIMITS__ADDRESS_PER_S", "1000000"),
    ("BARRAGE_UPLINK__LIMITS__USER_PER_S", "1000"),
    ("BARRAGE_GATEWAY__PING_MARGIN_MS", "600000"),
];

/// Lets voters vote, and prints the error of the sum and the bytes of a viewer.
pub(crate) fn main(build: &Build, voters: u32, as_json: bool) -> anyhow::Result<()> {
    let folder = empty_folder("votes")?;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let key = data.join("token.key");
    std::fs::write(&key, KEY)?;
    let mut server = command(&build.barrage(), &["up", "--listen", PUBLIC, "--admin-listen", ADMIN]);
    server.arg("--data-dir").arg(&data).envs(ENVIRONMENT);
    let log = std::fs::File::create(folder.join("server.log"))?;
    server.stdout(Stdio::null()).stderr(log);
    let _server = Process(server.spawn().context("the server cannot be started")?);
    admin::wait_ready(ADMIN)?;
    // `up --room` makes a room for a replay alone.
    let admin_url = format!("http://{ADMIN}");
    let mut made = command(&build.barrage(), &["room", "set", ROOM, "--admin", &admin_url, "--data-dir"]);
    made.arg(&data).stdout(Stdio::null());
    ensure!(made.status()?.success(), "the room of the poll was not made");
    note(&format!("{voters} voters, {VIEWERS} viewers"));
    let unsampled = ["--one-in", "1000000"];
    let mut plain = Part::viewers(build, PUBLIC, VIEWERS, &unsampled)?;
    let mut deflated = Part::viewers(build, PUBLIC, VIEWERS, &[&unsampled[..], &["--deflate"]].concat())?;
    plain.mark()?;
    deflated.mark()?;
    let began = Instant::now();
    let (url, voters, key) = (format!("http://{PUBLIC}"), voters.to_string(), key.display().to_string());
    let arguments = ["votes", "--urls", &url, "--key", &key, "--room", ROOM, "--voters", &voters];
    let voted = Part::output(build, &arguments)?.pop().context("the voters printed nothing")?;
    sleep(AFTER);
    let secs = began.elapsed().as_secs_f64();
    let per_s = |read: &Value| read["bytes"].as_f64().unwrap_or_default() / f64::from(VIEWERS) / secs;
    let (plain, deflated) = (per_s(&plain.mark()?), per_s(&deflated.mark()?));
    ensure!(voted["failed"] == 0, "{} votes failed: {}", voted["failed"], voted["last_error"]);
    let ledger = admin::metric(ADMIN, "barrage_conservation_error", "")?;
    let mut printed = Map::new();
    for key in ["voters", "votes", "sum_error", "voted_again"] {
        printed.insert(key.into(), voted[key].clone());
    }
    printed.insert("conservation_error".into(), json!(ledger));
    printed.insert("bytes_per_viewer_per_s".into(), json!(thousandths(deflated)));
    printed.insert("bytes_per_viewer_per_s_json".into(), json!(thousandths(plain)));
    for key in ["votes_per_s", "vote_p99_ms"] {
        printed.insert(key.into(), json!(thousandths(voted[key].as_f64().unwrap_or_default())));
    }
    figures::print(&printed, as_json)
}
