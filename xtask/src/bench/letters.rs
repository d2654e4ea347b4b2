//! Letters through a whole server, groups, devices that come back, and what letters cost others.

mod beside;
mod group;
mod idle;
mod site;

use serde_json::{Map, json};

use super::figures::{self, thousandths};
use super::site::Build;
use crate::run::note;

pub(crate) use beside::beside;
pub(crate) use group::{GroupPlan, group};
pub(crate) use idle::{IdlePlan, idle};
use site::Site;

/// Letters as fast as they are accepted, single letters for the rows of each, and letters at an even pace for the
/// time to the receiver's frame.
pub(crate) fn letters(build: &Build, rate: u32, secs: u32, as_json: bool) -> anyhow::Result<()> {
    let site = Site::start(build, "letters")?;
    let secs = secs.to_string();
    note("letters as fast as they are accepted");
    let fast = site.part(build, "letters", &["--secs", &secs])?;
    let before = site.taken()?;
    note("single letters");
    site.part(build, "letters", &["--secs", "3", "--rate", "20", "--connections", "1", "--users", "50"])?;
    let single = site.taken()?;
    note(&format!("{rate} letters a second between 2,000 people, each with an attached device"));
    let load = format!("letters: {{users: 2000, per_s: {rate}, secs: {secs}}}\n");
    let report = site.load(build, "letters", &load)?;
    // The load tester's preparation writes rows as well: these are those of the single letters.
    let rows = (single[1] - before[1]) / (single[0] - before[0]).max(1.0);
    let mut printed = Map::new();
    for key in ["per_s", "accepted_per_s"] {
        printed.insert(key.into(), json!(thousandths(fast[key].as_f64().unwrap_or_default())));
    }
    printed.insert("rate".into(), json!(rate));
    let of_report = [
        ("accept_p50_ms", "post.p50"),
        ("accept_p99_ms", "post.p99"),
        ("p50_ms", "letter.p50"),
        ("p99_ms", "letter.p99"),
        ("lost", "letters.lost"),
        ("tester_lag_p99_ms", "tester.lag.p99"),
    ];
    for (name, figure) in of_report {
        let value = report["figures"][figure].as_f64().map(thousandths);
        printed.insert(name.into(), json!(value));
    }
    printed.insert("rows_per_message".into(), json!(thousandths(rows)));
    figures::print(&printed, as_json)
}

/// Fills an inbox with 100,000 items, and prints the size and the time of a new device's sync.
pub(crate) fn sync(build: &Build, items: u32, as_json: bool) -> anyhow::Result<()> {
    let site = Site::start(build, "sync")?;
    note(&format!("{items} letters in 300 conversations; this takes a minute"));
    let printed = site.part(build, "sync", &["--items", &items.to_string()])?;
    figures::print(&printed, as_json)
}
