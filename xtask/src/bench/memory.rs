//! Memory: resident bytes of the gateway per idle viewer, without the kernel's share.

use std::time::Duration;

use serde_json::{Map, json};

use super::figures::{self, ByTurns};
use super::site::admin::sleep;
use super::site::{Build, Gateway};
use crate::run::{note, say};

/// Time for memory of the joins themselves to be released.
const SETTLE: Duration = Duration::from_secs(5);
/// Viewers before the first reading: they open the room and fill the caches.
const FIRST: u32 = 100;

/// Measures idle viewers without and with TLS.
pub(crate) fn alone(build: &Build, viewers: u32, as_json: bool) -> anyhow::Result<()> {
    note(&format!("{viewers} idle viewers"));
    let plain = plain(build, &build.barrage(), viewers)?;
    note(&format!("{viewers} idle viewers with TLS"));
    let tls = encrypted(build, &build.barrage(), viewers)?;
    if as_json {
        let figures = json!({ "user_bytes_per_connection": plain, "tls_user_bytes_per_connection": tls });
        return say(&figures.to_string());
    }
    say(&format!("{plain} bytes of user memory per idle viewer, {tls} with TLS"))
}

/// Measures this checkout's binary by turns with another one.
pub(crate) fn against(
    build: &Build,
    other: &str,
    viewers: u32,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let (ours, mut figures) = (build.barrage(), Map::new());
    ByTurns::measure(rounds, &ours, other, |binary| plain(build, binary, viewers))?
        .add_to(&mut figures, "user_bytes_per_connection");
    ByTurns::measure(rounds, &ours, other, |binary| encrypted(build, binary, viewers))?
        .add_to(&mut figures, "tls_user_bytes_per_connection");
    figures::print(&figures, as_json)
}

fn plain(build: &Build, binary: &str, viewers: u32) -> anyhow::Result<f64> {
    per_connection(&Gateway::start(build, binary, "memory", "")?, viewers, &[])
}

fn encrypted(build: &Build, binary: &str, viewers: u32) -> anyhow::Result<f64> {
    let gateway = Gateway::start_encrypted(build, binary, "memory", "")?;
    per_connection(&gateway, viewers, &["--tls-ca", &gateway.certificate()])
}

fn per_connection(gateway: &Gateway<'_>, viewers: u32, more: &[&str]) -> anyhow::Result<f64> {
    let _first = gateway.viewers(FIRST, more)?;
    sleep(SETTLE);
    let before = gateway.process.resident_bytes()?;
    let _viewers = gateway.viewers(viewers, more)?;
    sleep(SETTLE);
    Ok(((gateway.process.resident_bytes()? - before) / f64::from(viewers)).round())
}
