//! Entry's weights: how much of the newcomers each gateway is offered. Entry works
//! them out alone, from load reports; the autoscaler only adds factors that lapse.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::capacity::Knee;
use crate::field::part;
use crate::load::{GatewayId, GatewayLoad, LoadReport, Phase};

part! {
    /// Entry's weights and grants.
    WeightsConfig in "weights" {
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

/// What a gateway is worth to newcomers, and why. `weight` is in viewers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    /// The weight; 0 sends nobody.
    pub weight: f64,
    /// The utilisation that entry believes in, with its own grants.
    pub estimate: f64,
    /// Viewers that this entry replica may still send before the next tick, whatever
    /// the weight says: below the knee, and within the joins of a second.
    pub seats: f64,
}

#[derive(Debug, Clone, Default)]
struct Known {
    smooth: Option<f64>,
    shut: bool,
    calm_ticks: u32,
    weight: f64,
    /// Viewers granted at a time, until a report has seen them.
    granted: Vec<(Duration, f64)>,
    factor: Option<(f64, Duration)>,
    joined: Option<Duration>,
    report_at: Option<Duration>,
}

/// Keeps the weights of one entry replica. Memory is bounded by twice the gateways of the
/// last tick, and a gateway's grants by the ticks since its last report (at most
/// [`GRANTS_MAX`], then the two oldest are joined).
#[derive(Debug, Clone)]
pub struct Weigher {
    config: WeightsConfig,
    knee: Knee,
    entries: f64,
    gateways: BTreeMap<GatewayId, Known>,
}

/// Grants that are remembered per gateway, in ticks.
pub const GRANTS_MAX: usize = 600;

impl Weigher {
    /// A new one; `entries` is the number of entry replicas, which share each
    /// gateway's joins.
    #[must_use]
    pub fn new(config: WeightsConfig, knee: Knee, entries: u32) -> Self {
        Weigher { config, knee, entries: f64::from(entries.max(1)), gateways: BTreeMap::new() }
    }

    /// Joins per second that this entry replica may grant on one gateway.
    #[must_use]
    pub fn grants_per_s(&self) -> f64 {
        self.knee.joins_per_s * self.config.grant_share / self.entries
    }

    /// How many of them may come at once. Any second then brings at most the whole knee
    /// when the rate is four fifths of it.
    #[must_use]
    pub fn grant_burst(&self) -> f64 {
        self.knee.joins_per_s * (1.0 - self.config.grant_share) / self.entries
    }

    /// Notes viewers that were sent to a gateway.
    pub fn granted(&mut self, id: &GatewayId, viewers: f64, now: Duration) {
        let Some(known) = self.gateways.get_mut(id) else { return };
        match known.granted.last_mut() {
            Some((at, sum)) if *at == now => *sum += viewers,
            _ => known.granted.push((now, viewers)),
        }
        if known.granted.len() > GRANTS_MAX {
            known.granted[1].1 += known.granted[0].1;
            known.granted.remove(0);
        }
    }

    /// Takes a factor of the autoscaler, 0 to 1; it lapses.
    pub fn advise(&mut self, id: &GatewayId, factor: f64, now: Duration) {
        if let Some(known) = self.gateways.get_mut(id) {
            let until = now + Duration::from_secs_f64(self.config.factor_secs);
            known.factor = Some((factor.clamp(0.0, 1.0), until));
        }
    }

    /// New weights, one for each of `gateways`, in their order. When nothing that is
    /// ready has any weight, all that are ready have the same: the answer to a
    /// newcomer is never empty. Seats stay 0 there: he gets a ticket for later.
    pub fn tick(&mut self, gateways: &[GatewayLoad], now: Duration) -> Vec<Weight> {
        if self.gateways.len() > gateways.len() {
            self.gateways.retain(|id, _| gateways.iter().any(|gateway| gateway.id == *id));
        }
        let ready = |g: &&GatewayLoad| g.phase == Phase::Ready && !g.cordoned;
        let many = gateways.iter().filter(ready).count() as f64;
        let stale = |g: &&GatewayLoad| self.staleness(g) <= SHARE_MIN;
        let blind = many > 0.0
            && gateways.iter().filter(ready).filter(stale).count() as f64 > self.config.blind_share * many;
        let young = gateways.iter().filter(ready).filter(|g| g.age_secs < self.config.young_secs).count();
        let squared = young as f64 > self.config.young_share * many;
        let cost = self.viewer_cost(gateways);
        let mut weights: Vec<Weight> =
            gateways.iter().map(|gateway| self.weigh(gateway, blind, squared, cost, now)).collect();
        if blind {
            flatten(gateways, &mut weights);
        }
        if weights.iter().all(|weight| weight.weight <= 0.0) {
            for (gateway, weight) in gateways.iter().zip(&mut weights) {
                weight.weight = if ready(&gateway) { 1.0 } else { 0.0 };
            }
        }
        weights
    }

    /// What one viewer adds to a gateway's utilisation, by the fleet's mean.
    fn viewer_cost(&self, gateways: &[GatewayLoad]) -> f64 {
        let reports = gateways.iter().filter_map(|gateway| gateway.report.as_ref());
        let (used, viewers) = reports
            .filter(|report| report.is_sane(&self.knee))
            .fold((0.0, 0.0), |(used, viewers), report| {
                (used + utilization(report, &self.knee), viewers + report.connections)
            });
        let least = 1.0 / self.knee.connections;
        if viewers >= 1.0 { least.max(used / viewers) } else { least }
    }

    fn weigh(
        &mut self,
        gateway: &GatewayLoad,
        blind: bool,
        squared: bool,
        cost: f64,
        now: Duration,
    ) -> Weight {
        let grants = self.grants_per_s();
        let stale = if blind { 1.0 } else { self.staleness(gateway) };
        let config = &self.config;
        let known = self.gateways.entry(gateway.id.clone()).or_default();
        let estimate = known.estimate(config, &self.knee, self.entries * cost, gateway, now);
        known.turn(config, estimate);
        if gateway.phase != Phase::Ready || gateway.cordoned {
            known.weight = 0.0;
            known.joined = None;
            return Weight { weight: 0.0, estimate, seats: 0.0 };
        }
        let joined = *known.joined.get_or_insert(now);
        let served = now.saturating_sub(joined).as_secs_f64().max(1.0);
        let slow = (served.min(gateway.age_secs.max(1.0)) / config.slow_start_secs).clamp(SHARE_MIN, 1.0);
        let head = ((config.full_at - estimate) / config.full_at).clamp(0.0, 1.0);
        let latency = gateway.report.as_ref().map_or(1.0, |report| {
            if report.push_p99_ms > 0.0 { config.push_p99_ms / report.push_p99_ms } else { 1.0 }
        });
        let factor = known.factor.filter(|(_, until)| now < *until).map_or(1.0, |(factor, _)| factor);
        let share = if squared { head * head } else { head };
        let open = if known.shut { 0.0 } else { 1.0 };
        known.weight =
            self.knee.connections * share * latency.clamp(SHARE_MIN, 1.0) * slow * stale * factor * open;
        let seats = ((config.shut_at - estimate) / (cost * self.entries)).clamp(0.0, grants) * open;
        Weight { weight: known.weight, estimate, seats }
    }

    /// 1 for young reports, falling to [`SHARE_MIN`] at six periods, then 0.
    fn staleness(&self, gateway: &GatewayLoad) -> f64 {
        let period = self.config.report_secs;
        let sane = gateway.report.as_ref().is_some_and(|report| report.is_sane(&self.knee));
        let periods = if sane { gateway.report_age_secs / period } else { f64::INFINITY };
        match periods {
            _ if periods.is_nan() => 0.0,
            _ if periods <= 2.0 => 1.0,
            _ if periods <= 6.0 => 1.0 - (1.0 - SHARE_MIN) * (periods - 2.0) / 4.0,
            _ => 0.0,
        }
    }
}

impl Known {
    fn estimate(
        &mut self,
        config: &WeightsConfig,
        knee: &Knee,
        grant_cost: f64,
        gateway: &GatewayLoad,
        now: Duration,
    ) -> f64 {
        let sane = gateway.report.as_ref().filter(|report| report.is_sane(knee));
        let age = Duration::try_from_secs_f64(gateway.report_age_secs).unwrap_or_default();
        let report_at = now.saturating_sub(age);
        if let Some(report) = sane.filter(|_| self.report_at.is_none_or(|at| report_at > at)) {
            let used = utilization(report, knee);
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

/// Moves every weight half way to the mean.
fn flatten(gateways: &[GatewayLoad], weights: &mut [Weight]) {
    let open =
        |(gateway, _): &(&GatewayLoad, &mut Weight)| gateway.phase == Phase::Ready && !gateway.cordoned;
    let many = gateways.iter().filter(|g| g.phase == Phase::Ready && !g.cordoned).count().max(1) as f64;
    let mean = weights.iter().map(|weight| weight.weight).sum::<f64>() / many;
    for (_, weight) in gateways.iter().zip(weights).filter(open) {
        weight.weight = (weight.weight + mean) / 2.0;
    }
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
