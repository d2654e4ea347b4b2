//! First pages of a history: reads per second of the server's processor time, and queries of its store.

use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

use super::figures::{self, median, thousandths};
use super::site::{Build, Core, KEY, Part, Process, ROOM, admin, empty_folder};
use crate::run::{command, note};

const PUBLIC: &str = "127.0.0.1:18490";
const ADMIN: &str = "127.0.0.1:18491";
/// Messages in the room before the first read.
const MESSAGES: f64 = 200.0;
/// Limits above the load: the sender of the messages is one user.
const ENVIRONMENT: [(&str, &str); 1] = [("BARRAGE_UPLINK__LIMITS__USER_PER_S", "1000000")];

/// How the readers of a measurement ask.
#[derive(Debug, Clone, Copy)]
enum Asking {
    /// For the newest messages, without a token.
    Newest,
    /// As the page of the site does: for what is before the position of each reader's own connection.
    Before,
    /// For the newest messages, each with a token.
    Token,
}

impl Asking {
    const ALL: [Asking; 3] = [Asking::Newest, Asking::Before, Asking::Token];

    const fn suffix(self) -> &'static str {
        match self {
            Asking::Newest => "",
            Asking::Before => "_before",
            Asking::Token => "_token",
        }
    }
}

/// Reads per second of processor time and of the clock, and the time of a slow one.
struct Reads {
    per_cpu_s: f64,
    per_s: f64,
    p99_ms: f64,
    secs: f64,
}

/// Measures reads by turns with bare hyper that answers with the same bytes, and prints the medians.
pub(crate) fn main(build: &Build, secs: u32, rounds: u32, limit: u32, as_json: bool) -> anyhow::Result<()> {
    let folder = empty_folder("history")?;
    let site = HistorySite::start(build, &folder)?;
    let body = folder.join("page.json");
    site.save(build, limit, &body)?;
    let (bare, address) = bare(build, &body)?;
    let mut printed = Map::new();
    printed.insert("page_bytes".into(), json!(std::fs::metadata(&body)?.len()));
    let (mut of_limit, mut limit_p99, mut queries) = (Vec::new(), Vec::new(), Vec::new());
    for asking in Asking::ALL {
        let (mut ours, mut ratios, mut p99, mut rate) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 1..=rounds {
            note(&format!("{asking:?}: round {round} of {rounds}"));
            let before = site.queries()?;
            let reads = read(build, &site.server, PUBLIC, &site.arguments(asking, limit), secs)?;
            // The first read of a round may find a page that has ended.
            queries.push((site.queries()? - before - 1.0) / reads.secs);
            let bound = read(build, &bare.process, &address, &["--path".into(), "/".into()], secs)?;
            ratios.push(reads.per_cpu_s / bound.per_cpu_s);
            ours.push(reads.per_cpu_s);
            rate.push(reads.per_s);
            p99.push(reads.p99_ms);
            of_limit.push(bound.per_cpu_s);
            limit_p99.push(bound.p99_ms);
        }
        let suffix = asking.suffix();
        let spread: Vec<f64> = [f64::INFINITY, f64::NEG_INFINITY]
            .into_iter()
            .zip([f64::min, f64::max])
            .map(|(start, least)| ours.iter().copied().fold(start, least).round())
            .collect();
        printed.insert(format!("reads_per_cpu_s{suffix}"), json!(median(&mut ours).round()));
        printed.insert(format!("reads_per_cpu_s{suffix}_spread"), json!(spread));
        printed.insert(format!("reads_per_s{suffix}"), json!(median(&mut rate).round()));
        printed.insert(format!("ratio{suffix}"), json!(thousandths(median(&mut ratios))));
        printed.insert(format!("read_p99_ms{suffix}"), json!(thousandths(median(&mut p99))));
    }
    printed.insert("limit_reads_per_cpu_s".into(), json!(median(&mut of_limit).round()));
    printed.insert("limit_read_p99_ms".into(), json!(thousandths(median(&mut limit_p99))));
    let most = queries.iter().copied().fold(0.0, f64::max);
    printed.insert("queries_per_s".into(), json!(thousandths(most)));
    figures::print(&printed, as_json)
}

/// A whole server on one core, with a room that has messages in its store.
struct HistorySite {
    server: Process,
    token: String,
    /// A position behind all messages.
    end: u64,
}

impl HistorySite {
    fn start(build: &Build, folder: &std::path::Path) -> anyhow::Result<HistorySite> {
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("token.key"), KEY)?;
        let up = ["up", "--listen", PUBLIC, "--admin-listen", ADMIN];
        let mut server = Core::Measured.command(&build.barrage(), &up);
        server.arg("--data-dir").arg(&data).envs(ENVIRONMENT);
        let log = std::fs::File::create(folder.join("server.log"))?;
        let server = Process(server.stdout(Stdio::null()).stderr(log).spawn().context("no server")?);
        admin::wait_ready(ADMIN)?;
        let admin_url = format!("http://{ADMIN}");
        let mut made = command(&build.barrage(), &["room", "set", ROOM, "--admin", &admin_url, "--data-dir"]);
        ensure!(made.arg(&data).stdout(Stdio::null()).status()?.success(), "the room was not made");
        let mut minted = command(&build.barrage(), &["token", "--user", "reader", "--room", ROOM]);
        let minted = minted.args(["--role", "viewer", "--data-dir"]).arg(&data).output()?;
        ensure!(minted.status.success(), "no token was made");
        let token = String::from_utf8(minted.stdout)?.trim().to_owned();
        let url = format!("http://{PUBLIC}");
        let posts = ["posts", "--url", &url, "--token", &token, "--room", ROOM, "--per-s", "200"];
        let posting = Part::start_posting(build, &posts)?;
        let archived = || admin::metric(ADMIN, "barrage_archiver_archived_total", "chat");
        while archived()? < MESSAGES {
            admin::pause();
        }
        drop(posting);
        Ok(HistorySite { server, token, end: 1 << 52 })
    }

    /// Writes the page that readers get into a file.
    fn save(&self, build: &Build, limit: u32, body: &std::path::Path) -> anyhow::Result<()> {
        let (path, body) = (path(limit), body.display().to_string());
        let once = ["page-reads", "--address", PUBLIC, "--path", &path, "--secs", "0", "--save", &body];
        Part::output(build, &once).map(drop)
    }

    fn arguments(&self, asking: Asking, limit: u32) -> Vec<String> {
        let path = match asking {
            Asking::Before => format!("{}&before={}{{n}}", path(limit), self.end / 1_000),
            Asking::Newest | Asking::Token => path(limit),
        };
        let token = matches!(asking, Asking::Token).then(|| vec!["--token".into(), self.token.clone()]);
        [vec!["--path".into(), path], token.unwrap_or_default()].concat()
    }

    /// Returns the queries for histories since the start.
    fn queries(&self) -> anyhow::Result<f64> {
        admin::metric(ADMIN, "barrage_store_call_duration_seconds_count", "call=\"history\"")
    }
}

fn path(limit: u32) -> String {
    format!("/v1/rooms/{ROOM}/history?limit={limit}")
}

/// Starts bare hyper with the bytes of a file; returns its address as well.
fn bare(build: &Build, body: &std::path::Path) -> anyhow::Result<(Part, String)> {
    let body = body.display().to_string();
    Part::serving(build, &["page-limit", "--body", &body])
}

/// Lets readers read, and divides by the processor time that the server used meanwhile.
fn read(
    build: &Build,
    server: &Process,
    address: &str,
    arguments: &[String],
    secs: u32,
) -> anyhow::Result<Reads> {
    let secs = secs.to_string();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let all = [&["page-reads", "--address", address, "--secs", &secs], &arguments[..]].concat();
    let before = server.run_secs()?;
    let read = Part::output(build, &all)?.pop().context("the readers printed nothing")?;
    let cpu_secs = server.run_secs()? - before;
    let of = |key: &str| read.get(key).and_then(Value::as_f64).unwrap_or_default();
    Ok(Reads {
        per_cpu_s: of("reads") / cpu_secs,
        per_s: of("reads") / of("secs"),
        p99_ms: of("p99_ms"),
        secs: of("secs"),
    })
}
