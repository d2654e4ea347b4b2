//! Scale-in: slow, and never while reports are missing.

use std::time::Duration;

use super::constraint::{self, Constraint};
use super::decision::Decision;
use super::drain;
use super::victims::victims;
use crate::estimate::{Memory, Round, count, credible};
use crate::policy::Mode;

/// Removes drained gateways and starts new drains, unless a constraint forbids both.
pub(crate) fn scale_in(round: &Round<'_>, memory: &mut Memory, decision: &mut Decision) {
    let Round { policy, seen, census, .. } = *round;
    let staying = count(census.serving.len() + census.cordoned.len());
    if staying <= decision.reason.wanted && census.draining.is_empty() {
        return;
    }
    let forbidden = forbidden(round);
    if !forbidden.is_empty() {
        let constraints = &mut decision.reason.constraints;
        forbidden.into_iter().for_each(|constraint| constraint::add(constraints, constraint));
        return;
    }
    let spare = seen.replicas.saturating_sub(policy.replicas_min) as usize;
    decision.remove = drain::drained(round, memory);
    decision.remove.truncate(spare);
    decision.replicas = seen.replicas - count(decision.remove.len());
    if staying > decision.reason.wanted {
        start_drains(round, memory, staying, decision);
    }
}

/// Constraints that forbid any scale-in at this moment.
fn forbidden(round: &Round<'_>) -> Vec<Constraint> {
    let Round { policy, seen, census, .. } = *round;
    let blind = census.blind;
    [
        (policy.mode == Mode::ScaleOutOnly, Constraint::ScaleOutOnly),
        (blind, Constraint::Blind),
        (census.silent > 0 && !blind, Constraint::MissingReports),
        (credible(seen.entry).is_none(), Constraint::EntryGone),
        (census.unready > 0 || census.arriving > 0, Constraint::NotReady),
        (seen.rollout, Constraint::Rollout),
    ]
    .into_iter()
    .filter_map(|(holds, constraint)| holds.then_some(constraint))
    .collect()
}

/// Starts the drains that all limits of the policy allow.
fn start_drains(round: &Round<'_>, memory: &mut Memory, staying: u32, decision: &mut Decision) {
    let Round { policy, census, .. } = *round;
    let constraints = &mut decision.reason.constraints;
    let config = &policy.scale_in;
    let now = round.now();
    if memory.kept.span_secs() < config.window_secs - 2.0 * policy.tick_secs {
        return constraint::add(constraints, Constraint::Settling);
    }
    let after_out = Duration::from_secs_f64(config.after_out_secs);
    if memory.last_out.is_some_and(|at| now.saturating_sub(at) < after_out) {
        return constraint::add(constraints, Constraint::AfterOut);
    }
    let highest = memory.kept.max(config.window_secs) as u32;
    if highest > memory.kept.last().unwrap_or(0.0) as u32 {
        constraint::add(constraints, Constraint::Window);
    }
    let mut many = staying.saturating_sub(highest.min(policy.replicas_max));
    let period = Duration::from_secs_f64(config.period_secs);
    memory.drains_begun.retain(|(at, _)| now.saturating_sub(*at) < period);
    let begun: u32 = memory.drains_begun.iter().map(|(_, begun)| begun).sum();
    let step = (config.percent_max / 100.0 * f64::from(staying)).floor().max(1.0) as u32;
    many = limit(many, step.saturating_sub(begun), Constraint::StepLimit, constraints);
    let free = config.draining_max.saturating_sub(count(census.draining.len()));
    many = limit(many, free, Constraint::DrainingLimit, constraints);
    let candidates: Vec<_> = census.serving.iter().chain(&census.cordoned).copied().collect();
    let mut chosen = victims(&candidates, many as usize);
    let admitted = drain::admitted_in_time(round);
    let mut viewers: f64 = census.draining.iter().map(|gateway| gateway.connections()).sum();
    let fits = chosen.iter().take_while(|victim| {
        viewers += victim.connections();
        viewers <= admitted
    });
    let fitting = fits.count();
    if fitting < chosen.len() {
        constraint::add(constraints, Constraint::DrainPace);
        chosen.truncate(fitting);
    }
    for victim in &chosen {
        memory.note_drain(&victim.id, victim.connections(), now);
    }
    if !chosen.is_empty() {
        memory.drains_begun.push((now, count(chosen.len())));
    }
    decision.drain = chosen.into_iter().map(|victim| victim.id.clone()).collect();
}

fn limit(many: u32, most: u32, constraint: Constraint, constraints: &mut Vec<Constraint>) -> u32 {
    if many > most {
        constraint::add(constraints, constraint);
    }
    many.min(most)
}
