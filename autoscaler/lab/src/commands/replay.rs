//! `replay`, `explain`, `compare`: decisions over a log of observations.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::{Context, bail};
use barrage_scaling::{Decision, Knee, Memory, Observation, PolicyConfig, decide};
use serde::Serialize;

use crate::cli::{self, Compare, Replay};
use crate::console::print;

/// A line of `replay`: a decision, and how many replicas ran.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at_secs: f64,
    ran: u32,
    decision: &'a Decision,
}

/// Reads a log line by line and decides for each observation. The log may be larger than memory.
fn walk(
    args: &Replay,
    mut each: impl FnMut(&Observation, &Decision) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let policy: PolicyConfig = cli::read_policy(args.config.as_deref())?;
    let knee: Knee = cli::read_knee(args.capacity.as_deref())?;
    let file = File::open(&args.log).with_context(|| format!("cannot read {}", args.log.display()))?;
    let mut memory = Memory::default();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line?;
        let seen: Observation = serde_json::from_str(&line)
            .with_context(|| format!("{}: line {}", args.log.display(), number + 1))?;
        let decision = decide(&policy, &knee, &mut memory, &seen);
        each(&seen, &decision)?;
    }
    Ok(())
}

pub(crate) fn replay(args: &Replay) -> anyhow::Result<()> {
    walk(args, |seen, decision| {
        let line = Line { at_secs: seen.at_secs, ran: seen.replicas, decision };
        print(&serde_json::to_string(&line)?)
    })
}

pub(crate) fn explain(args: &Replay) -> anyhow::Result<()> {
    let mut last = None;
    walk(args, |seen, decision| {
        last = Some((seen.at_secs, decision.clone()));
        Ok(())
    })?;
    let Some((at_secs, decision)) = last else { bail!("the log is empty") };
    print(&format!("At {at_secs:.0} s: {}", barrage_scaling::explain(&decision)))
}

/// Sums over time: replicas that ran, and replicas that the policy asks for.
#[derive(Debug, Default)]
struct Sums {
    secs: f64,
    ran: f64,
    wanted: f64,
    short_secs: f64,
    differing_secs: f64,
}

pub(crate) fn compare(args: &Compare) -> anyhow::Result<()> {
    let mut rows: Vec<(f64, u32, u32)> = Vec::new();
    walk(&args.replay, |seen, decision| {
        rows.push((seen.at_secs, seen.replicas, decision.reason.wanted));
        Ok(())
    })?;
    let Some((end, _, _)) = rows.last().copied() else { bail!("the log is empty") };
    let from = args.since.map_or(f64::NEG_INFINITY, |since| end - since.as_secs_f64());
    let mut sums = Sums::default();
    for pair in rows.windows(2).filter(|pair| pair[0].0 >= from) {
        let (at, ran, wanted) = pair[0];
        let secs = (pair[1].0 - at).max(0.0);
        sums.secs += secs;
        sums.ran += secs * f64::from(ran);
        sums.wanted += secs * f64::from(wanted);
        sums.short_secs += if wanted > ran { secs } else { 0.0 };
        sums.differing_secs += if wanted == ran { 0.0 } else { secs };
    }
    let hours = |secs: f64| secs / 3_600.0;
    print(&format!(
        "{:.2} hours compared.\nRan: {:.1} gateway hours. This policy: {:.1}.\n\
         It asked for more than ran during {:.0} s, for another number during {:.0} s.",
        hours(sums.secs),
        hours(sums.ran),
        hours(sums.wanted),
        sums.short_secs,
        sums.differing_secs
    ))
}
