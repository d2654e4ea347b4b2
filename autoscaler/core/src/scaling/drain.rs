//! The pace of drains, and their end.

use super::decision::{Move, MoveCause};
use crate::estimate::{Memory, Round};
use crate::observed::{GatewayId, LoadReport, Phase};
use crate::policy::DrainConfig;

/// Part of the deadline within which the other gateways must be able to admit all viewers of a
/// new drain.
const IN_TIME: f64 = 0.8;

/// Joins per second that the serving gateways can admit beyond the present ones.
fn free_joins(round: &Round<'_>) -> f64 {
    let given = round.joins_per_gateway();
    let free = |report: &LoadReport| (given - report.joins_per_s).max(0.0);
    round.census.serving.iter().filter_map(|gateway| gateway.report.as_ref()).map(free).sum()
}

/// Viewers that the other gateways can admit well before the deadline of a drain.
pub(crate) fn admitted_in_time(round: &Round<'_>) -> f64 {
    let drain = &round.policy.drain;
    drain.accept_share * free_joins(round) * drain.moved_in_secs()
}

impl DrainConfig {
    /// Time within which a drain moves all its viewers, in seconds. No drain starts whose viewers
    /// the other gateways cannot admit within it.
    #[must_use]
    pub fn moved_in_secs(&self) -> f64 {
        self.deadline_secs * IN_TIME
    }
}

/// Moves of each drain: its viewers evenly over the spread, and all drains together within the
/// free joins of the other gateways.
pub(crate) fn moves(round: &Round<'_>, memory: &Memory, undrained: &[GatewayId]) -> Vec<Move> {
    let drain_config = &round.policy.drain;
    let mut moves: Vec<Move> = round
        .census
        .draining
        .iter()
        .filter(|gateway| !undrained.contains(&gateway.id) && gateway.connections() > 0.0)
        .filter_map(|gateway| {
            let drain = memory.drains.get(&gateway.id)?;
            let viewers_per_s = drain.viewers.max(gateway.connections()) / drain_config.spread_secs;
            Some(Move { gateway: gateway.id.clone(), viewers_per_s, cause: MoveCause::Drain })
        })
        .collect();
    let all: f64 = moves.iter().map(|one| one.viewers_per_s).sum();
    let allowed = drain_config.accept_share * free_joins(round);
    if all > allowed {
        moves.iter_mut().for_each(|one| one.viewers_per_s *= allowed / all);
    }
    moves
}

/// Draining gateways that have moved their viewers, or whose deadline has passed.
pub(crate) fn drained(round: &Round<'_>, memory: &Memory) -> Vec<GatewayId> {
    let config = &round.policy.drain;
    round
        .census
        .draining
        .iter()
        .filter(|gateway| {
            let Some(drain) = memory.drains.get(&gateway.id) else { return false };
            let elapsed = round.now().saturating_sub(drain.since).as_secs_f64();
            gateway.phase == Phase::Draining
                && (elapsed >= config.deadline_secs || gateway.connections() <= config.left_max)
        })
        .map(|gateway| gateway.id.clone())
        .collect()
}
