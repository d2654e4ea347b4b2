//! Handshakes: joins with a token per second of the gateway's processor time.

use serde_json::{Map, json};

use super::figures::{self, ByTurns, median};
use super::site::{Build, Gateway, Part};
use crate::run::{note, say};

/// Measures joins by turns with a loop of accepts, and prints the medians.
pub(crate) fn with_limit(build: &Build, viewers: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    let (mut gateway, mut limit) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        note(&format!("round {round} of {rounds}"));
        gateway.push(per_cpu_s(build, &build.barrage(), viewers)?);
        let (bare, address) = Part::limit(build, viewers, 100.0, 1.0)?;
        let before = bare.process.cpu_secs()?;
        let _viewers = Part::viewers(build, &address, viewers, &[])?;
        limit.push(f64::from(viewers) / (bare.process.cpu_secs()? - before));
    }
    let (gateway, limit) = (median(&mut gateway).round(), median(&mut limit).round());
    if as_json {
        return say(
            &json!({ "handshakes_per_cpu_s": gateway, "limit_handshakes_per_cpu_s": limit }).to_string()
        );
    }
    say(&format!("{gateway} handshakes with a token per CPU-second; a bare loop of accepts {limit}"))
}

/// Measures this checkout's binary by turns with another one.
pub(crate) fn against(
    build: &Build,
    other: &str,
    viewers: u32,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut figures = Map::new();
    let turns =
        ByTurns::measure(rounds, &build.barrage(), other, |binary| per_cpu_s(build, binary, viewers))?;
    turns.add_to(&mut figures, "handshakes_per_cpu_s");
    figures::print(&figures, as_json)
}

/// Returns joins with a token per second of a gateway's processor time.
fn per_cpu_s(build: &Build, binary: &str, viewers: u32) -> anyhow::Result<f64> {
    let gateway = Gateway::start(build, binary, "handshake", "")?;
    let token = gateway.token()?;
    // The first join opens the room, which is not measured.
    let _first = gateway.viewers(1, &["--token", &token])?;
    let before = gateway.process.cpu_secs()?;
    let _viewers = gateway.viewers(viewers, &["--token", &token])?;
    Ok(f64::from(viewers) / (gateway.process.cpu_secs()? - before))
}
