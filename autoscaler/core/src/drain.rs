//! Draining: how fast viewers move, and when the gateway may go.

use std::time::Duration;

use crate::capacity::Knee;
use crate::census::Census;
use crate::decision::{Move, MoveCause};
use crate::load::GatewayId;
use crate::memory::Memory;
use crate::policy::{DrainConfig, PolicyConfig};

/// Part of the deadline within which a drain must be able to end when it begins.
const IN_TIME: f64 = 0.8;

/// Joins per second that the serving gateways could take beside those they take now.
fn free_joins(policy: &PolicyConfig, knee: &Knee, census: &Census<'_>) -> f64 {
    let given = knee.joins_per_s * policy.joins.share;
    let taken = |report: &crate::load::LoadReport| (given - report.joins_per_s).max(0.0);
    census.serving.iter().filter_map(|gateway| gateway.report.as_ref()).map(taken).sum()
}

/// Viewers that the others would admit well before a drain's deadline.
pub(crate) fn admitted_in_time(policy: &PolicyConfig, knee: &Knee, census: &Census<'_>) -> f64 {
    let pace = policy.drain.accept_share * free_joins(policy, knee, census);
    pace * policy.drain.moved_in_secs()
}

impl DrainConfig {
    /// Time within which a drain moves all its viewers: no drain begins whose viewers the
    /// others could not admit within it.
    #[must_use]
    pub fn moved_in_secs(&self) -> f64 {
        self.deadline_secs * IN_TIME
    }
}

/// The pace of each drain: evenly over the spread, all together within the others'
/// free joins.
pub(crate) fn moves(
    policy: &PolicyConfig,
    knee: &Knee,
    memory: &Memory,
    census: &Census<'_>,
    undrained: &[GatewayId],
) -> Vec<Move> {
    let mut moves: Vec<Move> = census
        .draining
        .iter()
        .filter(|gateway| !undrained.contains(&gateway.id) && gateway.connections() > 0.0)
        .filter_map(|gateway| {
            let drain = memory.drains.get(&gateway.id)?;
            let viewers_per_s = drain.viewers.max(gateway.connections()) / policy.drain.spread_secs;
            Some(Move { gateway: gateway.id.clone(), viewers_per_s, cause: MoveCause::Drain })
        })
        .collect();
    let all: f64 = moves.iter().map(|one| one.viewers_per_s).sum();
    let allowed = policy.drain.accept_share * free_joins(policy, knee, census);
    if all > allowed {
        moves.iter_mut().for_each(|one| one.viewers_per_s *= allowed / all);
    }
    moves
}

/// Gateways that have moved their viewers, or had their time.
pub(crate) fn drained(
    policy: &PolicyConfig,
    memory: &Memory,
    census: &Census<'_>,
    now: Duration,
) -> Vec<GatewayId> {
    census
        .draining
        .iter()
        .filter(|gateway| {
            let Some(drain) = memory.drains.get(&gateway.id) else { return false };
            let late = now.saturating_sub(drain.since).as_secs_f64() >= policy.drain.deadline_secs;
            gateway.phase == crate::load::Phase::Draining
                && (late || gateway.connections() <= policy.drain.left_max)
        })
        .map(|gateway| gateway.id.clone())
        .collect()
}
