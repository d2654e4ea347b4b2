//! One run: a trace under one contender, second by second.

use barrage_scaling::{EntryLoad, GatewayId, Knee, Observation, Phase, PolicyConfig, whole};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::actions::{Actions, Direction};
use super::outcome::Outcome;
use super::timeline::{Point, Timeline};
use crate::cluster::{Entry, Fleet, service};
use crate::contenders::{
    Contender, HpaScaler, KpaScaler, Oracle, Orders, Ours, Placement, Scaler, View, needed, observe,
};
use crate::input::Trace;

/// Scale of the noise around the trace's viewers, as a share of them.
const NOISE: f64 = 0.003;
/// Utilisation beyond which a gateway is overloaded; rounding errors do not count.
const OVER: f64 = 1.0 + 1e-6;

/// Inputs of a run; equal inputs give equal results.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Trace of viewers that the run simulates.
    pub trace: Trace,
    /// Knee of every gateway that the run simulates.
    pub knee: Knee,
    /// Policy of this autoscaler; its floor and ceiling hold for all contenders.
    pub policy: PolicyConfig,
    /// Seed of the random numbers that the simulation draws.
    pub seed: u64,
}

/// Result of a run: its figures, and the data of its plots.
#[derive(Debug, Clone)]
pub struct Run {
    /// Figures of the run, for tables and comparisons.
    pub outcome: Outcome,
    /// State of the run over time, for plots.
    pub timeline: Timeline,
}

/// Simulates a trace from start to end with one contender in charge.
#[must_use]
pub fn run(setup: &Setup, contender: Contender) -> Run {
    Simulation::new(setup, contender).run()
}

/// Returns the observations of this autoscaler over a trace, tick by tick, as a log to replay.
#[must_use]
pub fn observations(setup: &Setup) -> Vec<Observation> {
    let mut simulation = Simulation::new(setup, Contender::Ours);
    simulation.log = Some(Vec::new());
    simulation.seconds();
    simulation.log.unwrap_or_default()
}

struct Simulation<'a> {
    setup: &'a Setup,
    placement: Placement,
    scaler: Box<dyn Scaler>,
    fleet: Fleet,
    entry: Entry,
    rng: StdRng,
    noise: f64,
    /// Viewers that want to watch, at the last second.
    wanted: f64,
    waiting: f64,
    granted: f64,
    orders: Orders,
    actions: Actions,
    forecasts: std::collections::VecDeque<(f64, f64)>,
    errors: (f64, f64),
    outcome: Outcome,
    timeline: Timeline,
    log: Option<Vec<Observation>>,
}

impl<'a> Simulation<'a> {
    fn new(setup: &'a Setup, contender: Contender) -> Simulation<'a> {
        let Setup { trace, knee, policy, seed } = setup;
        let wanted = trace.viewers.at(0.0);
        let start = needed(trace, knee, 0.0, policy.target_utilization, policy.joins.share);
        let replicas = (whole(start) + 1).clamp(policy.replicas_min, policy.replicas_max);
        let mut own_policy = policy.clone();
        if contender == Contender::OursPrewarm {
            own_policy.schedules.extend(trace.schedules.iter().cloned());
        }
        let placement = contender.placement();
        let scaler: Box<dyn Scaler> = match contender {
            Contender::Ours | Contender::OursPrewarm | Contender::OursService => {
                Box::new(Ours::new(own_policy, knee.clone(), placement))
            }
            Contender::HpaEntry | Contender::Hpa => Box::new(HpaScaler::new(policy, knee.clone())),
            Contender::Kpa => Box::new(KpaScaler::new(policy, knee, replicas)),
            Contender::Oracle => Box::new(Oracle::new(policy.clone(), knee.clone())),
        };
        Simulation {
            setup,
            placement,
            scaler,
            fleet: Fleet::new(replicas, wanted, trace.provision_secs, *seed),
            entry: Entry::new(&policy.weights, knee.clone()),
            rng: StdRng::seed_from_u64(*seed),
            noise: 0.0,
            wanted,
            waiting: 0.0,
            granted: 0.0,
            orders: Orders { replicas, ..Orders::default() },
            actions: Actions::default(),
            forecasts: std::collections::VecDeque::new(),
            errors: (0.0, 0.0),
            outcome: Outcome::default(),
            timeline: Timeline::default(),
            log: None,
        }
    }

    fn run(mut self) -> Run {
        self.seconds();
        self.outcome.scale_actions = f64::from(self.actions.all);
        self.outcome.reversed_actions = f64::from(self.actions.reversed);
        self.outcome.forecast_error = if self.errors.1 > 0.0 { self.errors.0 / self.errors.1 } else { 0.0 };
        Run { outcome: self.outcome, timeline: self.timeline }
    }

    fn seconds(&mut self) {
        let duration = self.setup.trace.duration_secs();
        for second in 1..=duration {
            let now = second as f64;
            self.fleet.gateways.iter_mut().for_each(|gateway| gateway.joins = 0.0);
            self.fleet.start(now);
            let newcomers = self.leave_and_join(now);
            self.deaths(now);
            self.place(newcomers, now);
            self.finish_endings(now);
            self.account(now);
            let egress = self.setup.trace.egress_per_viewer.at(now);
            let lost = self.setup.trace.is_blackout(now);
            for gateway in &mut self.fleet.gateways {
                gateway.report(&self.setup.knee, egress, now, lost);
            }
            if second.is_multiple_of(self.scaler.period_secs()) {
                self.decide(now, lost);
            }
            if Timeline::is_due(second, duration) {
                self.sample(now);
            }
        }
    }

    /// Makes viewers leave, evenly from all gateways and the queue. Returns the viewers that
    /// join, so that connected and waiting viewers together follow the trace.
    fn leave_and_join(&mut self, now: f64) -> f64 {
        let trace = &self.setup.trace;
        self.noise = 0.98 * self.noise + NOISE * 0.2 * self.rng.random_range(-1.73..1.73);
        let wanted = (trace.viewers.at(now) * (1.0 + self.noise)).max(0.0);
        let here = self.fleet.connected() + self.waiting;
        let leaving = (trace.leave_share_per_s * here + (self.wanted - wanted).max(0.0)).min(here);
        let stay = if here > 0.0 { 1.0 - leaving / here } else { 1.0 };
        self.fleet.gateways.iter_mut().for_each(|gateway| gateway.viewers *= stay);
        self.waiting *= stay;
        self.wanted = wanted;
        (wanted - (here - leaving)).max(0.0)
    }

    fn deaths(&mut self, now: f64) {
        let due = self.setup.trace.deaths.iter().filter(|(at, _)| *at > now - 1.0 && *at <= now);
        for (_, many) in due {
            self.waiting += self.fleet.die(*many);
            self.timeline.note(now, format!("{many} died"));
        }
        self.fleet.reconcile(now);
    }

    fn place(&mut self, newcomers: f64, now: f64) {
        match self.placement {
            Placement::Service => {
                self.waiting = service::place(&mut self.fleet, &self.setup.knee, newcomers, self.waiting);
            }
            Placement::Entry => {
                self.entry.tick(&self.fleet, now);
                let queue = self.waiting + newcomers;
                self.waiting = self.entry.place(&mut self.fleet, queue, &[], now);
                self.granted = queue - self.waiting;
                self.move_viewers(now);
            }
        }
    }

    /// Moves viewers off draining and hot gateways. The new connection comes before the old one
    /// closes, so a viewer without a grant stays.
    fn move_viewers(&mut self, now: f64) {
        let drain = &self.setup.policy.drain;
        let mut wishes: Vec<(GatewayId, f64)> =
            self.orders.moves.iter().map(|one| (one.gateway.clone(), one.viewers_per_s)).collect();
        for gateway in &self.fleet.gateways {
            if let Some((_, viewers)) = gateway.ending {
                wishes.push((gateway.id.clone(), viewers / drain.spread_secs));
            }
        }
        let sources: Vec<GatewayId> = wishes.iter().map(|(id, _)| id.clone()).collect();
        for (id, wish) in wishes {
            let Some(gateway) = self.fleet.get_mut(&id) else { continue };
            let asked = wish.min(gateway.viewers);
            let stayed = self.entry.place(&mut self.fleet, asked, &sources, now);
            let moved = asked - stayed;
            if let Some(gateway) = self.fleet.get_mut(&id) {
                gateway.viewers -= moved;
            }
            self.outcome.paced_moves += moved;
            self.granted += moved;
        }
    }

    /// Removes gateways whose end is over. A plain service closes their connections at once;
    /// with entry they drain.
    fn finish_endings(&mut self, now: f64) {
        let drain = &self.setup.policy.drain;
        let mut cut = 0.0;
        let placement = self.placement;
        self.fleet.gateways.retain(|gateway| {
            let Some((since, _)) = gateway.ending else { return true };
            let over = placement == Placement::Service
                || gateway.viewers <= drain.left_max
                || now - since >= drain.deadline_secs;
            if over {
                cut += gateway.viewers;
            }
            !over
        });
        self.waiting += cut;
        self.outcome.forced_closes += cut;
    }

    fn account(&mut self, now: f64) {
        let here = self.fleet.connected() + self.waiting;
        debug_assert!((here - self.wanted).abs() <= 1.0, "{here} viewers of {} at {now}", self.wanted);
        let Setup { trace, knee, .. } = self.setup;
        let egress = trace.egress_per_viewer.at(now);
        let mut over = 0.0;
        for gateway in &self.fleet.gateways {
            let used = gateway.utilization(knee, egress);
            self.outcome.utilization_max = self.outcome.utilization_max.max(used);
            if used > OVER {
                over += gateway.viewers;
            }
        }
        let bound = whole(needed(trace, knee, now, 1.0, 1.0)).max(1);
        self.outcome.overload_viewer_s += over;
        self.outcome.overload_s += if over > 0.0 { 1.0 } else { 0.0 };
        self.outcome.wait_viewer_s += self.waiting;
        self.outcome.gateway_hours += self.fleet.gateways.len() as f64 / 3_600.0;
        self.outcome.lower_bound_gateway_hours += f64::from(bound) / 3_600.0;
        self.outcome.replicas_max = self.outcome.replicas_max.max(self.fleet.gateways.len() as f64);
        while let Some((_, forecast)) = self.forecasts.front().copied().filter(|(due, _)| *due <= now) {
            self.errors.0 += (forecast - self.wanted).abs() / self.wanted.max(1.0);
            self.errors.1 += 1.0;
            self.forecasts.pop_front();
        }
    }

    fn decide(&mut self, now: f64, blackout: bool) {
        let entry = EntryLoad { waiting: self.waiting, granted_per_s: self.granted };
        let view = View { now_secs: now, fleet: &self.fleet, trace: &self.setup.trace, entry, blackout };
        if let Some(log) = &mut self.log {
            log.push(observe(&view));
        }
        let orders = self.scaler.tick(&view);
        if let Some(forecast) = orders.forecast {
            let ahead = self.setup.trace.provision_secs;
            self.forecasts.push_back((now + ahead, forecast));
        }
        self.note(&orders, now);
        self.entry.shut(&orders.shut, now);
        for (ids, from, to) in
            [(&orders.drain, Phase::Ready, Phase::Draining), (&orders.undrain, Phase::Draining, Phase::Ready)]
        {
            for id in ids {
                if let Some(gateway) = self.fleet.get_mut(id).filter(|gateway| gateway.phase == from) {
                    gateway.phase = to;
                }
            }
        }
        for id in &orders.doomed {
            if let Some(gateway) = self.fleet.get_mut(id) {
                gateway.deletion_cost = -1_000;
            }
        }
        self.fleet.replicas = orders.replicas;
        let gone = self.fleet.reconcile(now);
        if !orders.doomed.is_empty() {
            let wrong = gone.iter().filter(|id| !orders.doomed.contains(id)).count();
            self.outcome.wrong_victims += wrong as f64;
        }
        self.orders = orders;
    }

    fn note(&mut self, orders: &Orders, now: f64) {
        let before = self.fleet.replicas;
        let begins = orders.drain.len();
        if orders.replicas > before || !orders.undrain.is_empty() {
            self.actions.note(Direction::Out, now);
            let back = orders.undrain.len();
            self.timeline.note(now, format!("out: {before} to {}, {back} drains cancelled", orders.replicas));
        } else if begins > 0 || orders.replicas < before && !self.fleet.has_draining() {
            self.actions.note(Direction::In, now);
            let less = before - orders.replicas;
            self.timeline.note(now, format!("in: {begins} drain, {less} go"));
        }
        if orders.panic != self.orders.panic {
            self.timeline.note(now, if orders.panic { "panic".into() } else { "panic is over".into() });
        }
    }

    fn sample(&mut self, now: f64) {
        let Setup { trace, knee, policy, .. } = self.setup;
        let egress = trace.egress_per_viewer.at(now);
        let ready: Vec<_> = self.fleet.ready().collect();
        let serving = ready.len() as f64;
        let most = ready.iter().map(|gateway| gateway.viewers).fold(0.0, f64::max);
        let sum: f64 = ready.iter().map(|gateway| gateway.viewers).sum();
        let skew = if sum > 0.0 { most * serving / sum } else { 1.0 };
        let each = knee.connections.min(knee.egress_bytes_per_s.map_or(f64::INFINITY, |knee| knee / egress));
        let used = self.fleet.gateways.iter().map(|gateway| gateway.utilization(knee, egress));
        self.outcome.skew_max = self.outcome.skew_max.max(skew);
        let utilization = used.fold(0.0, f64::max);
        self.timeline.points.push(Point {
            at_secs: now,
            viewers: self.wanted,
            waiting: self.waiting,
            capacity: serving * each,
            forecast: self.orders.forecast.unwrap_or(0.0),
            replicas: f64::from(self.fleet.replicas),
            serving,
            needed: needed(trace, knee, now, policy.target_utilization, policy.joins.share).ceil(),
            skew,
            utilization,
        });
    }
}
