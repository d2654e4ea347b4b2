//! Scale-out: cancelled drains first, then new gateways.

use super::constraint::{self, Constraint};
use super::decision::Decision;
use crate::estimate::{Memory, Round, count};

/// Cancels drains, which gives capacity within moments, and creates the rest of the deficit. In
/// panic every drain is cancelled.
pub(crate) fn scale_out(round: &Round<'_>, memory: &mut Memory, deficit: u32, decision: &mut Decision) {
    let Round { policy, seen, census, .. } = *round;
    let mut draining = census.draining.clone();
    draining.sort_by(|a, b| b.connections().total_cmp(&a.connections()).then(a.id.cmp(&b.id)));
    let cancelled = if decision.reason.panic { draining.len() } else { deficit as usize };
    decision.undrain = draining.iter().take(cancelled).map(|gateway| gateway.id.clone()).collect();
    for id in &decision.undrain {
        memory.drains.remove(id);
    }
    let create = deficit.saturating_sub(count(decision.undrain.len()));
    let ceiling = policy.replicas_max.max(seen.replicas);
    decision.replicas = seen.replicas.saturating_add(create).min(ceiling);
    if create > 0 && decision.replicas == policy.replicas_max {
        constraint::add(&mut decision.reason.constraints, Constraint::AtMaximum);
    }
    if decision.reason.panic {
        memory.last_out = None;
    } else if decision.replicas > seen.replicas {
        memory.last_out = Some(round.now());
    }
}
