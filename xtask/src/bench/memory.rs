//! Memory: what an idle viewer costs the gateway, without the kernel's share.

use std::time::Duration;

use serde_json::json;

use super::ready::sleep;
use super::site::{self, Site};
use crate::run::{note, say};

/// For what only the joining needs to be given back.
const SETTLE: Duration = Duration::from_secs(5);

/// Lets viewers in and compares the resident memory before and after.
pub(crate) fn main(viewers: u32, as_json: bool) -> anyhow::Result<()> {
    site::build()?;
    note(&format!("{viewers} viewers come in"));
    let site = Site::start("memory", "")?;
    // The room itself, and what the first joins set up once.
    let mut first = site.crowd(100, &[])?;
    first.says()?;
    sleep(SETTLE);
    let before = site.gateway.resident_bytes()?;
    let mut crowd = site.crowd(viewers, &[])?;
    crowd.says()?;
    sleep(SETTLE);
    let per_connection = ((site.gateway.resident_bytes()? - before) / f64::from(viewers)).round();
    if as_json {
        return say(&json!({ "user_bytes_per_connection": per_connection }).to_string());
    }
    say(&format!("{per_connection} bytes of user memory per idle viewer"))
}
