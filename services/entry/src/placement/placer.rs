//! Places newcomers: on which gateways, in which order, and when. Pure: reports, time and chance
//! are arguments.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_bus::Registered;
use barrage_scaling::{Candidate, GatewayId, Knee, Weigher, Weight, WeightsConfig, pick};

use super::candidate::{candidate, takes_newcomers};
use super::join_queue::{Bounds, JoinQueue};

/// Period of weighing: a little shorter than that of load reports, so that each report counts.
const TICK_PERIOD: Duration = Duration::from_millis(950);
/// Minimum share of a gateway's joins that entry gives out, however many clients come by themselves.
/// A wrong report can then not close a gateway.
const LEAST_SHARE: f64 = 0.05;
/// Milliseconds in which a client connects after its slot, about. Grants are remembered by the next
/// multiple of this time.
const ARRIVAL_MS: u128 = 500;
/// Less headroom than this counts as none, because shares of viewers do not add up exactly.
const ROOM_MIN: f64 = 0.001;
/// Age in report periods beyond which a report's joins are not used.
const REPORTS_OLD: f64 = 3.0;
/// Two gateways are alike when the quotient of their weights is in this range.
const COMPARABLE: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// The settings of placement, from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct PlacerConfig {
    /// Maximum gateways in the list of one answer.
    pub(crate) gateways_max: usize,
    /// Maximum endpoints that a client races against each other.
    pub(crate) race_width: u32,
    /// Share of the races with an endpoint by chance, whatever it costs.
    pub(crate) explore_share: f64,
    /// Maximum wait for a slot; without one in reach newcomers are refused.
    pub(crate) wait_max: Duration,
    pub(crate) weights: WeightsConfig,
    /// The measured knee of the capacity file, for all gateways.
    pub(crate) knee: Option<Knee>,
}

/// The placement of one client: its gateways and its slot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// Indices of gateways. The first one has a place reserved for the newcomer.
    pub(crate) order: Vec<usize>,
    /// Endpoints that the newcomer races: one when its slot is at one gateway.
    pub(crate) race_width: u32,
    /// Wait until the slot; zero is now.
    pub(crate) wait: Duration,
}

/// Why a newcomer gets no gateway and no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Every live gateway drains, or there is none.
    NoGateway,
    /// No gateway has headroom for another viewer.
    FleetFull,
    /// Every slot within the maximum wait is taken.
    QueueFull,
}

/// The state of one gateway, kept from tick to tick.
#[derive(Debug, Clone)]
struct GatewayState {
    weight: Weight,
    /// Headroom of the weight, less the viewers sent since the last tick.
    room: f64,
    /// Joins a second that are given out.
    per_s: f64,
    queue: JoinQueue,
    /// Time of the newest report whose joins were counted.
    reported: Option<Duration>,
}

/// The state of one gateway, for operators.
#[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub(crate) struct Standing {
    /// Id of the gateway.
    pub(crate) gateway: GatewayId,
    /// Share of the newcomers that the gateway gets.
    pub(crate) weight: f64,
    /// Estimated utilisation of the gateway; this entry's own grants are included.
    pub(crate) estimate: f64,
    /// Number of viewers that may still be sent.
    pub(crate) room: f64,
    /// Joins a second that are given out; `None` without a limit.
    pub(crate) grants_per_s: Option<f64>,
    /// Newcomers whose slot is in the future.
    pub(crate) queued: u64,
}

/// Weighs gateways and gives out slots. Bounded by the gateways of the registry.
pub(crate) struct Placer {
    config: PlacerConfig,
    weigher: Weigher,
    gateways: BTreeMap<GatewayId, GatewayState>,
    ticked: Option<Duration>,
}

impl Placer {
    pub(crate) fn new(config: PlacerConfig) -> Self {
        let weigher = Weigher::new(config.weights.clone());
        Placer { config, weigher, gateways: BTreeMap::new(), ticked: None }
    }

    /// Whether the weights are old, or a gateway has none.
    pub(crate) fn is_due(&self, gateways: &[Registered], now: Duration) -> bool {
        let is_new = |gateway: &Registered| !self.gateways.contains_key(gateway.report.id.as_str());
        self.ticked.is_none_or(|at| now >= at + TICK_PERIOD) || gateways.iter().any(is_new)
    }

    /// Sets the autoscaler's factors, each until it lapses. They count from the next tick.
    pub(crate) fn advise(&mut self, advice: &[(String, f64, Duration)]) {
        for (gateway, factor, until) in advice {
            self.weigher.advise(&gateway.as_str().into(), *factor, *until);
        }
    }

    /// Weighs all gateways. `entries` replicas of entry share their joins.
    pub(crate) fn tick(&mut self, gateways: &[Registered], entries: u32, now: Duration) {
        let (measured, config) = (self.config.knee.as_ref(), &self.config.weights);
        let candidates: Vec<_> =
            gateways.iter().map(|gateway| candidate(gateway, measured, config)).collect();
        let weights = self.weigher.tick(&candidates, entries, now);
        let mut before = std::mem::take(&mut self.gateways);
        for (candidate, weight) in candidates.iter().zip(weights) {
            let known = before.remove(&candidate.load.id);
            let (mut queue, before) = known.map(|state| (state.queue, state.reported)).unwrap_or_default();
            let per_s = per_s(&self.config.weights, candidate, entries, queue.due_per_s(now));
            let reported = match newly_joined(&self.config.weights, candidate, before, now) {
                Joined::New { joins, reported } => {
                    queue.settle(Some(joins / f64::from(entries.max(1))), per_s, now);
                    Some(reported)
                }
                Joined::Known => before,
                Joined::Unknown => {
                    queue.settle(None, per_s, now);
                    None
                }
            };
            let state = GatewayState { weight, room: weight.room, per_s, queue, reported };
            self.gateways.insert(candidate.load.id.clone(), state);
        }
        self.ticked = Some(now);
    }

    /// Takes a slot for a newcomer. `factors` has the factor of each gateway by place and race times;
    /// `random` returns numbers in [0, 1).
    pub(crate) fn place(
        &mut self,
        gateways: &[Registered],
        factors: &[f64],
        now: Duration,
        mut random: impl FnMut() -> f64,
    ) -> Result<Placed, Refused> {
        let shares = self.shares(gateways, factors);
        let mut order = pick(&shares, shares.len(), &mut random);
        let at_once = Duration::from_secs_f64(self.config.weights.burst_secs());
        let bounds = Bounds { at_once, wait_max: self.config.wait_max };
        let id = |index: &usize| gateways[*index].report.id.as_str();
        let wait = |index: &usize| self.gateways.get(id(index)).map(|state| state.queue.wait(now));
        // The first gateway in the order whose slot is now, or else the one with the earliest slot.
        let soonest = order.iter().enumerate().min_by_key(|(_, index)| wait(index).filter(|w| *w > at_once));
        let Some(place) = soonest.map(|(place, _)| place) else { return Err(not_placed(gateways)) };
        let first = order.remove(place);
        order.insert(0, first);
        let listed = order.len().min(self.config.gateways_max.max(1));
        let state = self.gateways.get_mut(id(&first)).expect("a gateway with a share has a state");
        let wait = state.queue.take(state.per_s, now, &bounds).map_err(|_| Refused::QueueFull)?;
        let race_width = if wait.is_zero() {
            let width = self.race_width(&shares, &order[..listed]);
            self.explore(&mut order, width, listed, random)
        } else {
            1
        };
        order.truncate(listed);
        let racers = order.len().min(race_width as usize).max(1);
        let step = u64::try_from((now + wait).as_millis() / ARRIVAL_MS * ARRIVAL_MS + ARRIVAL_MS);
        let arrival = Duration::from_millis(step.unwrap_or(u64::MAX));
        for gateway in order.iter().take(racers).map(|index| &gateways[*index].report.id) {
            if let Some((id, _)) = self.gateways.get_key_value(gateway.as_str()) {
                self.weigher.granted(&id.clone(), 1.0 / racers as f64, arrival);
            }
            if let Some(state) = self.gateways.get_mut(gateway.as_str()) {
                state.room -= 1.0 / racers as f64;
            }
        }
        Ok(Placed { order, race_width, wait })
    }

    /// Puts a gateway by chance at the end of some races, so that clients measure gateways that cost
    /// too much to race otherwise. Returns the width of the race.
    fn explore(
        &self,
        order: &mut [usize],
        width: u32,
        listed: usize,
        mut random: impl FnMut() -> f64,
    ) -> u32 {
        let last = width.min(self.config.race_width.saturating_sub(1)) as usize;
        let last = last.min(listed.saturating_sub(1));
        if last == 0 || self.config.explore_share <= 0.0 || random() >= self.config.explore_share {
            return width;
        }
        let other = last + ((order.len() - last) as f64 * random()) as usize;
        order.swap(last, other.min(order.len() - 1));
        width.max(u32::try_from(last + 1).unwrap_or(u32::MAX))
    }

    /// Lists gateways for a client that takes no slot. The list is empty only when every live gateway
    /// drains.
    pub(crate) fn list(
        &self,
        gateways: &[Registered],
        factors: &[f64],
        random: impl FnMut() -> f64,
    ) -> Placed {
        let mut shares = self.shares(gateways, factors);
        if shares.iter().all(|share| *share <= 0.0) {
            let share = |(one, factor): (&Registered, &f64)| if one.report.draining { 0.0 } else { *factor };
            shares = gateways.iter().zip(factors).map(share).collect();
        }
        let order = pick(&shares, self.config.gateways_max.max(1), random);
        Placed { race_width: self.race_width(&shares, &order), order, wait: Duration::ZERO }
    }

    /// Returns a weight for each gateway, 0 without headroom. While reports fail the headroom is
    /// unknown, and the gateways themselves refuse when they are full.
    fn shares(&self, gateways: &[Registered], factors: &[f64]) -> Vec<f64> {
        let blind = self.weigher.is_blind();
        let share = |(gateway, factor): (&Registered, &f64)| {
            let state = self.gateways.get(gateway.report.id.as_str());
            let has_room = |state: &&GatewayState| blind || state.room > ROOM_MIN;
            match state.filter(has_room).filter(|_| takes_newcomers(&gateway.report)) {
                Some(state) => state.weight.weight * factor,
                None => 0.0,
            }
        };
        gateways.iter().zip(factors).map(share).collect()
    }

    /// Returns the number of endpoints to race. Only gateways with like weights race, because the
    /// fastest gateway would otherwise win against its weight. When all are alike, further endpoints
    /// of the same gateways may race, too.
    fn race_width(&self, shares: &[f64], order: &[usize]) -> u32 {
        let Some(first) = order.first() else { return self.config.race_width };
        let alike = |index: &&usize| COMPARABLE.contains(&(shares[**index] / shares[*first]));
        let alike = order.iter().take_while(alike).count();
        let bound = if alike == order.len() { u32::MAX } else { u32::try_from(alike).unwrap_or(u32::MAX) };
        self.config.race_width.min(bound)
    }

    /// Returns the newcomers whose slot is in the future.
    pub(crate) fn queued(&self, now: Duration) -> u64 {
        self.gateways.values().map(|state| state.queue.queued(now)).sum()
    }

    /// Whether most load reports are old, so that the last weights are kept.
    pub(crate) fn is_blind(&self) -> bool {
        self.weigher.is_blind()
    }

    /// Returns the state of every gateway at the last tick.
    pub(crate) fn standings(&self, now: Duration) -> Vec<Standing> {
        let standing = |(id, state): (&GatewayId, &GatewayState)| Standing {
            gateway: id.clone(),
            weight: state.weight.weight,
            estimate: state.weight.estimate,
            room: state.room.max(0.0),
            grants_per_s: state.per_s.is_finite().then_some(state.per_s),
            queued: state.queue.queued(now),
        };
        self.gateways.iter().map(standing).collect()
    }
}

enum Joined {
    New {
        joins: f64,
        reported: Duration,
    },
    /// The newest report was counted already, at an earlier tick.
    Known,
    /// The newest report is too old to be used.
    Unknown,
}

/// Returns the joins of a gateway since the last counted report.
fn newly_joined(
    config: &WeightsConfig,
    candidate: &Candidate,
    before: Option<Duration>,
    now: Duration,
) -> Joined {
    let age = Duration::try_from_secs_f64(candidate.load.report_age_secs).unwrap_or(Duration::MAX);
    let (Some(report), true) =
        (&candidate.load.report, age.as_secs_f64() <= REPORTS_OLD * config.report_secs)
    else {
        return Joined::Unknown;
    };
    let reported = now.saturating_sub(age);
    let period_secs = match before {
        Some(before) => reported.saturating_sub(before).as_secs_f64(),
        None => config.report_secs,
    };
    // Ages are measured at each tick, so two ages of one report differ a little.
    if period_secs < config.report_secs / 4.0 {
        return Joined::Known;
    }
    Joined::New { joins: report.joins_per_s * period_secs, reported }
}

fn not_placed(gateways: &[Registered]) -> Refused {
    let lives = gateways.iter().any(|gateway| !gateway.report.draining);
    if lives { Refused::FleetFull } else { Refused::NoGateway }
}

/// Returns the joins a second that this replica may give out on a gateway: its share of the joins
/// that the gateway admits, less the joins of clients that entry did not send. This replica sent
/// `own_per_s`; the other replicas are assumed to send as many.
fn per_s(config: &WeightsConfig, candidate: &Candidate, entries: u32, own_per_s: f64) -> f64 {
    let max = candidate.knee.joins_per_s;
    let is_fresh = candidate.load.report_age_secs <= 2.0 * config.report_secs;
    let report = candidate.load.report.as_ref().filter(|_| is_fresh);
    let joins_per_s = report.map_or(0.0, |report| report.joins_per_s);
    let unsent = (joins_per_s - own_per_s * f64::from(entries)).max(0.0);
    config.grants_per_s((max - unsent).max(max * LEAST_SHARE), entries)
}

#[cfg(test)]
#[path = "placer_tests.rs"]
mod tests;
