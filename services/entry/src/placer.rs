//! Places newcomers: on which gateways, in which order, and when. Pure: reports, time
//! and chance are passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_bus::Registered;
use barrage_scaling::{Candidate, GatewayId, Knee, Weigher, Weight, WeightsConfig, pick};

use crate::candidate::{candidate, takes_newcomers};
use crate::moments::{Bounds, Moments};

/// New weights come this often: a little less than the load reports, so that no second
/// goes without.
const TICK: Duration = Duration::from_millis(950);
/// Share of a gateway's joins that is given out however many come by themselves, so that
/// a wrong report never shuts the door.
const LEAST_SHARE: f64 = 0.05;
/// Grants are remembered by the next multiple of this after their moment: so long, about,
/// a client needs to be there.
const ARRIVAL_MS: u128 = 500;
/// Less room than this is none: shares of viewers do not add up to the last bit.
const ROOM_MIN: f64 = 0.001;
/// Reports older than so many of their periods do not say who joined.
const REPORTS_OLD: f64 = 3.0;
/// Gateways are as good as each other when the weight of one is within this of the other's.
const COMPARABLE: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// What placing goes by.
#[derive(Debug, Clone)]
pub(crate) struct PlacerConfig {
    /// Gateways in a list.
    pub(crate) gateways_max: usize,
    /// Endpoints in a race.
    pub(crate) race_width: u32,
    /// Longest wait for a turn.
    pub(crate) wait_max: Duration,
    pub(crate) weights: WeightsConfig,
    /// From the capacity file.
    pub(crate) knee: Option<Knee>,
}

/// Where a newcomer goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// Indices of gateways; the first one counts on him.
    pub(crate) order: Vec<usize>,
    /// Endpoints that he races: one where it matters that he goes where he was sent.
    pub(crate) race_width: u32,
    /// How long until his turn; zero is now.
    pub(crate) wait: Duration,
}

/// Why a newcomer goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No gateway lives that does not drain.
    NoGateway,
    /// No gateway has a seat.
    FleetFull,
    /// Every turn within the longest wait is taken.
    QueueFull,
}

/// One gateway's seats and turns.
#[derive(Debug, Clone)]
struct Seats {
    weight: Weight,
    /// What is left of the weight's room.
    room: f64,
    /// Joins per second that are given out.
    per_s: f64,
    turns: Moments,
    /// When the newest report was made whose joins were counted.
    reported: Option<Duration>,
}

/// One gateway as an operator sees it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Standing {
    pub(crate) gateway: GatewayId,
    pub(crate) weight: f64,
    /// The utilisation that is believed in.
    pub(crate) estimate: f64,
    /// Viewers that may still be sent.
    pub(crate) room: f64,
    /// Joins per second that are given out; none when nobody limits them.
    pub(crate) grants_per_s: Option<f64>,
    /// Those whose turn there is to come.
    pub(crate) queued: u64,
}

/// Weighs gateways and gives turns. Bounded by the gateways of the registry.
pub(crate) struct Placer {
    config: PlacerConfig,
    weigher: Weigher,
    gateways: BTreeMap<GatewayId, Seats>,
    ticked: Option<Duration>,
}

impl Placer {
    pub(crate) fn new(config: PlacerConfig) -> Self {
        let weigher = Weigher::new(config.weights.clone());
        Placer { config, weigher, gateways: BTreeMap::new(), ticked: None }
    }

    /// Whether the weights are old, or know not every gateway.
    pub(crate) fn is_due(&self, gateways: &[Registered], now: Duration) -> bool {
        let is_new = |gateway: &Registered| !self.gateways.contains_key(gateway.report.id.as_str());
        self.ticked.is_none_or(|at| now >= at + TICK) || gateways.iter().any(is_new)
    }

    /// Takes the autoscaler's factors, each until it lapses. They count at the next tick.
    pub(crate) fn advise(&mut self, advice: &[(String, f64, Duration)]) {
        for (gateway, factor, until) in advice {
            self.weigher.advise(&gateway.as_str().into(), *factor, *until);
        }
    }

    /// Weighs all gateways anew; `entries` replicas of entry share them.
    pub(crate) fn tick(&mut self, gateways: &[Registered], entries: u32, now: Duration) {
        let (measured, config) = (self.config.knee.as_ref(), &self.config.weights);
        let candidates: Vec<_> =
            gateways.iter().map(|gateway| candidate(gateway, measured, config)).collect();
        let weights = self.weigher.tick(&candidates, entries, now);
        let mut before = std::mem::take(&mut self.gateways);
        for (candidate, weight) in candidates.iter().zip(weights) {
            let known = before.remove(&candidate.load.id);
            let (mut turns, before) = known.map(|seats| (seats.turns, seats.reported)).unwrap_or_default();
            let per_s = per_s(&self.config.weights, candidate, entries, turns.due_per_s(now));
            let reported = match newly_joined(&self.config.weights, candidate, before, now) {
                Joined::New { joins, reported } => {
                    turns.settle(Some(joins / f64::from(entries.max(1))), per_s, now);
                    Some(reported)
                }
                Joined::Known => before,
                Joined::Unknown => {
                    turns.settle(None, per_s, now);
                    None
                }
            };
            let seats = Seats { weight, room: weight.room, per_s, turns, reported };
            self.gateways.insert(candidate.load.id.clone(), seats);
        }
        self.ticked = Some(now);
    }

    /// Takes a turn for a newcomer. `race` is a factor for each gateway, from its race
    /// times; `random` gives numbers in [0, 1).
    pub(crate) fn place(
        &mut self,
        gateways: &[Registered],
        race: &[f64],
        now: Duration,
        random: impl FnMut() -> f64,
    ) -> Result<Placed, Refused> {
        let shares = self.shares(gateways, race);
        let mut order = pick(&shares, shares.len(), random);
        let at_once = Duration::from_secs_f64(self.config.weights.burst_secs());
        let bounds = Bounds { at_once, wait_max: self.config.wait_max };
        let id = |index: &usize| gateways[*index].report.id.as_str();
        let wait = |index: &usize| self.gateways.get(id(index)).map(|seats| seats.turns.wait(now));
        // The first in the order whose turn is now, or else the soonest.
        let soonest = order.iter().enumerate().min_by_key(|(_, index)| wait(index).filter(|w| *w > at_once));
        let Some(place) = soonest.map(|(place, _)| place) else { return Err(nowhere(gateways)) };
        let first = order.remove(place);
        order.insert(0, first);
        order.truncate(self.config.gateways_max.max(1));
        let seats = self.gateways.get_mut(id(&first)).expect("it has a share, so it has seats");
        let wait = seats.turns.take(seats.per_s, now, &bounds).map_err(|_| Refused::QueueFull)?;
        let race_width = if wait.is_zero() { self.race_width(&shares, &order) } else { 1 };
        let racers = order.len().min(race_width as usize).max(1);
        let step = u64::try_from((now + wait).as_millis() / ARRIVAL_MS * ARRIVAL_MS + ARRIVAL_MS);
        let arrival = Duration::from_millis(step.unwrap_or(u64::MAX));
        for gateway in order.iter().take(racers).map(|index| &gateways[*index].report.id) {
            if let Some((id, _)) = self.gateways.get_key_value(gateway.as_str()) {
                self.weigher.granted(&id.clone(), 1.0 / racers as f64, arrival);
            }
            if let Some(seats) = self.gateways.get_mut(gateway.as_str()) {
                seats.room -= 1.0 / racers as f64;
            }
        }
        Ok(Placed { order, race_width, wait })
    }

    /// Gateways for somebody who takes nobody's turn: empty only when every gateway that
    /// lives drains.
    pub(crate) fn list(&self, gateways: &[Registered], race: &[f64], random: impl FnMut() -> f64) -> Placed {
        let mut shares = self.shares(gateways, race);
        if shares.iter().all(|share| *share <= 0.0) {
            shares = gateways.iter().map(|one| if one.report.draining { 0.0 } else { 1.0 }).collect();
        }
        let order = pick(&shares, self.config.gateways_max.max(1), random);
        Placed { race_width: self.race_width(&shares, &order), order, wait: Duration::ZERO }
    }

    /// A weight for each gateway, 0 where there is no seat. While the reports fail nobody
    /// knows who has left, and the gateways say themselves when they are full.
    fn shares(&self, gateways: &[Registered], race: &[f64]) -> Vec<f64> {
        let blind = self.weigher.is_blind();
        let share = |(gateway, race): (&Registered, &f64)| {
            let seats = self.gateways.get(gateway.report.id.as_str());
            let has_room = |seats: &&Seats| blind || seats.room > ROOM_MIN;
            match seats.filter(has_room).filter(|_| takes_newcomers(&gateway.report)) {
                Some(seats) => seats.weight.weight * race,
                None => 0.0,
            }
        };
        gateways.iter().zip(race).map(share).collect()
    }

    /// A race is between gateways that are as good as each other, or the fastest would
    /// have them all whatever its weight. Where all are, further endpoints of the same
    /// gateways may race, too.
    fn race_width(&self, shares: &[f64], order: &[usize]) -> u32 {
        let Some(first) = order.first() else { return self.config.race_width };
        let alike = |index: &&usize| COMPARABLE.contains(&(shares[**index] / shares[*first]));
        let alike = order.iter().take_while(alike).count();
        let bound = if alike == order.len() { u32::MAX } else { u32::try_from(alike).unwrap_or(u32::MAX) };
        self.config.race_width.min(bound)
    }

    /// Those whose turn is to come.
    pub(crate) fn queued(&self, now: Duration) -> u64 {
        self.gateways.values().map(|seats| seats.turns.to_come(now)).sum()
    }

    /// Whether the load reports fail and the last weights are kept.
    pub(crate) fn is_blind(&self) -> bool {
        self.weigher.is_blind()
    }

    /// Every gateway as of the last tick.
    pub(crate) fn standings(&self, now: Duration) -> Vec<Standing> {
        let standing = |(id, seats): (&GatewayId, &Seats)| Standing {
            gateway: id.clone(),
            weight: seats.weight.weight,
            estimate: seats.weight.estimate,
            room: seats.room.max(0.0),
            grants_per_s: seats.per_s.is_finite().then_some(seats.per_s),
            queued: seats.turns.to_come(now),
        };
        self.gateways.iter().map(standing).collect()
    }
}

/// Joins since the last report that was counted.
enum Joined {
    New {
        joins: f64,
        reported: Duration,
    },
    /// There is no newer report.
    Known,
    /// The newest report is old.
    Unknown,
}

/// Joins of a gateway since the report before.
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
    // Ages are measured anew each time, and never to the last microsecond.
    if period_secs < config.report_secs / 4.0 {
        return Joined::Known;
    }
    Joined::New { joins: report.joins_per_s * period_secs, reported }
}

fn nowhere(gateways: &[Registered]) -> Refused {
    let lives = gateways.iter().any(|gateway| !gateway.report.draining);
    if lives { Refused::FleetFull } else { Refused::NoGateway }
}

/// Joins per second that this replica may give out on a gateway: its share of what the
/// gateway takes, less what comes without having been sent. `own_per_s` were sent from
/// here; the other replicas are taken to send as many.
fn per_s(config: &WeightsConfig, candidate: &Candidate, entries: u32, own_per_s: f64) -> f64 {
    let max = candidate.knee.joins_per_s;
    let is_fresh = candidate.load.report_age_secs <= 2.0 * config.report_secs;
    let report = candidate.load.report.as_ref().filter(|_| is_fresh);
    let joins_per_s = report.map_or(0.0, |report| report.joins_per_s);
    let strangers = (joins_per_s - own_per_s * f64::from(entries)).max(0.0);
    config.grants_per_s((max - strangers).max(max * LEAST_SHARE), entries)
}

#[cfg(test)]
#[path = "placer_tests.rs"]
mod tests;
