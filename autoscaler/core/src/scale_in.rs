//! Fewer gateways: slowly, and never on doubtful grounds.

use std::time::Duration;

use crate::capacity::Knee;
use crate::census::{Census, count};
use crate::constraint::Constraint;
use crate::decide::push;
use crate::decision::Decision;
use crate::demand;
use crate::drain;
use crate::memory::Memory;
use crate::observation::Observation;
use crate::policy::{Mode, PolicyConfig};
use crate::victims::victims;

/// Lets drained gateways go and begins new drains, if nothing forbids it.
pub(crate) fn scale_in(
    policy: &PolicyConfig,
    knee: &Knee,
    memory: &mut Memory,
    seen: &Observation,
    census: &Census<'_>,
    decision: &mut Decision,
) {
    let staying = count(census.serving.len() + census.cordoned.len());
    if staying <= decision.reason.wanted && census.draining.is_empty() {
        return;
    }
    let forbidden = forbidden(policy, census, seen);
    if !forbidden.is_empty() {
        forbidden.into_iter().for_each(|constraint| push(&mut decision.reason.constraints, constraint));
        return;
    }
    let spare = seen.replicas.saturating_sub(policy.replicas_min) as usize;
    decision.remove = drain::drained(policy, memory, census, seen.now());
    decision.remove.truncate(spare);
    decision.replicas = seen.replicas - count(decision.remove.len());
    if staying > decision.reason.wanted {
        begin(policy, knee, memory, seen, census, staying, decision);
    }
}

/// What forbids any scale-in now.
fn forbidden(policy: &PolicyConfig, census: &Census<'_>, seen: &Observation) -> Vec<Constraint> {
    let blind = census.blind;
    [
        (policy.mode == Mode::ScaleOutOnly, Constraint::ScaleOutOnly),
        (blind, Constraint::Blind),
        (census.silent > 0 && !blind, Constraint::MissingReports),
        (demand::sane(seen.entry).is_none(), Constraint::EntryGone),
        (census.unready > 0 || census.arriving > 0, Constraint::NotReady),
        (seen.rollout, Constraint::Rollout),
    ]
    .into_iter()
    .filter_map(|(holds, constraint)| holds.then_some(constraint))
    .collect()
}

fn begin(
    policy: &PolicyConfig,
    knee: &Knee,
    memory: &mut Memory,
    seen: &Observation,
    census: &Census<'_>,
    staying: u32,
    decision: &mut Decision,
) {
    let constraints = &mut decision.reason.constraints;
    let config = &policy.scale_in;
    let now = seen.now();
    if memory.kept.span_secs() < config.window_secs - 2.0 * policy.tick_secs {
        return push(constraints, Constraint::Settling);
    }
    let after_out = Duration::from_secs_f64(config.after_out_secs);
    if memory.last_out.is_some_and(|at| now.saturating_sub(at) < after_out) {
        return push(constraints, Constraint::AfterOut);
    }
    let highest = memory.kept.max(config.window_secs) as u32;
    if highest > memory.kept.last().unwrap_or(0.0) as u32 {
        push(constraints, Constraint::Window);
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
    let admitted = drain::admitted_in_time(policy, knee, census);
    let mut viewers: f64 = census.draining.iter().map(|gateway| gateway.connections()).sum();
    let fits = chosen.iter().take_while(|victim| {
        viewers += victim.connections();
        viewers <= admitted
    });
    let fitting = fits.count();
    if fitting < chosen.len() {
        push(constraints, Constraint::DrainPace);
        chosen.truncate(fitting);
    }
    for victim in &chosen {
        memory.drain(&victim.id, victim.connections(), now);
    }
    if !chosen.is_empty() {
        memory.drains_begun.push((now, count(chosen.len())));
    }
    decision.drain = chosen.into_iter().map(|victim| victim.id.clone()).collect();
}

fn limit(many: u32, most: u32, constraint: Constraint, constraints: &mut Vec<Constraint>) -> u32 {
    if many > most {
        push(constraints, constraint);
    }
    many.min(most)
}
