//! What the crowd asks for, wherever its viewers are just now.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::capacity::Knee;
use crate::census::{Census, fresh};
use crate::load::EntryLoad;
use crate::memory::{Blind, Memory};
use crate::observation::Observation;
use crate::policy::PolicyConfig;

/// Weight of a new sample in the smoothed share of leaving viewers.
const LEAVE_ALPHA: f64 = 0.05;
/// Fastest leaving that is believed: half of the viewers in a minute.
const LEAVE_SHARE_MAX: f64 = 0.01;

/// Demand now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// Connected and waiting viewers.
    pub viewers: f64,
    /// Those of them that wait at entry.
    pub waiting: f64,
    /// Joins per second.
    pub joins_per_s: f64,
    /// Deliveries, bytes and packets per second and viewer.
    pub per_viewer: [f64; 3],
    /// Processors and bytes of memory per connected viewer.
    pub standing: [f64; 2],
}

struct Sums {
    connections: f64,
    joins: f64,
    per_viewer: [f64; 3],
    standing: [f64; 2],
}

impl Demand {
    /// Measures it; the memory learns.
    pub(crate) fn measure(
        policy: &PolicyConfig,
        knee: &Knee,
        memory: &mut Memory,
        census: &Census<'_>,
        seen: &Observation,
    ) -> Demand {
        let entry = sane(seen.entry);
        let waiting = entry.map_or(0.0, |entry| entry.waiting);
        let known = remember(policy, knee, memory, census, seen);
        let sums = sum(policy, knee, seen);
        if !census.blind {
            learn(policy, memory, &sums, seen);
        }
        let connected = blind_or(memory, census, seen, known, entry);
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

/// Entry's counters when they can be believed.
pub(crate) fn sane(entry: Option<EntryLoad>) -> Option<EntryLoad> {
    let sound = |x: f64| x.is_finite() && (0.0..1e12).contains(&x);
    entry.filter(|entry| sound(entry.waiting) && sound(entry.granted_per_s))
}

/// Connected viewers by each gateway's last believable report, whatever its phase.
fn remember(
    policy: &PolicyConfig,
    knee: &Knee,
    memory: &mut Memory,
    census: &Census<'_>,
    seen: &Observation,
) -> f64 {
    let now = seen.now();
    for gateway in &seen.gateways {
        if let Some(report) = fresh(policy, knee, gateway) {
            memory.known.insert(gateway.id.clone(), (report.connections, now));
        }
    }
    if memory.known.len() > seen.gateways.len() {
        memory.known.retain(|id, _| seen.gateways.iter().any(|gateway| gateway.id == *id));
    }
    let keep = policy.missing.keep_secs;
    let counts = |at: std::time::Duration| census.blind || now.saturating_sub(at).as_secs_f64() <= keep;
    memory.known.values().filter(|(_, at)| counts(*at)).map(|(connections, _)| connections).sum()
}

fn sum(policy: &PolicyConfig, knee: &Knee, seen: &Observation) -> Sums {
    let mut sums = Sums { connections: 0.0, joins: 0.0, per_viewer: [0.0; 3], standing: [0.0; 2] };
    for report in seen.gateways.iter().filter_map(|gateway| fresh(policy, knee, gateway)) {
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

fn learn(policy: &PolicyConfig, memory: &mut Memory, sums: &Sums, seen: &Observation) {
    let now = seen.now();
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

/// When blind, the last figure plus what entry granted less those who will have left.
fn blind_or(
    memory: &mut Memory,
    census: &Census<'_>,
    seen: &Observation,
    known: f64,
    entry: Option<EntryLoad>,
) -> f64 {
    let now = seen.now();
    if !census.blind {
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
