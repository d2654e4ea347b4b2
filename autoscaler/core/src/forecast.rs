//! What the demand will be when a gateway asked for now is useful.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::capacity::Knee;
use crate::demand::Demand;
use crate::memory::Memory;
use crate::observation::Observation;
use crate::policy::PolicyConfig;

/// From decision to first report: reports, the decision and the order take so long.
const REACTION_SECS: f64 = 4.0;
/// Starts that must have been measured before they count.
const STARTS_MIN: usize = 3;

/// The forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// How far it looks, in seconds.
    pub horizon_secs: f64,
    /// Growth that is extrapolated, viewers per second, never negative.
    pub growth_per_s: f64,
    /// Viewers at the horizon, at least those of now.
    pub viewers: f64,
    /// Deliveries, bytes and packets per second and viewer at the horizon.
    pub per_viewer: [f64; 3],
    /// Joins per second to provide for.
    pub joins_per_s: f64,
}

impl Forecast {
    pub(crate) fn make(
        policy: &PolicyConfig,
        knee: &Knee,
        memory: &mut Memory,
        demand: &Demand,
        seen: &Observation,
    ) -> Forecast {
        let config = &policy.forecast;
        memory.viewers.push(seen.now(), demand.viewers, config.slow_secs);
        let growth = growth_per_s(policy, memory, demand.viewers);
        let horizon_secs = horizon_secs(policy, seen);
        let ceiling = config.growth_max * demand.viewers + knee.of(Axis::Connections);
        let per_viewer = std::array::from_fn(|axis| {
            let series = &memory.per_viewer[axis];
            let now = demand.per_viewer[axis].max(series.mean(config.per_viewer_secs));
            let more = series.slope(config.fast_secs).max(0.0) * config.per_viewer_ahead_secs;
            now + more.min(now)
        });
        let joins = memory.joins.max(policy.joins.window_secs).max(demand.joins_per_s);
        Forecast {
            horizon_secs,
            growth_per_s: growth,
            viewers: demand.viewers + (growth * horizon_secs).min(ceiling),
            per_viewer,
            joins_per_s: joins + demand.waiting / policy.joins.clear_secs,
        }
    }
}

/// A spike shows in the fast slope, its end too; anything smaller than the noise is
/// left to the slow one.
fn growth_per_s(policy: &PolicyConfig, memory: &Memory, viewers: f64) -> f64 {
    let config = &policy.forecast;
    let fast = memory.viewers.slope(config.fast_secs);
    let slow = memory.viewers.slope(config.slow_secs).max(0.0);
    let noise = config.noise_percent / 100.0 * viewers / config.fast_secs;
    if fast > noise { fast } else { slow.min(noise) }
}

/// The measured 90th percentile of starts, with a margin; a start that is late already
/// counts as one that took so long.
pub(crate) fn horizon_secs(policy: &PolicyConfig, seen: &Observation) -> f64 {
    let mut starts: Vec<f64> =
        seen.provision_secs.iter().copied().filter(|secs| secs.is_finite() && *secs >= 0.0).collect();
    starts.sort_by(f64::total_cmp);
    let measured = match starts.len() {
        0..STARTS_MIN => policy.forecast.provision_secs,
        many => starts[(many * 9).div_ceil(10) - 1],
    };
    let waiting_for = seen
        .gateways
        .iter()
        .filter(|gateway| gateway.phase == crate::load::Phase::Starting && gateway.age_secs.is_finite())
        .map(|gateway| gateway.age_secs)
        .fold(0.0, f64::max);
    // A start that never ends must not stretch the horizon for ever.
    let late = waiting_for.min(3.0 * measured);
    measured.max(late) * policy.forecast.provision_margin + REACTION_SECS
}
