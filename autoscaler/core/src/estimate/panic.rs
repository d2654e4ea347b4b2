//! Panic mode: when demand outgrows the fleet, no gateway drains until demand has settled.

use std::time::Duration;

use super::demand::Demand;
use super::memory::Memory;
use super::need::Need;
use super::round::Round;

/// Whether the fleet is in panic. Each reason for panic renews the hold in the memory.
pub(crate) fn is_panic(round: &Round<'_>, memory: &mut Memory, demand: &Demand, need: &Need) -> bool {
    let panic = &round.policy.panic;
    let serving = round.census.serving.len() as f64;
    let outgrown = need.gateways > panic.enter * serving.max(f64::from(round.policy.replicas_min));
    let over = round
        .census
        .serving
        .iter()
        .filter_map(|gateway| round.fresh(gateway))
        .filter(|report| report.hottest(round.knee).1 >= 1.0)
        .count();
    let hot = over > 0 && over as f64 >= panic.hot_share * serving;
    let admitted_per_s = serving * round.joins_per_gateway();
    let waiting = demand.waiting > panic.waiting_secs * admitted_per_s;
    if outgrown || hot || waiting {
        memory.panic_until = Some(round.now() + Duration::from_secs_f64(panic.hold_secs));
    }
    memory.is_panic(round.now())
}
