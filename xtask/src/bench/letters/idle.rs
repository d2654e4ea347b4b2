//! Resident bytes of a conversation that rests, and of a viewer that attaches.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use serde_json::{Map, json};

use super::site::{PUBLIC, Site};
use crate::bench::figures;
use crate::bench::site::admin::sleep;
use crate::bench::site::{Build, Part};
use crate::run::note;

/// Time for memory of the requests themselves to be released, with the caches of five seconds.
const SETTLE: Duration = Duration::from_secs(12);
/// Viewers that attach before the measurement.
const FIRST: u32 = 100;

/// Sizes of the bench.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct IdlePlan {
    /// Conversations of each step.
    #[arg(long, default_value_t = 20_000)]
    conversations: u32,
    /// Viewers that join and then attach.
    #[arg(long, default_value_t = 5_000)]
    viewers: u32,
}

/// Measures both in one process of `barrage up`.
pub(crate) fn idle(build: &Build, plan: IdlePlan, as_json: bool) -> anyhow::Result<()> {
    let IdlePlan { conversations, viewers } = plan;
    ensure!(conversations > 0 && viewers > 0, "give at least one conversation and one viewer");
    let site = Site::start(build, "idle")?;
    let settled = || -> anyhow::Result<f64> {
        sleep(SETTLE);
        site.process.resident_bytes()
    };
    let write = |first: u32, round: u32| {
        let (first, count, round) = (first.to_string(), conversations.to_string(), round.to_string());
        site.part(build, "converse", &["--first", &first, "--count", &count, "--round", &round])
    };
    note(&format!("{conversations} conversations, the same again, and as many new ones"));
    write(0, 0)?;
    let before = settled()?;
    write(0, 1)?;
    let again = settled()?;
    write(conversations, 0)?;
    let new = settled()?;
    note(&format!("{viewers} viewers, first without and then with attach"));
    let key = site.key();
    let open = |first: u32, count: u32| {
        let (first, count) = (first.to_string(), count.to_string());
        let words = ["attach", "--address", PUBLIC, "--key", &key, "--first", &first, "--count", &count];
        Part::start_posting(build, &words)
    };
    let mut warm = open(0, FIRST)?;
    warm.mark()?;
    let mut part = open(FIRST, viewers)?;
    let joined = settled()?;
    part.mark()?;
    let attached = settled()?;
    let mut printed = Map::new();
    let each = |bytes: f64, count: u32| json!((bytes / f64::from(count)).round());
    // Letters leave traces of their own, such as pages of the file: the same letters to old conversations show them.
    printed.insert("bytes_per_conversation".into(), each((new - again) - (again - before), conversations));
    printed.insert("bytes_per_letter_to_an_old_one".into(), each(again - before, conversations));
    printed.insert("bytes_per_letter_to_a_new_one".into(), each(new - again, conversations));
    printed.insert("bytes_per_attached_viewer".into(), each(attached - joined, viewers));
    printed.insert("resident_bytes".into(), json!(attached));
    figures::print(&printed, as_json)
}
