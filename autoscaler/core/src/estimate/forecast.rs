//! Demand at the time when a gateway that is asked for now is ready.

use serde::{Deserialize, Serialize};

use super::demand::Demand;
use super::memory::Memory;
use super::round::Round;
use crate::axis::Axis;
use crate::observed::{Observation, Phase};
use crate::policy::PolicyConfig;

/// Time that reports, the decision and its execution take, in addition to a start.
const REACTION_SECS: f64 = 4.0;
/// Measured starts from which their 90th percentile replaces the policy's value.
const STARTS_MIN: usize = 3;

/// Demand that is forecast for the time when a gateway asked for now would be ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Seconds from the observation to the forecast time.
    pub horizon_secs: f64,
    /// Growth that is extrapolated, in viewers per second; never negative.
    pub growth_per_s: f64,
    /// Viewers at the horizon, at least the present ones.
    pub viewers: f64,
    /// Deliveries, bytes and packets per second at the horizon, for one viewer.
    pub per_viewer: [f64; 3],
    /// Joins per second to provide capacity for.
    pub joins_per_s: f64,
}

impl Forecast {
    /// Makes a forecast, and adds the demand to the memory.
    pub(crate) fn make(round: &Round<'_>, memory: &mut Memory, demand: &Demand) -> Forecast {
        let Round { policy, knee, seen, .. } = *round;
        let config = &policy.forecast;
        memory.viewers.push(round.now(), demand.viewers, config.slow_secs);
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

/// The fast slope shows a spike and its end. Growth smaller than the noise is left to the slow
/// slope.
fn growth_per_s(policy: &PolicyConfig, memory: &Memory, viewers: f64) -> f64 {
    let config = &policy.forecast;
    let fast = memory.viewers.slope(config.fast_secs);
    let slow = memory.viewers.slope(config.slow_secs).max(0.0);
    let noise = config.noise_percent / 100.0 * viewers / config.fast_secs;
    if fast > noise { fast } else { slow.min(noise) }
}

/// The measured 90th percentile of starts, with a margin. A start that is already late counts with
/// its present age.
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
        .filter(|gateway| gateway.phase == Phase::Starting && gateway.age_secs.is_finite())
        .map(|gateway| gateway.age_secs)
        .fold(0.0, f64::max);
    // A start that never ends must not extend the horizon without a bound.
    let late = waiting_for.min(3.0 * measured);
    measured.max(late) * policy.forecast.provision_margin + REACTION_SECS
}
