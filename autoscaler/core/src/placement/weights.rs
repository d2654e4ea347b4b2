//! Entry's weights: how much of the newcomers each gateway is offered. Entry works
//! them out alone, from load reports; the autoscaler only adds factors that lapse.

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
        /// A gateway is shut to newcomers at this estimate. Default 0.98.
        shut_at: f64 = 0.98, POSITIVE;
        /// It opens again under this, after three ticks. Default 0.92.
        open_at: f64 = 0.92, SHARE;
        /// Weight of a new figure when the load grows. Default 0.7: fast.
        up_alpha: f64 = 0.7, SHARE;
        /// Weight of a new figure when the load falls. Default 0.2: slow.
        down_alpha: f64 = 0.2, SHARE;
        /// Push latency that is aimed at; slower gateways weigh less. Default 250.
        push_p99_ms: f64 = 250.0, POSITIVE;
        /// A new gateway comes to its full weight over this time. Default 15.
        slow_start_secs: f64 = 15.0, POSITIVE;
        /// Reports older than twice this weigh less, at six times nothing. Default 1:
        /// the reports' period.
        report_secs: f64 = 1.0, POSITIVE;
        /// Share of silent gateways beyond which it is the reports that fail: the last
        /// weights are kept, half flattened. Default 0.5.
        blind_share: f64 = 0.5, SHARE;
        /// While more than this share of the fleet is young, weights are squared, so
        /// that the new ones fill faster. Default 0.2.
        young_share: f64 = 0.2, SHARE;
        /// A gateway is young for so long. Default 60.
        young_secs: f64 = 60.0, POSITIVE;
        /// Share of the join knee that is granted per second; the rest is room for
        /// bursts. Default 0.8.
        grant_share: f64 = 0.8, SHARE;
        /// How long a viewer stays, roughly: estimates fade at this rate while a
        /// report is old. Default 1800.
        stay_secs: f64 = 1_800.0, POSITIVE;
        /// A factor of the autoscaler lapses after so long. Default 30.
        factor_secs: f64 = 30.0, POSITIVE;
    }
}

/// Least share that latency or youth leaves of a weight: a gateway that gets nobody
/// cannot show that it is well.
const SHARE_MIN: f64 = 0.1;
/// Ticks under `open_at` before a shut gateway opens.
const OPEN_TICKS: u32 = 3;
/// Under this share of the fleet's knees, what is used is not believed to be the viewers'
/// doing: a process that idles has memory, too.
const FEW_SHARE: f64 = 0.05;

impl WeightsConfig {
    /// Everything in it that cannot be.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.out_of_range("weights")
    }

    /// Joins per second that one of `entries` replicas may grant on a gateway that takes
    /// `joins_per_s`.
    #[must_use]
    pub fn grants_per_s(&self, joins_per_s: f64, entries: u32) -> f64 {
        joins_per_s * self.grant_share / f64::from(entries.max(1))
    }

    /// Grants of so long a time may come at once: a second then brings the whole knee and
    /// no more.
    #[must_use]
    pub fn burst_secs(&self) -> f64 {
        (1.0 - self.grant_share) / self.grant_share
    }
}

/// A gateway that newcomers may be sent to.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// How it is.
    pub load: ObservedGateway,
    /// What it carries: gateways need not be alike.
    pub knee: Knee,
}

/// What a gateway is worth to newcomers, and why. `weight` is in viewers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    /// The weight; 0 sends nobody.
    pub weight: f64,
    /// The utilisation that entry believes in, with its own grants.
    pub estimate: f64,
    /// Viewers that this entry replica may still send, whatever the weight says, until the
    /// gateway is at its knee.
    pub room: f64,
    /// Those of them that it may send before the next tick: within the joins of a second.
    pub seats: f64,
}

#[derive(Debug, Clone, Default)]
struct Known {
    smooth: Option<f64>,
    shut: bool,
    calm_ticks: u32,
    /// Viewers granted, by the time at which they come, until a report has seen them.
    granted: Vec<(Duration, f64)>,
    factor: Option<(f64, Duration)>,
    joined: Option<Duration>,
    report_at: Option<Duration>,
}

/// Keeps the weights of one entry replica. Memory is bounded by twice the gateways of the
/// last tick, and a gateway's grants by the moments since its last report (at most
/// [`GRANTS_MAX`], then the two oldest are joined).
#[derive(Debug, Clone)]
pub struct Weigher {
    config: WeightsConfig,
    gateways: BTreeMap<GatewayId, Known>,
    blind: bool,
}

/// Grants that are remembered per gateway, in moments.
pub const GRANTS_MAX: usize = 600;

impl Weigher {
    /// A new one, that knows nobody.
    #[must_use]
    pub fn new(config: WeightsConfig) -> Self {
        Weigher { config, gateways: BTreeMap::new(), blind: false }
    }

    /// Whether at the last tick it was the reports that failed.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.blind
    }

    /// Notes viewers that were sent to a gateway and come `at` a time: now, or later with
    /// a ticket.
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

    /// Takes a factor of the autoscaler, 0 to 1, that lapses.
    pub fn advise(&mut self, id: &GatewayId, factor: f64, until: Duration) {
        if let Some(known) = self.gateways.get_mut(id) {
            known.factor = Some((factor.clamp(0.0, 1.0), until));
        }
    }

    /// New weights, one for each candidate, in their order; `entries` replicas of entry
    /// share each gateway. When nothing that is ready has any weight, all that are ready
    /// have the same: the answer to a newcomer is never empty. Seats stay 0 there: he gets
    /// a ticket for later.
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
        // A guess shuts nobody: when reports are back all would wait for calm.
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

    /// 1 for young reports, falling to [`SHARE_MIN`] at six periods, then 0.
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

/// What one tick knows of the whole fleet.
struct Fleet {
    blind: bool,
    squared: bool,
    /// What a viewer costs, in multiples of his connection.
    cost: f64,
    entries: u32,
}

impl Candidate {
    /// The report, if it can be believed.
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

    /// Shuts at once, opens after calm.
    fn turn(&mut self, config: &WeightsConfig, estimate: f64) {
        self.calm_ticks = if estimate <= config.open_at { self.calm_ticks + 1 } else { 0 };
        if estimate >= config.shut_at {
            self.shut = true;
        } else if self.calm_ticks >= OPEN_TICKS {
            self.shut = false;
        }
    }
}

/// One figure for all axes: the eighth-power mean, close to the greatest and smooth
/// where two are close. Joins are left out: the grants bound them.
fn utilization(report: &LoadReport, knee: &Knee) -> f64 {
    let axes = Axis::ALL.into_iter().filter(|axis| *axis != Axis::Joins);
    axes.map(|axis| report.utilization(axis, knee).powi(8)).sum::<f64>().powf(0.125)
}

/// What one viewer uses, by the fleet's mean, in multiples of what his connection does.
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
