//! `replay`, `explain`, `compare`: over a log of observations.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::{Context, bail};
use barrage_scaling::{Decision, Knee, Memory, Observation, PolicyConfig, decide};
use serde::Serialize;

use crate::cli::{self, Compare, Replay};

/// A decision with what it was made on.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at_secs: f64,
    ran: u32,
    decision: &'a Decision,
}

/// Reads a log line by line and decides anew; the log may be longer than memory.
fn walk(
    asked: &Replay,
    mut each: impl FnMut(&Observation, &Decision) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let policy: PolicyConfig = cli::read_policy(asked.config.as_deref())?;
    let knee: Knee = cli::read_knee(asked.capacity.as_deref())?;
    let file = File::open(&asked.log).with_context(|| format!("cannot read {}", asked.log.display()))?;
    let mut memory = Memory::default();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line?;
        let seen: Observation = serde_json::from_str(&line)
            .with_context(|| format!("{}: line {}", asked.log.display(), number + 1))?;
        let decision = decide(&policy, &knee, &mut memory, &seen);
        each(&seen, &decision)?;
    }
    Ok(())
}

pub(crate) fn replay(asked: &Replay) -> anyhow::Result<()> {
    walk(asked, |seen, decision| {
        let line = Line { at_secs: seen.at_secs, ran: seen.replicas, decision };
        cli::say(&serde_json::to_string(&line)?)
    })
}

pub(crate) fn explain(asked: &Replay) -> anyhow::Result<()> {
    let mut last = None;
    walk(asked, |seen, decision| {
        last = Some((seen.at_secs, decision.clone()));
        Ok(())
    })?;
    let Some((at_secs, decision)) = last else { bail!("the log is empty") };
    cli::say(&format!("At {at_secs:.0} s: {}", barrage_scaling::explain(&decision)))
}

/// Sums of what ran and of what would have been asked for.
#[derive(Debug, Default)]
struct Sums {
    secs: f64,
    ran: f64,
    asked: f64,
    short_secs: f64,
    apart_secs: f64,
}

pub(crate) fn compare(asked: &Compare) -> anyhow::Result<()> {
    let mut rows: Vec<(f64, u32, u32)> = Vec::new();
    walk(&asked.replay, |seen, decision| {
        rows.push((seen.at_secs, seen.replicas, decision.reason.wanted));
        Ok(())
    })?;
    let Some((end, _, _)) = rows.last().copied() else { bail!("the log is empty") };
    let from = asked.since.map_or(f64::NEG_INFINITY, |since| end - since.as_secs_f64());
    let mut sums = Sums::default();
    for pair in rows.windows(2).filter(|pair| pair[0].0 >= from) {
        let (at, ran, wanted) = pair[0];
        let secs = (pair[1].0 - at).max(0.0);
        sums.secs += secs;
        sums.ran += secs * f64::from(ran);
        sums.asked += secs * f64::from(wanted);
        sums.short_secs += if wanted > ran { secs } else { 0.0 };
        sums.apart_secs += if wanted == ran { 0.0 } else { secs };
    }
    let hours = |secs: f64| secs / 3_600.0;
    cli::say(&format!(
        "{:.2} hours compared.\nRan: {:.1} gateway hours. This policy: {:.1}.\n\
         It asked for more than ran during {:.0} s, for another number during {:.0} s.",
        hours(sums.secs),
        hours(sums.ran),
        hours(sums.asked),
        sums.short_secs,
        sums.apart_secs
    ))
}
