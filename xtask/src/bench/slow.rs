//! Slow viewers: how much one stalled viewer in a hundred delays the others.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use serde_json::Value;

use super::figures::median;
use super::site::{Build, Process, admin};
use crate::run::{command, note, root, run, say};

const PUBLIC: &str = "127.0.0.1:18480";
const ADMIN: &str = "127.0.0.1:18481";

/// Runs the same scenario by turns without and with slow viewers, and compares the p99 of the
/// viewers that read.
pub(crate) fn main(build: &Build, viewers: u32, secs: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        // Each is first in every other round: both meet the same load from the rest of the machine.
        let mut turns = [(0.0, &mut without), (0.01, &mut with)];
        if round % 2 == 0 {
            turns.reverse();
        }
        for (share, measured) in turns {
            note(&format!("round {round} of {rounds}, {:.0} % slow", share * 100.0));
            measured.push(p99_ms(build, &scenario(viewers, secs, share))?);
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

/// Runs a scenario against a new server and returns the p99 of its report.
fn p99_ms(build: &Build, scenario: &str) -> anyhow::Result<f64> {
    let folder = root().join("target/bench/slow");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("slow.yaml");
    std::fs::write(&file, scenario)?;
    let _server = serve(build, &folder)?;
    let json = folder.join("report.json");
    let target = format!("http://{PUBLIC}");
    let mut tester = command(&build.program("barrage-loadtest"), &["run"]);
    tester.arg(&file).args(["--quiet", "--target", &target, "--token-key"]);
    tester.arg(folder.join("data/token.key")).arg("--json").arg(&json);
    run(tester)?;
    let report: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    report["figures"]["p99"].as_f64().context("the report of the load test has no p99")
}

/// Returns a scenario with forty messages per second in all.
fn scenario(viewers: u32, secs: u32, slow_share: f64) -> String {
    let per_min = 2_400.0 / f64::from(viewers);
    format!(
        "name: slow\nabout: What slow viewers cost the others.\nviewers: {viewers}\nphases:\n  \
         - {{phase: ramp, secs: 10, to: 1}}\n  - {{phase: hold, secs: {secs}}}\n\
         chat_per_viewer_per_min: {per_min}\nslow: {{share: {slow_share}, bytes_per_s: 1}}\n\
         tester_lag_p99_ms_max: 10000\nthresholds: []\n"
    )
}

/// Starts the whole platform in one process.
fn serve(build: &Build, folder: &Path) -> anyhow::Result<Process> {
    let mut server = command(&build.barrage(), &["up", "--listen", PUBLIC, "--admin-listen", ADMIN]);
    server.arg("--data-dir").arg(folder.join("data"));
    server.stdout(Stdio::null()).stderr(Stdio::null());
    let server = Process(server.spawn().context("the server cannot be started")?);
    admin::wait_ready(ADMIN)?;
    Ok(server)
}
