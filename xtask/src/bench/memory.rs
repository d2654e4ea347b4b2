//! Memory: what an idle viewer costs the gateway, without the kernel's share.

use std::time::Duration;

use serde_json::{Map, json};

use super::ready::sleep;
use super::site::{self, Site};
use super::{against_figures, by_turns, print_figures};
use crate::run::{note, say};

/// For what only the joining needs to be given back.
const SETTLE: Duration = Duration::from_secs(5);

/// Lets viewers in and compares the resident memory before and after; then the same
/// behind TLS.
pub(crate) fn main(viewers: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    note(&format!("{viewers} viewers come in"));
    let plain = per_connection(&Site::start(site::BARRAGE, "memory", "")?, viewers, &[])?;
    note("the same with TLS");
    let site = Site::start_encrypted(site::BARRAGE, "memory")?;
    let tls = per_connection(&site, viewers, &["--tls-ca", &site.certificate()])?;
    if as_json {
        let figures = json!({ "user_bytes_per_connection": plain, "tls_user_bytes_per_connection": tls });
        return say(&figures.to_string());
    }
    say(&format!("{plain} bytes of user memory per idle viewer, {tls} with TLS"))
}

/// Measures this checkout's binary and another by turns.
pub(crate) fn against(other: &str, viewers: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    let mut figures = Map::new();
    let turns =
        by_turns(rounds, other, |binary| per_connection(&Site::start(binary, "memory", "")?, viewers, &[]))?;
    against_figures("user_bytes_per_connection", &turns, &mut figures);
    let turns = by_turns(rounds, other, |binary| {
        let site = Site::start_encrypted(binary, "memory")?;
        per_connection(&site, viewers, &["--tls-ca", &site.certificate()])
    })?;
    against_figures("tls_user_bytes_per_connection", &turns, &mut figures);
    print_figures(&figures, as_json)
}

fn per_connection(site: &Site, viewers: u32, more: &[&str]) -> anyhow::Result<f64> {
    // The room itself, and what the first joins set up once.
    let mut first = site.crowd(100, more)?;
    first.says()?;
    sleep(SETTLE);
    let before = site.gateway.resident_bytes()?;
    let mut crowd = site.crowd(viewers, more)?;
    crowd.says()?;
    sleep(SETTLE);
    Ok(((site.gateway.resident_bytes()? - before) / f64::from(viewers)).round())
}
