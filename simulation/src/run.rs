//! One run of a scenario, and the shortest form of a run that fails.

use std::collections::BTreeSet;

use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::scenario::{Broken, Kind};
use crate::trace::{Lines, Trace};

/// Result of one run.
#[derive(Debug)]
pub struct Run {
    /// Hash over the lines of the run.
    pub hash: u64,
    /// The obligation that was broken, if any.
    pub broken: Option<Broken>,
    /// Events that happened before the end.
    pub events: usize,
    /// Lines about what happened, if they were kept.
    pub lines: Vec<String>,
}

/// Runs a seed whole.
#[must_use]
pub fn run(kind: &Kind, seed: u64, mutation: Option<Mutation>, lines: Lines) -> Run {
    run_without(kind, seed, mutation, &BTreeSet::new(), lines)
}

/// Runs a seed without some of its events.
fn run_without(
    kind: &Kind,
    seed: u64,
    mutation: Option<Mutation>,
    left_out: &BTreeSet<usize>,
    lines: Lines,
) -> Run {
    let mut trace = Trace::new(lines);
    let mut scenario = (kind.start)(&mut Rng::new(seed), mutation);
    let (mut broken, mut events) = (None, 0);
    for event in (0..kind.events).filter(|event| !left_out.contains(event)) {
        events += 1;
        if let Err(found) = scenario.event(&mut Rng::of_event(seed, event), &mut trace) {
            broken = Some(found);
            break;
        }
    }
    if broken.is_none() {
        trace.note(format_args!("no more faults"));
        broken = scenario.settle(&mut trace).err();
    }
    let hash = trace.hash();
    Run { hash, broken, events, lines: trace.into_lines() }
}

/// Runs that [`shorten`] makes at most.
const TRIES_MAX: usize = 600;

/// Finds events that a failing seed does not need, leaves them out, and returns the rest as a run. It
/// still breaks an obligation, perhaps another one.
#[must_use]
pub fn shorten(kind: &Kind, seed: u64, mutation: Option<Mutation>) -> Run {
    let fails = |left_out: &BTreeSet<usize>| {
        run_without(kind, seed, mutation, left_out, Lines::Hashed).broken.is_some()
    };
    let needed = run(kind, seed, mutation, Lines::Hashed).events;
    let mut left_out: BTreeSet<usize> = (needed..kind.events).collect();
    if !fails(&left_out) {
        left_out.clear();
    }
    let mut tries = 0;
    let mut size = needed.div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < needed && tries < TRIES_MAX {
            let chunk = (at..(at + size).min(needed)).filter(|event| !left_out.contains(event));
            let tried: BTreeSet<usize> = left_out.iter().copied().chain(chunk).collect();
            if tried.len() > left_out.len() {
                tries += 1;
                if fails(&tried) {
                    left_out = tried;
                }
            }
            at += size;
        }
        if size == 1 || tries >= TRIES_MAX {
            return run_without(kind, seed, mutation, &left_out, Lines::Kept);
        }
        size /= 2;
    }
}
