//! Panic: the crowd is outgrowing what is there.

use crate::capacity::Knee;
use crate::census::{Census, fresh};
use crate::demand::Demand;
use crate::memory::Memory;
use crate::need::Need;
use crate::observation::Observation;
use crate::policy::PolicyConfig;

/// Whether there is reason to panic now; renews the memory's hold.
pub(crate) fn watch(
    policy: &PolicyConfig,
    knee: &Knee,
    memory: &mut Memory,
    census: &Census<'_>,
    demand: &Demand,
    need: &Need,
    seen: &Observation,
) -> bool {
    let panic = &policy.panic;
    let serving = census.serving.len() as f64;
    let outgrown = need.gateways > panic.enter * serving.max(f64::from(policy.replicas_min));
    let over = census
        .serving
        .iter()
        .filter_map(|gateway| fresh(policy, knee, gateway))
        .filter(|report| report.hottest(knee).1 >= 1.0)
        .count();
    let hot = over > 0 && over as f64 >= panic.hot_share * serving;
    let admitted_per_s = serving * knee.joins_per_s * policy.joins.share;
    let waiting = demand.waiting > panic.waiting_secs * admitted_per_s;
    if outgrown || hot || waiting {
        memory.panic_until = Some(seen.now() + std::time::Duration::from_secs_f64(panic.hold_secs));
    }
    memory.is_panic(seen.now())
}
