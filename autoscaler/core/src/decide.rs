//! The decision: reports in, orders out. No I/O, no clock, no chance.

use crate::alarm;
use crate::capacity::Knee;
use crate::census::{Census, count, fresh};
use crate::constraint::Constraint;
use crate::decision::{Decision, Reason};
use crate::demand::{self, Demand};
use crate::drain;
use crate::forecast::Forecast;
use crate::load::{GatewayId, Phase};
use crate::memory::Memory;
use crate::need::Need;
use crate::observation::Observation;
use crate::policy::{Mode, PolicyConfig};
use crate::rebalance;
use crate::scale_in;
use crate::schedule::Schedule;

/// A drain that was ordered and is not seen after this long was not carried out.
const ORDER_SECS: f64 = 10.0;

/// Decides. The same function runs in the controller, the local twin, the simulator,
/// the property tests and a replay; equal inputs and memories give equal decisions.
#[must_use]
pub fn decide(policy: &PolicyConfig, knee: &Knee, memory: &mut Memory, seen: &Observation) -> Decision {
    tidy_drains(memory, seen);
    let census = Census::take(policy, knee, memory, seen);
    let demand = Demand::measure(policy, knee, memory, &census, seen);
    let forecast = Forecast::make(policy, knee, memory, &demand, seen);
    let need = Need::of(
        policy,
        knee,
        forecast.viewers,
        forecast.per_viewer,
        demand.viewers,
        demand.standing,
        forecast.joins_per_s,
    );
    let panic = alarm::watch(policy, knee, memory, &census, &demand, &need, seen);
    let mut constraints = Vec::new();
    let viewers = demand.viewers;
    let (raw, wanted, kept) =
        wanted(policy, knee, memory, seen, &census, &forecast, viewers, &need, &mut constraints);
    memory.kept.push(seen.now(), f64::from(kept), policy.scale_in.window_secs);
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
            raw,
            wanted,
            serving: count(census.serving.len()),
            arriving: census.arriving,
            draining: count(census.draining.len()),
            silent: census.silent,
            skew: rebalance::skew(&census),
            panic,
            constraints,
        },
    };
    match policy.mode {
        Mode::Paused => decision.reason.constraints.push(Constraint::Paused),
        Mode::Active | Mode::DryRun | Mode::ScaleOutOnly => {
            act(policy, knee, memory, seen, &census, &mut decision);
        }
    }
    decision
}

fn act(
    policy: &PolicyConfig,
    knee: &Knee,
    memory: &mut Memory,
    seen: &Observation,
    census: &Census<'_>,
    decision: &mut Decision,
) {
    let deficit = decision.reason.wanted.saturating_sub(census.supply());
    if deficit > 0 || decision.reason.panic {
        scale_out(policy, memory, seen, census, deficit, decision);
    } else {
        scale_in::scale_in(policy, knee, memory, seen, census, decision);
    }
    decision.moves = drain::moves(policy, knee, memory, census, &decision.undrain);
    decision.moves.extend(rebalance::moves(policy, knee, memory, census, decision.reason.panic));
    if decision.reason.panic {
        let over = |id: &&crate::load::ObservedGateway| {
            fresh(policy, knee, id).is_some_and(|report| report.hottest(knee).1 >= 1.0)
        };
        decision.shut = census.serving.iter().copied().filter(over).map(|g| g.id.clone()).collect();
    }
}

/// Drains are called off first: that is capacity in a moment. The rest is created.
fn scale_out(
    policy: &PolicyConfig,
    memory: &mut Memory,
    seen: &Observation,
    census: &Census<'_>,
    deficit: u32,
    decision: &mut Decision,
) {
    let mut back = census.draining.clone();
    back.sort_by(|a, b| b.connections().total_cmp(&a.connections()).then(a.id.cmp(&b.id)));
    let wanted_back = if decision.reason.panic { back.len() } else { deficit as usize };
    decision.undrain = back.iter().take(wanted_back).map(|gateway| gateway.id.clone()).collect();
    for id in &decision.undrain {
        memory.drains.remove(id);
    }
    let create = deficit.saturating_sub(count(decision.undrain.len()));
    let ceiling = policy.replicas_max.max(seen.replicas);
    decision.replicas = seen.replicas.saturating_add(create).min(ceiling);
    if create > 0 && decision.replicas == policy.replicas_max {
        push(&mut decision.reason.constraints, Constraint::AtMaximum);
    }
    if decision.reason.panic {
        memory.last_out = None;
    } else if decision.replicas > seen.replicas {
        memory.last_out = Some(seen.now());
    }
}

/// The need with its reserve, what is wanted of it, and what scale-in must leave.
#[allow(clippy::too_many_arguments)]
fn wanted(
    policy: &PolicyConfig,
    knee: &Knee,
    memory: &Memory,
    seen: &Observation,
    census: &Census<'_>,
    forecast: &Forecast,
    viewers: f64,
    need: &Need,
    constraints: &mut Vec<Constraint>,
) -> (u32, u32, u32) {
    let mut need = need.clone();
    if demand::sane(seen.entry).is_none() {
        constraints.push(Constraint::EntryGone);
        need.gateways *= 1.0 + policy.missing.entry_gone_reserve;
    }
    let raw = need.replicas(policy);
    let mut wanted = raw;
    need.gateways *= 1.0 + policy.scale_in.margin_percent / 100.0;
    let spare = need.replicas(policy) - raw;
    if census.blind {
        constraints.push(Constraint::Blind);
        let long = memory.blind.is_some_and(|blind| {
            seen.now().saturating_sub(blind.since).as_secs_f64() >= policy.missing.fallback_after_secs
        });
        if long {
            constraints.push(Constraint::Fallback);
            wanted = wanted.max(policy.missing.fallback_replicas);
        }
    }
    let known = announced(policy, knee, seen, forecast, viewers);
    if known > wanted {
        constraints.push(Constraint::Schedule);
        wanted = known;
    }
    if wanted < policy.replicas_min {
        constraints.push(Constraint::AtMinimum);
    } else if wanted > policy.replicas_max {
        constraints.push(Constraint::AtMaximum);
    }
    let within = |replicas: u32| replicas.clamp(policy.replicas_min, policy.replicas_max);
    (raw, within(wanted), within(wanted.saturating_add(spare)))
}

/// The floor that known crowds ask for: gateways are there one start before them. `viewers`
/// are there now.
fn announced(
    policy: &PolicyConfig,
    knee: &Knee,
    seen: &Observation,
    forecast: &Forecast,
    viewers: f64,
) -> u32 {
    let lead_secs = 2.0 * forecast.horizon_secs;
    let need = |viewers: f64| {
        let need = Need::of(policy, knee, viewers, forecast.per_viewer, 0.0, [0.0; 2], 0.0);
        if viewers > 0.0 { need.replicas(policy) } else { 0 }
    };
    let active = |schedule: &&Schedule| schedule.is_active(seen.now(), lead_secs);
    let schedules = policy.schedules.iter().filter(active);
    let scheduled = schedules.map(|schedule| need(schedule.viewers).max(schedule.replicas_min)).max();
    let mut least = 0;
    let (mut coming, mut due) = (0.0, 0.0);
    for prewarm in seen.prewarms.iter().filter(active) {
        least = least.max(prewarm.replicas_min);
        match prewarm.is_active(seen.now(), 0.0) {
            true => due += prewarm.viewers,
            false => coming += prewarm.viewers,
        }
    }
    // Who is due may be there already; who is to come is not.
    let prewarmed = if coming > 0.0 { viewers.max(due) + coming } else { due };
    scheduled.unwrap_or(0).max(need(prewarmed)).max(least)
}

/// Adopts drains that somebody else began, forgets those that are over or were never
/// carried out.
fn tidy_drains(memory: &mut Memory, seen: &Observation) {
    let now = seen.now();
    for gateway in seen.gateways.iter().filter(|gateway| gateway.phase == Phase::Draining) {
        memory.drain(&gateway.id, gateway.connections(), now);
    }
    if memory.drains.is_empty() {
        return;
    }
    let phase = |id: &GatewayId| seen.gateways.iter().find(|g| g.id == *id).map(|gateway| gateway.phase);
    memory.drains.retain(|id, drain| match phase(id) {
        Some(Phase::Draining) => true,
        Some(Phase::Ready) => now.saturating_sub(drain.since).as_secs_f64() < ORDER_SECS,
        Some(Phase::Starting | Phase::Unready | Phase::Ending) | None => false,
    });
}

pub(crate) fn push(constraints: &mut Vec<Constraint>, constraint: Constraint) {
    if !constraints.contains(&constraint) {
        constraints.push(constraint);
    }
}
