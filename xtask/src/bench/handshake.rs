//! Handshakes: joins with a token per second of the gateway's processor time.

use serde_json::json;

use super::median;
use super::site::{self, Site};
use crate::run::{note, say};

/// Lets a crowd in, several times over.
pub(crate) fn main(viewers: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    let (mut gateway, mut limit) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        note(&format!("round {round} of {rounds}"));
        let site = Site::start("handshake", "")?;
        let token = site.token()?;
        // The first joiner pays for the room.
        let mut first = site.crowd(1, &["--token", &token])?;
        first.says()?;
        let before = site.gateway.cpu_secs()?;
        let mut crowd = site.crowd(viewers, &["--token", &token])?;
        crowd.says()?;
        gateway.push(f64::from(viewers) / (site.gateway.cpu_secs()? - before));
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
