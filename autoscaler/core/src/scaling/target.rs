//! The number of gateways that should serve: the need with its reserve, after the floor, the
//! ceiling, announced audiences, and fallbacks for missing reports.

use super::constraint::Constraint;
use crate::estimate::{ExpectedLoad, Forecast, Memory, Need, Round, credible};
use crate::schedule::Schedule;

/// Number of gateways that should serve, and the constraints that changed it.
#[derive(Debug)]
pub(crate) struct Target {
    /// The need with its reserve, before any limit.
    pub(crate) raw: u32,
    /// Gateways that should serve, within floor and ceiling.
    pub(crate) wanted: u32,
    /// Gateways that scale-in has to leave: `wanted` with the scale-in margin.
    pub(crate) kept: u32,
    /// Constraints that changed the number, for the decision's reason.
    pub(crate) constraints: Vec<Constraint>,
}

impl Target {
    /// Computes the target; `viewers` are the connected and waiting ones of now.
    pub(crate) fn of(
        round: &Round<'_>,
        memory: &Memory,
        forecast: &Forecast,
        viewers: f64,
        need: &Need,
    ) -> Target {
        let Round { policy, seen, census, .. } = *round;
        let mut constraints = Vec::new();
        let mut need = need.clone();
        if credible(seen.entry).is_none() {
            constraints.push(Constraint::EntryGone);
            need.gateways *= 1.0 + policy.missing.entry_gone_reserve;
        }
        let raw = need.replicas(policy);
        let mut wanted = raw;
        need.gateways *= 1.0 + policy.scale_in.margin_percent / 100.0;
        let spare = need.replicas(policy) - raw;
        if census.blind {
            constraints.push(Constraint::Blind);
            let is_long = memory.blind.is_some_and(|blind| {
                round.now().saturating_sub(blind.since).as_secs_f64() >= policy.missing.fallback_after_secs
            });
            if is_long {
                constraints.push(Constraint::Fallback);
                wanted = wanted.max(policy.missing.fallback_replicas);
            }
        }
        let announced = announced(round, forecast, viewers);
        if announced > wanted {
            constraints.push(Constraint::Schedule);
            wanted = announced;
        }
        if wanted < policy.replicas_min {
            constraints.push(Constraint::AtMinimum);
        } else if wanted > policy.replicas_max {
            constraints.push(Constraint::AtMaximum);
        }
        let within = |replicas: u32| replicas.clamp(policy.replicas_min, policy.replicas_max);
        Target { raw, wanted: within(wanted), kept: within(wanted.saturating_add(spare)), constraints }
    }
}

/// Gateways for announced audiences. They are asked for two horizons before the viewers come.
fn announced(round: &Round<'_>, forecast: &Forecast, viewers: f64) -> u32 {
    let Round { policy, knee, seen, .. } = *round;
    let lead_secs = 2.0 * forecast.horizon_secs;
    let need = |viewers: f64| {
        let load = ExpectedLoad { viewers, per_viewer: forecast.per_viewer, ..ExpectedLoad::default() };
        if viewers > 0.0 { Need::of(policy, knee, &load).replicas(policy) } else { 0 }
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
    // Viewers that are due may be connected already; viewers that are still to come are not.
    let prewarmed = if coming > 0.0 { viewers.max(due) + coming } else { due };
    scheduled.unwrap_or(0).max(need(prewarmed)).max(least)
}
