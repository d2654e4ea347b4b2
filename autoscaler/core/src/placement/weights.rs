//! Entry's weights: the share of newcomers that each gateway is offered. Entry computes them alone,
//! from load reports; the autoscaler only adds factors that lapse.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_part::part;
use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::capacity::Knee;
use crate::observed::{GatewayId, LoadReport, ObservedGateway, Phase};
use crate::problem::Problem;

part! {
    /// Entry's weights and grants.
    pub struct WeightsConfig {
        /// Utilisation at which the headroom is 0. Default 0.95.
        full_at: f64 = 0.95, SHARE;
        /// Estimated utilisation at which a gateway is shut to newcomers. Default 0.98.
        shut_at: f64 = 0.98, POSITIVE;
        /// Estimated utilisation under which it opens again, after three ticks. Default 0.92.
        open_at: f64 = 0.92, SHARE;
        /// Weight of a new figure while the load grows. Default 0.7: fast.
        up_alpha: f64 = 0.7, SHARE;
        /// Weight of a new figure while the load falls. Default 0.2: slow.
        down_alpha: f64 = 0.2, SHARE;
        /// Target of the push latency; slower gateways weigh less. Default 250.
        push_p99_ms: f64 = 250.0, POSITIVE;
        /// Time over which a new gateway reaches its full weight. Default 15.
        slow_start_secs: f64 = 15.0, POSITIVE;
        /// Period of the reports. A report older than twice this weighs less; at six times it
        /// weighs nothing. Default 1.
        report_secs: f64 = 1.0, POSITIVE;
        /// Share of silent gateways above which the reports must be failing: the last weights stay,
        /// half flattened. Default 0.5.
        blind_share: f64 = 0.5, SHARE;
        /// Share of young gateways above which weights are squared, so that new gateways fill
        /// faster. Default 0.2.
        young_share: f64 = 0.2, SHARE;
        /// Age up to which a gateway is young. Default 60.
        young_secs: f64 = 60.0, POSITIVE;
        /// Share of the join knee that is granted per second; the rest is for bursts. Default 0.8.
        grant_share: f64 = 0.8, SHARE;
        /// Mean stay of a viewer: while a report is old, estimates fade at this rate. Default 1800.
        stay_secs: f64 = 1_800.0, POSITIVE;
        /// Time after which a factor of the autoscaler lapses. Default 30.
        factor_secs: f64 = 30.0, POSITIVE;
    }
}

/// Least share of a weight that latency or youth leaves: a gateway without newcomers could not show
/// that it has recovered.
const SHARE_MIN: f64 = 0.1;
/// Ticks under `open_at` after which a shut gateway opens.
const OPEN_TICKS: u32 = 3;
/// Share of the fleet's knees under which the load is not attributed to viewers: an idle process
/// uses memory, too.
const FEW_SHARE: f64 = 0.05;

impl WeightsConfig {
    /// Returns every value outside of its range, with its key below `weights`.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.out_of_range("weights")
    }

    /// Joins per second that one of `entries` replicas may grant on a gateway with this join knee.
    #[must_use]
    pub fn grants_per_s(&self, joins_per_s: f64, entries: u32) -> f64 {
        joins_per_s * self.grant_share / f64::from(entries.max(1))
    }

    /// Length of a burst, in seconds of grants: with it, one second brings at most the whole knee.
    #[must_use]
    pub fn burst_secs(&self) -> f64 {
        (1.0 - self.grant_share) / self.grant_share
    }
}

/// A gateway that newcomers may be sent to.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// State and newest report of the gateway.
    pub load: ObservedGateway,
    /// Knee of the gateway: gateways may differ.
    pub knee: Knee,
}

/// Weight of a gateway for newcomers, and its basis. `weight` is in viewers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    /// The weight; with 0 no viewer is sent.
    pub weight: f64,
    /// Estimated utilisation, including this entry's own grants.
    pub estimate: f64,
    /// Viewers that this entry replica may still send until the gateway is at its knee, independent
    /// of the weight.
    pub room: f64,
    /// Viewers among those that it may send before the next tick, within the joins of one second.
    pub seats: f64,
}

#[derive(Debug, Clone, Default)]
struct Known {
    smooth: Option<f64>,
    shut: bool,
    calm_ticks: u32,
    /// Granted viewers by their join time, until a report includes them.
    granted: Vec<(Duration, f64)>,
    factor: Option<(f64, Duration)>,
    joined: Option<Duration>,
    report_at: Option<Duration>,
}

/// The weights of one entry replica. Memory is bounded by twice the gateways of the last tick; the
/// grants of a gateway are bounded by the join times since its last report, at most [`GRANTS_MAX`],
/// beyond which the two oldest are merged.
#[derive(Debug, Clone)]
pub struct Weigher {
    config: WeightsConfig,
    gateways: BTreeMap<GatewayId, Known>,
    blind: bool,
}

/// Most join times of grants that are kept for one gateway.
pub const GRANTS_MAX: usize = 600;

impl Weigher {
    /// Returns a weigher that knows no gateway; the first tick adds the gateways.
    #[must_use]
    pub fn new(config: WeightsConfig) -> Self {
        Weigher { config, gateways: BTreeMap::new(), blind: false }
    }

    /// Whether the reports were failing at the last tick.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.blind
    }

    /// Notes viewers that were sent to a gateway and join at a time: now, or later with a ticket.
    pub fn granted(&mut self, id: &GatewayId, viewers: f64, at: Duration) {
        let Some(known) = self.gateways.get_mut(id) else { return };
        match known.granted.iter_mut().rev().find(|(then, _)| *then == at) {
            Some((_, sum)) => *sum += viewers,
            None => known.granted.push((at, viewers)),
        }
        if known.granted.len() > GRANTS_MAX {
            known.granted[1].1 += known.granted[0].1;
            known.granted.remove(0);
        }
    }

    /// Sets a factor of the autoscaler, 0 to 1, until a time.
    pub fn advise(&mut self, id: &GatewayId, factor: f64, until: Duration) {
        if let Some(known) = self.gateways.get_mut(id) {
            known.factor = Some((factor.clamp(0.0, 1.0), until));
        }
    }

    /// Computes the weights, one for each candidate, in their order; `entries` replicas of entry
    /// share each gateway. When no ready gateway has a weight, all ready gateways get the same one,
    /// so that the answer to a newcomer is never empty. Their seats stay 0, so the newcomer gets a
    /// ticket for a later time.
    pub fn tick(&mut self, candidates: &[Candidate], entries: u32, now: Duration) -> Vec<Weight> {
        if self.gateways.len() > candidates.len() {
            self.gateways.retain(|id, _| candidates.iter().any(|one| one.load.id == *id));
        }
        let ready = || candidates.iter().filter(|one| is_ready(&one.load));
        let many = ready().count() as f64;
        let stale = ready().filter(|one| self.staleness(one) <= SHARE_MIN).count() as f64;
        self.blind = many > 0.0 && stale > self.config.blind_share * many;
        let young = ready().filter(|one| one.load.age_secs < self.config.young_secs).count();
        let fleet = Fleet {
            blind: self.blind,
            squared: young as f64 > self.config.young_share * many,
            cost: viewer_cost(candidates),
            entries: entries.max(1),
        };
        let mut weights: Vec<Weight> =
            candidates.iter().map(|candidate| self.weigh(candidate, &fleet, now)).collect();
        if self.blind {
            flatten(candidates, &mut weights);
        }
        if weights.iter().all(|weight| weight.weight <= 0.0) {
            for (candidate, weight) in candidates.iter().zip(&mut weights) {
                weight.weight = if is_ready(&candidate.load) { 1.0 } else { 0.0 };
            }
        }
        weights
    }

    fn weigh(&mut self, candidate: &Candidate, fleet: &Fleet, now: Duration) -> Weight {
        let stale = if fleet.blind { 1.0 } else { self.staleness(candidate) };
        let (config, Candidate { load, knee }) = (&self.config, candidate);
        let known = self.gateways.entry(load.id.clone()).or_default();
        let cost = f64::from(fleet.entries) * fleet.cost / knee.connections;
        let estimate = known.estimate(config, candidate, cost, now);
        // An estimate without reports shuts no gateway: once reports are back, all gateways would
        // wait to open.
        if !fleet.blind {
            known.turn(config, estimate);
        }
        if !is_ready(load) {
            known.joined = None;
            return Weight { weight: 0.0, estimate, room: 0.0, seats: 0.0 };
        }
        let joined = *known.joined.get_or_insert(now);
        let served = now.saturating_sub(joined).as_secs_f64().max(1.0);
        let slow = (served.min(load.age_secs.max(1.0)) / config.slow_start_secs).clamp(SHARE_MIN, 1.0);
        let head = ((config.full_at - estimate) / config.full_at).clamp(0.0, 1.0);
        let latency = load.report.as_ref().map_or(1.0, |report| {
            if report.push_p99_ms > 0.0 { config.push_p99_ms / report.push_p99_ms } else { 1.0 }
        });
        let factor = known.factor.filter(|(_, until)| now < *until).map_or(1.0, |(factor, _)| factor);
        let share = if fleet.squared { head * head } else { head };
        let open = if known.shut { 0.0 } else { 1.0 };
        let weight = knee.connections * share * latency.clamp(SHARE_MIN, 1.0) * slow * stale * factor * open;
        let room = ((config.shut_at - estimate) / cost).max(0.0) * open;
        Weight {
            weight,
            estimate,
            room,
            seats: room.min(config.grants_per_s(knee.joins_per_s, fleet.entries)),
        }
    }

    /// Factor by the age of the report: 1 while it is young, falling to [`SHARE_MIN`] at six
    /// periods, then 0.
    fn staleness(&self, candidate: &Candidate) -> f64 {
        let periods = match candidate.report() {
            Some(_) => candidate.load.report_age_secs / self.config.report_secs,
            None => f64::INFINITY,
        };
        match periods {
            _ if periods.is_nan() => 0.0,
            _ if periods <= 2.0 => 1.0,
            _ if periods <= 6.0 => 1.0 - (1.0 - SHARE_MIN) * (periods - 2.0) / 4.0,
            _ => 0.0,
        }
    }
}

/// Facts of a tick about the whole fleet.
struct Fleet {
    blind: bool,
    squared: bool,
    /// Cost of a viewer, as a multiple of its connection.
    cost: f64,
    entries: u32,
}

impl Candidate {
    fn report(&self) -> Option<&LoadReport> {
        self.load.report.as_ref().filter(|report| report.is_sane(&self.knee))
    }
}

fn is_ready(load: &ObservedGateway) -> bool {
    load.phase == Phase::Ready && !load.cordoned
}

impl Known {
    fn estimate(
        &mut self,
        config: &WeightsConfig,
        candidate: &Candidate,
        grant_cost: f64,
        now: Duration,
    ) -> f64 {
        let age = Duration::try_from_secs_f64(candidate.load.report_age_secs).unwrap_or_default();
        let report_at = now.saturating_sub(age);
        let new = candidate.report().filter(|_| self.report_at.is_none_or(|at| report_at > at));
        if let Some(report) = new {
            let used = utilization(report, &candidate.knee);
            let before = self.smooth.unwrap_or(used);
            let alpha = if used > before { config.up_alpha } else { config.down_alpha };
            self.smooth = Some(before + alpha * (used - before));
            self.report_at = Some(report_at);
            self.granted.retain(|(at, _)| *at >= report_at);
        }
        let stayed = |secs: f64| (-secs / config.stay_secs).exp();
        let granted = self.granted.iter();
        let own: f64 = granted.map(|(at, many)| many * stayed(now.saturating_sub(*at).as_secs_f64())).sum();
        self.smooth.unwrap_or(0.0) * stayed(age.as_secs_f64()) + own * grant_cost
    }

    /// Shuts at once, and opens after several calm ticks.
    fn turn(&mut self, config: &WeightsConfig, estimate: f64) {
        self.calm_ticks = if estimate <= config.open_at { self.calm_ticks + 1 } else { 0 };
        if estimate >= config.shut_at {
            self.shut = true;
        } else if self.calm_ticks >= OPEN_TICKS {
            self.shut = false;
        }
    }
}

/// Utilisation over all axes: the eighth-power mean, which is close to the greatest and smooth
/// where two are close. Joins are not in it, because the grants limit them.
fn utilization(report: &LoadReport, knee: &Knee) -> f64 {
    let axes = Axis::ALL.into_iter().filter(|axis| *axis != Axis::Joins);
    axes.map(|axis| report.utilization(axis, knee).powi(8)).sum::<f64>().powf(0.125)
}

/// Mean cost of one viewer, as a multiple of its connection.
fn viewer_cost(candidates: &[Candidate]) -> f64 {
    let (mut used, mut viewers, mut knees) = (0.0, 0.0, 0.0);
    for (candidate, report) in candidates.iter().filter_map(|one| Some((one, one.report()?))) {
        used += utilization(report, &candidate.knee) * candidate.knee.connections;
        viewers += report.connections;
        knees += candidate.knee.connections;
    }
    (used / viewers.max(FEW_SHARE * knees)).max(1.0)
}

/// Moves every weight half way to the mean.
fn flatten(candidates: &[Candidate], weights: &mut [Weight]) {
    let many = candidates.iter().filter(|one| is_ready(&one.load)).count().max(1) as f64;
    let mean = weights.iter().map(|weight| weight.weight).sum::<f64>() / many;
    for (_, weight) in candidates.iter().zip(weights).filter(|(one, _)| is_ready(&one.load)) {
        weight.weight = (weight.weight + mean) / 2.0;
    }
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
