//! The decision: an observation in, a decision out. No I/O, no clock, no chance.

use super::decision::{Decision, Reason};
use super::target::Target;
use super::{Constraint, drain, rebalance, scale_in, scale_out};
use crate::capacity::Knee;
use crate::estimate::{Census, Demand, ExpectedLoad, Forecast, Memory, Need, Round, count, is_panic};
use crate::observed::{GatewayId, Observation, ObservedGateway, Phase};
use crate::policy::{Mode, PolicyConfig};

/// Time after which a drain that was decided and is not observed counts as not started.
const START_SECS: f64 = 10.0;

/// Decides. The same function runs in the controller, in `barrage up --autoscale`, in the
/// simulator, in the property tests and in a replay. Equal inputs and memories give equal
/// decisions.
#[must_use]
pub fn decide(policy: &PolicyConfig, knee: &Knee, memory: &mut Memory, seen: &Observation) -> Decision {
    update_drains(memory, seen);
    let census = Census::take(policy, knee, memory, seen);
    let round = Round { policy, knee, seen, census: &census };
    let demand = Demand::measure(&round, memory);
    let forecast = Forecast::make(&round, memory, &demand);
    let need = Need::of(
        policy,
        knee,
        &ExpectedLoad {
            viewers: forecast.viewers,
            per_viewer: forecast.per_viewer,
            connected: demand.viewers,
            standing: demand.standing,
            joins_per_s: forecast.joins_per_s,
        },
    );
    let panic = is_panic(&round, memory, &demand, &need);
    let target = Target::of(&round, memory, &forecast, demand.viewers, &need);
    memory.kept.push(round.now(), f64::from(target.kept), policy.scale_in.window_secs);
    let mut decision = Decision {
        replicas: seen.replicas,
        drain: Vec::new(),
        undrain: Vec::new(),
        remove: Vec::new(),
        moves: Vec::new(),
        shut: Vec::new(),
        reason: Reason {
            demand,
            forecast,
            need,
            raw: target.raw,
            wanted: target.wanted,
            serving: count(census.serving.len()),
            arriving: census.arriving,
            draining: count(census.draining.len()),
            silent: census.silent,
            skew: rebalance::skew(&census),
            panic,
            constraints: target.constraints,
        },
    };
    match policy.mode {
        Mode::Paused => decision.reason.constraints.push(Constraint::Paused),
        Mode::Active | Mode::DryRun | Mode::ScaleOutOnly => act(&round, memory, &mut decision),
    }
    decision
}

fn act(round: &Round<'_>, memory: &mut Memory, decision: &mut Decision) {
    let deficit = decision.reason.wanted.saturating_sub(round.census.supply());
    if deficit > 0 || decision.reason.panic {
        scale_out::scale_out(round, memory, deficit, decision);
    } else {
        scale_in::scale_in(round, memory, decision);
    }
    decision.moves = drain::moves(round, memory, &decision.undrain);
    decision.moves.extend(rebalance::moves(round, memory, decision.reason.panic));
    if decision.reason.panic {
        let is_over = |gateway: &&ObservedGateway| {
            round.fresh(gateway).is_some_and(|report| report.hottest(round.knee).1 >= 1.0)
        };
        let over = round.census.serving.iter().copied().filter(is_over);
        decision.shut = over.map(|gateway| gateway.id.clone()).collect();
    }
}

/// Adopts drains that another program began; drops drains that are over or never began.
fn update_drains(memory: &mut Memory, seen: &Observation) {
    let now = seen.now();
    for gateway in seen.gateways.iter().filter(|gateway| gateway.phase == Phase::Draining) {
        memory.note_drain(&gateway.id, gateway.connections(), now);
    }
    if memory.drains.is_empty() {
        return;
    }
    let phase = |id: &GatewayId| seen.gateways.iter().find(|g| g.id == *id).map(|gateway| gateway.phase);
    memory.drains.retain(|id, drain| match phase(id) {
        Some(Phase::Draining) => true,
        Some(Phase::Ready) => now.saturating_sub(drain.since).as_secs_f64() < START_SECS,
        Some(Phase::Starting | Phase::Unready | Phase::Ending) | None => false,
    });
}
