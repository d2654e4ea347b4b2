//! Handshakes: joins with a token per second of the gateway's processor time.

use serde_json::{Map, json};

use super::site::{self, Site};
use super::{against_figures, by_turns, median, print_figures};
use crate::run::{note, say};

/// Lets a crowd in, several times over.
pub(crate) fn main(viewers: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    let (mut gateway, mut limit) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        note(&format!("round {round} of {rounds}"));
        gateway.push(per_cpu_s(site::BARRAGE, viewers)?);
        let (bare, address) = site::limit(viewers, 100.0, 1.0)?;
        let before = bare.process.cpu_secs()?;
        site::crowd(&address, viewers, &[])?.says()?;
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

/// Measures this checkout's binary and another by turns.
pub(crate) fn against(other: &str, viewers: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    let mut figures = Map::new();
    let turns = by_turns(rounds, other, |binary| per_cpu_s(binary, viewers))?;
    against_figures("handshakes_per_cpu_s", &turns, &mut figures);
    print_figures(&figures, as_json)
}

/// Joins with a token per second of a gateway's processor time.
fn per_cpu_s(binary: &str, viewers: u32) -> anyhow::Result<f64> {
    let site = Site::start(binary, "handshake", "")?;
    let token = site.token()?;
    // The first joiner pays for the room.
    let mut first = site.crowd(1, &["--token", &token])?;
    first.says()?;
    let before = site.gateway.cpu_secs()?;
    let mut crowd = site.crowd(viewers, &["--token", &token])?;
    crowd.says()?;
    Ok(f64::from(viewers) / (site.gateway.cpu_secs()? - before))
}
