//! Rebalance: after a scale-out, a bounded share of the viewers moves until the skew is small.

use super::decision::{Move, MoveCause};
use crate::estimate::{Census, Memory, Round};

fn mean(census: &Census<'_>) -> f64 {
    let sum: f64 = census.serving.iter().map(|gateway| gateway.connections()).sum();
    sum / census.serving.len().max(1) as f64
}

/// Connections of the fullest serving gateway, divided by the mean; 1 for an empty fleet.
pub(crate) fn skew(census: &Census<'_>) -> f64 {
    let mean = mean(census);
    let most = census.serving.iter().map(|gateway| gateway.connections()).fold(0.0, f64::max);
    if mean > 0.0 { most / mean } else { 1.0 }
}

/// Moves off hot gateways until the next decision.
pub(crate) fn moves(round: &Round<'_>, memory: &mut Memory, panic: bool) -> Vec<Move> {
    let (config, census) = (&round.policy.rebalance, round.census);
    let given_per_gateway = round.joins_per_gateway();
    let skew = skew(census);
    let mean = mean(census);
    memory.rebalancing = skew > config.skew_enter || memory.rebalancing && skew > config.skew_leave;
    if census.blind || config.percent <= 0.0 || skew <= config.skew_leave {
        return Vec::new();
    }
    let mut free = 0.0;
    let mut given = 0.0;
    let mut moves = Vec::new();
    for gateway in &census.serving {
        let Some(report) = round.fresh(gateway) else { continue };
        if report.connections < mean {
            given += given_per_gateway;
            free += (given_per_gateway - report.joins_per_s).max(0.0);
        }
        let (_, used) = report.hottest(round.knee);
        let percent = match used {
            _ if used >= 1.0 => config.over_percent,
            _ if memory.rebalancing && used > config.utilization_min => config.percent,
            _ => continue,
        };
        let surplus = report.connections - mean;
        let viewers_per_s = (percent / 100.0 * report.connections).min(surplus) / config.period_secs;
        if report.connections > config.skew_leave * mean {
            moves.push(Move { gateway: gateway.id.clone(), viewers_per_s, cause: MoveCause::Rebalance });
        }
    }
    if panic && free < config.free_joins_min * given {
        return Vec::new();
    }
    let all: f64 = moves.iter().map(|one| one.viewers_per_s).sum();
    if all > free {
        moves.iter_mut().for_each(|one| one.viewers_per_s *= free / all);
    }
    moves
}
