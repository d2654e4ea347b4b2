//! Demand: what all viewers need, whether they are connected, moving or waiting.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::memory::{Blind, Memory};
use super::round::Round;
use crate::axis::Axis;
use crate::observed::EntryLoad;

/// Weight of a new sample in the smoothed share of leaving viewers.
const LEAVE_ALPHA: f64 = 0.05;
/// Greatest credible share of viewers that leaves per second: half of them in a minute.
const LEAVE_SHARE_MAX: f64 = 0.01;

/// Demand at the time of an observation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// Number of viewers that are connected or wait at entry.
    pub viewers: f64,
    /// Viewers among them that wait at entry.
    pub waiting: f64,
    /// Joins per second over all gateways; when the fleet is blind, the grants of entry.
    pub joins_per_s: f64,
    /// Deliveries, bytes and packets per second, for one viewer.
    pub per_viewer: [f64; 3],
    /// Processors and bytes of memory, for one connected viewer.
    pub standing: [f64; 2],
}

struct Sums {
    connections: f64,
    joins: f64,
    per_viewer: [f64; 3],
    standing: [f64; 2],
}

impl Demand {
    /// Measures demand, and updates the memory with it.
    pub(crate) fn measure(round: &Round<'_>, memory: &mut Memory) -> Demand {
        let census = round.census;
        let entry = credible(round.seen.entry);
        let waiting = entry.map_or(0.0, |entry| entry.waiting);
        let known = known_viewers(round, memory);
        let sums = sum(round);
        if !census.blind {
            learn(round, memory, &sums);
        }
        let connected = connected(round, memory, known, entry);
        let joins = if census.blind { entry.map_or(0.0, |e| e.granted_per_s) } else { sums.joins };
        let per_viewer = std::array::from_fn(|axis| memory.per_viewer[axis].last().unwrap_or(0.0));
        Demand {
            viewers: connected + waiting,
            waiting,
            joins_per_s: joins,
            per_viewer,
            standing: memory.standing,
        }
    }
}

/// Returns entry's counters, or `None` when one is negative, not finite, or 1e12 or more.
pub(crate) fn credible(entry: Option<EntryLoad>) -> Option<EntryLoad> {
    let is_credible = |x: f64| x.is_finite() && (0.0..1e12).contains(&x);
    entry.filter(|entry| is_credible(entry.waiting) && is_credible(entry.granted_per_s))
}

/// Connected viewers by the last credible report of each gateway, in any phase.
fn known_viewers(round: &Round<'_>, memory: &mut Memory) -> f64 {
    let (seen, now) = (round.seen, round.now());
    for gateway in &seen.gateways {
        if let Some(report) = round.fresh(gateway) {
            memory.known.insert(gateway.id.clone(), (report.connections, now));
        }
    }
    if memory.known.len() > seen.gateways.len() {
        memory.known.retain(|id, _| seen.gateways.iter().any(|gateway| gateway.id == *id));
    }
    let keep = round.policy.missing.keep_secs;
    let counts = |at: Duration| round.census.blind || now.saturating_sub(at).as_secs_f64() <= keep;
    memory.known.values().filter(|(_, at)| counts(*at)).map(|(connections, _)| connections).sum()
}

fn sum(round: &Round<'_>) -> Sums {
    let mut sums = Sums { connections: 0.0, joins: 0.0, per_viewer: [0.0; 3], standing: [0.0; 2] };
    for report in round.seen.gateways.iter().filter_map(|gateway| round.fresh(gateway)) {
        sums.connections += report.connections;
        sums.joins += report.joins_per_s;
        for (sum, axis) in sums.per_viewer.iter_mut().zip(Axis::PER_VIEWER) {
            *sum += report.on(axis);
        }
        sums.standing[0] += report.cpu_cores;
        sums.standing[1] += report.memory_bytes;
    }
    sums
}

fn learn(round: &Round<'_>, memory: &mut Memory, sums: &Sums) {
    let (policy, now) = (round.policy, round.now());
    memory.joins.push(now, sums.joins, policy.joins.window_secs);
    if sums.connections < 1.0 {
        return;
    }
    for (series, sum) in memory.per_viewer.iter_mut().zip(sums.per_viewer) {
        series.push(now, sum / sums.connections, policy.forecast.per_viewer_secs);
    }
    memory.standing = sums.standing.map(|sum| sum / sums.connections);
    let growth = memory.viewers.slope(policy.forecast.fast_secs);
    let leaving = ((sums.joins - growth) / sums.connections).clamp(0.0, LEAVE_SHARE_MAX);
    memory.leave_share += LEAVE_ALPHA * (leaving - memory.leave_share);
}

/// Connected viewers. When blind they are estimated: the last count, plus the viewers that entry
/// granted since, minus the share that usually leaves.
fn connected(round: &Round<'_>, memory: &mut Memory, known: f64, entry: Option<EntryLoad>) -> f64 {
    let now = round.now();
    if !round.census.blind {
        memory.blind = None;
        return known;
    }
    let blind = memory.blind.get_or_insert(Blind { since: now, viewers: known, at: now });
    let secs = now.saturating_sub(blind.at).as_secs_f64();
    let granted = entry.map_or(0.0, |entry| entry.granted_per_s);
    blind.viewers += secs * (granted - memory.leave_share * blind.viewers).max(-blind.viewers);
    blind.viewers = blind.viewers.max(0.0);
    blind.at = now;
    blind.viewers
}
