//! What letters cost rooms: gifts and their deliveries by turns without and with letters on the same server.

use anyhow::{Context, ensure};
use serde_json::{Map, json};

use super::site::{PUBLIC, Site};
use crate::bench::figures::{self, median, thousandths};
use crate::bench::site::admin::sleep;
use crate::bench::site::{Build, Part, ROOM, Readers};
use crate::run::{command, note};

/// Gifts that are posted in a second.
const GIFTS_PER_S: &str = "50";
/// Viewers of the room, whose deliveries are timed.
const VIEWERS: u32 = 200;
/// Text before the time of a gift.
const TIME_KEY: &str = "at=";
/// Time for the letters to reach their rate, before a measurement.
const WARM_UP: std::time::Duration = std::time::Duration::from_secs(2);

/// Posts gifts, and measures their answers and deliveries by turns without and with letters.
pub(crate) fn beside(build: &Build, rate: u32, secs: u32, rounds: u32, as_json: bool) -> anyhow::Result<()> {
    ensure!(rounds > 0, "give at least one round");
    let site = Site::start(build, "beside")?;
    make_room(build, &site)?;
    let token = mint(build, &site)?;
    let mut viewers = Readers::open(build, PUBLIC, VIEWERS, 1, &["--one-in", "1", "--time-key", TIME_KEY])?;
    let url = format!("http://{PUBLIC}");
    let words =
        ["posts", "--url", &url, "--token", &token, "--room", ROOM, "--per-s", GIFTS_PER_S, "--gifts"];
    let mut gifts = Part::start_posting(build, &[&words[..], &["--time-key", TIME_KEY]].concat())?;
    let (mut accept, mut deliver, mut letters_per_s) = ([vec![], vec![]], [vec![], vec![]], Vec::new());
    for round in 1..=rounds {
        // Each is first in every other round: both meet the same load from the rest of the machine.
        let turns = if round % 2 == 0 { [1, 0] } else { [0, 1] };
        for with in turns {
            let letters = if with == 1 { Some(letters(build, &site, rate, secs)?) } else { None };
            sleep(WARM_UP);
            gifts.mark()?;
            viewers.mark()?;
            sleep(std::time::Duration::from_secs(secs.into()));
            let (posted, read) = (gifts.mark()?, viewers.mark()?);
            ensure!(posted["failed"] == 0, "gifts failed: {}", posted["last_error"]);
            accept[with].push(posted["p99_ms"].as_f64().context("no gift was answered")?);
            deliver[with].push(read.p99_ms);
            if let Some(mut letters) = letters {
                letters_per_s.push(letters.mark()?["accepted_per_s"].as_f64().unwrap_or_default());
            }
        }
        note(&format!(
            "round {round} of {rounds}: gifts p99 {accept:.1?} ms, deliveries p99 {deliver:.1?} ms"
        ));
    }
    let mut printed = Map::new();
    let mut figure = |name: String, value: f64| printed.insert(name, json!(thousandths(value)));
    figure("letters_per_s".into(), median(&mut letters_per_s));
    for (name, [without, with]) in [("gift_p99", &mut accept), ("delivery_p99", &mut deliver)] {
        let (without, with) = (median(without), median(with));
        figure(format!("{name}_ms_without"), without);
        figure(format!("{name}_ms_with"), with);
        figure(format!("{name}_ratio"), with / without);
    }
    figures::print(&printed, as_json)
}

/// Starts letters at a pace, which go on for longer than a measurement.
fn letters(build: &Build, site: &Site, rate: u32, secs: u32) -> anyhow::Result<Part> {
    let (key, rate, secs) = (site.key(), rate.to_string(), (secs + 4).to_string());
    let words = ["letters", "--address", PUBLIC, "--key", &key, "--rate", &rate, "--secs", &secs];
    Part::start_posting(build, &[&words[..], &["--users", "2000", "--announce"]].concat())
}

/// Makes the room through the admin API.
fn make_room(build: &Build, site: &Site) -> anyhow::Result<()> {
    let admin = format!("http://{}", super::site::ADMIN);
    let mut made = command(&build.barrage(), &["room", "set", ROOM, "--admin", &admin, "--data-dir"]);
    made.arg(site.data()).stdout(std::process::Stdio::null());
    ensure!(made.status()?.success(), "the room of the gifts was not made");
    Ok(())
}

/// Mints the token of a sender of gifts.
fn mint(build: &Build, site: &Site) -> anyhow::Result<String> {
    let words = ["token", "--user", "payments", "--room", "*", "--role", "host", "--data-dir"];
    let output = command(&build.barrage(), &words).arg(site.data()).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
