//! The fault test at its full size: real processes are killed and stopped while gifts and chat are
//! sent.

use anyhow::Context;
use serde_json::Value;

use crate::run::{command, root, run, say};

/// Name of the fault test in `services/barrage/tests/it`.
const TEST: &str = "alone::fault::no_gift_is_lost_or_duplicated_over_faults";

/// Runs the test in an optimised build and prints its report. Fails when a gift was lost, doubled or
/// late.
pub(crate) fn main(minutes: f64, seed: Option<u32>, viewers: u32, as_json: bool) -> anyhow::Result<()> {
    let file = root().join("target/fault.json");
    if file.exists() {
        std::fs::remove_file(&file)?;
    }
    let target = ["test", "--profile", "dist", "--package", "barrage", "--test", "it"];
    let arguments = [&target[..], &["--", "--nocapture", TEST]].concat();
    let mut test = command("cargo", &arguments);
    test.env("FAULT_SECS", format!("{:.0}", minutes * 60.0))
        .env("FAULT_VIEWERS", viewers.to_string())
        .env("FAULT_GIFTS_PER_S", "200")
        .env("FAULT_CHATS_PER_S", "1000")
        .env("FAULT_JSON", &file);
    if let Some(seed) = seed {
        test.env("FAULT_SEED", seed.to_string());
    }
    let outcome = run(test);
    let text = std::fs::read_to_string(&file).context("the fault test ended without a report")?;
    if as_json {
        say(text.trim())?;
    } else {
        let report: Value = serde_json::from_str(&text)?;
        for (key, value) in report.as_object().into_iter().flatten() {
            say(&format!("{key:<30} {value}"))?;
        }
    }
    outcome
}
