//! The danmaku stage beside libraries of npm, in Chromium; and the size of the client's core.

use std::process::Stdio;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Map, Value};

use super::figures;
use crate::run::note;
use crate::setup::npm;
use crate::web::modules;

/// Length of the measurement. The bench itself is `web/bench/web.mjs`.
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// Rounds; each measures every engine once. Medians are printed.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each measurement, after ten seconds in which the stage fills.
    #[arg(long, default_value_t = 8)]
    secs: u32,
    /// Danmaku that each engine gets in a second.
    #[arg(long, default_value_t = 50)]
    per_second: u32,
}

/// Measures all engines by turns, and prints the figures.
pub(super) fn main(plan: &Plan, as_json: bool) -> anyhow::Result<()> {
    modules()?;
    let (rounds, secs, per_second) =
        (plan.rounds.to_string(), plan.secs.to_string(), plan.per_second.to_string());
    note(&format!("{per_second} danmaku a second, {rounds} rounds of {secs} s"));
    let options = ["--rounds", &rounds, "--secs", &secs, "--per-second", &per_second];
    let mut bench = npm(&[&["run", "--silent", "bench", "--"][..], &options].concat())?;
    let output = bench.stderr(Stdio::inherit()).output().context("npm cannot be started")?;
    ensure!(output.status.success(), "npm run bench failed ({})", output.status);
    let figures: Map<String, Value> =
        serde_json::from_slice(&output.stdout).context("the bench printed no JSON object")?;
    figures::print(&figures, as_json)
}
