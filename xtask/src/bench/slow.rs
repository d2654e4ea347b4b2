//! Slow viewers: what one in a hundred that stand still cost the others.

use std::process::{Child, Stdio};

use anyhow::Context;
use serde_json::Value;

use super::{median, ready};
use crate::run::{command, note, root, run, say};

const PUBLIC: &str = "127.0.0.1:18480";
const ADMIN: &str = "127.0.0.1:18481";

/// Runs the same crowd by turns without and with slow viewers, and compares the p99 of
/// those that read.
pub(crate) fn main(viewers: u32, secs: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    run(command("cargo", &["build", "--release", "-p", "barrage", "-p", "barrage-loadtest"]))?;
    let folder = root().join("target/bench/slow");
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        // Each is first by turns: what the machine does meanwhile hits both.
        let mut turns = [(0.0, &mut without), (0.01, &mut with)];
        if round % 2 == 0 {
            turns.reverse();
        }
        for (share, measured) in turns {
            note(&format!("round {round} of {rounds}, {:.0} % slow", share * 100.0));
            if folder.exists() {
                std::fs::remove_dir_all(&folder)?;
            }
            std::fs::create_dir_all(&folder)?;
            let scenario = folder.join("slow.yaml");
            std::fs::write(&scenario, text(viewers, secs, share))?;
            let server = Server::start(&folder)?;
            let json = folder.join("report.json");
            let target = format!("http://{PUBLIC}");
            let mut tester = command("target/release/barrage-loadtest", &["run"]);
            tester.arg(&scenario).args(["--quiet", "--target", &target, "--token-key"]);
            tester.arg(folder.join("data/token.key")).arg("--json").arg(&json);
            run(tester)?;
            drop(server);
            let report: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
            measured.push(report["figures"]["p99"].as_f64().context("no p99 in the report")?);
        }
    }
    let (without_ms, with_ms) = (median(&mut without), median(&mut with));
    let ratio = with_ms / without_ms;
    if as_json {
        return say(&serde_json::json!({ "viewers": viewers, "p99_without_ms": without, "p99_with_ms": with,
            "ratio": ratio })
        .to_string());
    }
    say(&format!(
        "{viewers} viewers, 1 % slow: p99 of the others {without_ms:.1} ms without, {with_ms:.1} ms with them, ratio {ratio:.2}"
    ))
}

fn text(viewers: u32, secs: u32, share: f64) -> String {
    // Forty messages a second in all.
    let per_min = 2_400.0 / f64::from(viewers);
    format!(
        "name: slow\nabout: What slow viewers cost the others.\nviewers: {viewers}\nphases:\n  \
         - {{phase: ramp, secs: 10, to: 1}}\n  - {{phase: hold, secs: {secs}}}\n\
         chat_per_viewer_per_min: {per_min}\nslow: {{share: {share}, bytes_per_s: 1}}\n\
         tester_lag_p99_ms_max: 10000\nthresholds: []\n"
    )
}

/// Ends with its owner.
struct Server(Child);

impl Server {
    fn start(folder: &std::path::Path) -> anyhow::Result<Server> {
        let mut server =
            command("target/release/barrage", &["up", "--listen", PUBLIC, "--admin-listen", ADMIN]);
        server.arg("--data-dir").arg(folder.join("data"));
        server.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server(server.spawn().context("the server cannot be started")?);
        ready::wait(ADMIN)?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
