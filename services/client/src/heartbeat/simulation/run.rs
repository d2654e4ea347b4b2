//! One simulated client: the next event in time is taken, until the hours are over.

use super::nat::Direction;
use super::{Figures, Scenario};
use crate::heartbeat::heartbeat::{Action, Heartbeat, Moment};
use crate::heartbeat::memory::NetworkMemory;

/// Time from a ping to its pong.
const ROUND_TRIP_MS: u64 = 80;
/// Time from a noticed loss to the next hello.
const RECONNECT_MS: u64 = 1_000;
/// Unix time of the start: the search stores times of the wall clock.
const START_WALL_MS: u64 = 1_700_000_000_000;
/// A time that never comes.
const NEVER: u64 = u64::MAX;

/// Runs one client for its hours and returns what it cost and what it noticed.
#[must_use]
pub fn simulate(scenario: &Scenario) -> Figures {
    let mut world = World::new(*scenario);
    let end_ms = scenario.hours * 3_600_000;
    while world.step(end_ms) {}
    let mut figures = world.figures;
    figures.hours = scenario.hours as f64;
    figures.interval_s = world.heartbeat.interval_ms() as f64 / 1_000.0;
    figures.noticed_s.sort_by(f64::total_cmp);
    figures
}

/// Simulated network with one client in it.
struct World {
    scenario: Scenario,
    heartbeat: Heartbeat,
    now_ms: u64,
    random: u64,
    /// Time of the last packet that passed the NAT on this connection.
    passed_at_ms: u64,
    /// Whether the NAT has forgotten the connection.
    is_forgotten: bool,
    /// Whether the server has failed: nothing passes until the next connect.
    is_failed: bool,
    /// Start of the loss that the client has not noticed yet.
    lost_at_ms: Option<u64>,
    /// Pong on its way: arrival and id.
    pong: Option<(u64, u64)>,
    reconnect_at_ms: Option<u64>,
    batch_at_ms: u64,
    post_at_ms: u64,
    failure_at_ms: u64,
    figures: Figures,
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let start = moment(0);
        let mut heartbeat = Heartbeat::new(NetworkMemory::default(), "unknown".into(), start);
        heartbeat.opened(start, scenario.terms);
        let mut world = World {
            scenario,
            heartbeat,
            now_ms: 0,
            random: scenario.seed,
            passed_at_ms: 0,
            is_forgotten: false,
            is_failed: false,
            lost_at_ms: None,
            pong: None,
            reconnect_at_ms: None,
            batch_at_ms: NEVER,
            post_at_ms: NEVER,
            failure_at_ms: NEVER,
            figures: Figures::default(),
        };
        world.batch_at_ms = world.draw(scenario.batch_every_s);
        world.post_at_ms = world.draw(scenario.post_every_s);
        world.failure_at_ms = world.draw(scenario.failure_every_s);
        world
    }

    /// Takes the next event; false at the end.
    fn step(&mut self, end_ms: u64) -> bool {
        let pong_at_ms = self.pong.map_or(NEVER, |(at_ms, _)| at_ms);
        let reconnect_at_ms = self.reconnect_at_ms.unwrap_or(NEVER);
        let poll_at_ms = self.heartbeat.wake_at();
        let others = [self.batch_at_ms, self.post_at_ms, self.failure_at_ms, reconnect_at_ms, poll_at_ms];
        let next_ms = others.into_iter().fold(pong_at_ms, u64::min).max(self.now_ms);
        if next_ms >= end_ms {
            return false;
        }
        self.now_ms = next_ms;
        self.forget_if_idle();
        match next_ms {
            at if at == pong_at_ms => self.pong_arrives(),
            at if at == reconnect_at_ms => self.reconnect(),
            at if at == self.batch_at_ms => self.batch(),
            at if at == self.post_at_ms => {
                self.post_at_ms = self.draw(self.scenario.post_every_s);
                let action = self.heartbeat.check(moment(self.now_ms));
                self.act(action);
            }
            at if at == self.failure_at_ms => {
                self.failure_at_ms = self.draw(self.scenario.failure_every_s);
                if self.reconnect_at_ms.is_none() {
                    self.is_failed = true;
                    self.lost_at_ms.get_or_insert(self.now_ms);
                }
            }
            _ => {
                let action = self.heartbeat.poll(moment(self.now_ms));
                self.act(action);
            }
        }
        true
    }

    fn forget_if_idle(&mut self) {
        let limit_ms = self.scenario.nat.limit_ms(self.now_ms);
        let is_open = self.reconnect_at_ms.is_none() && !self.is_forgotten && !self.is_failed;
        if is_open && self.now_ms - self.passed_at_ms > limit_ms {
            self.is_forgotten = true;
            self.figures.nat_losses += 1;
            self.lost_at_ms.get_or_insert(self.passed_at_ms + limit_ms);
        }
    }

    fn passes(&mut self, direction: Direction) -> bool {
        let passes = !self.is_failed
            && self.reconnect_at_ms.is_none()
            && (!self.is_forgotten || self.scenario.nat.passes_forgotten(direction));
        if passes && !self.is_forgotten {
            self.passed_at_ms = self.now_ms;
        }
        passes
    }

    fn pong_arrives(&mut self) {
        let Some((_, id)) = self.pong.take() else { return };
        if self.passes(Direction::Inbound) {
            self.heartbeat.pong(moment(self.now_ms), id);
        }
    }

    fn batch(&mut self) {
        self.batch_at_ms = self.draw(self.scenario.batch_every_s);
        if self.passes(Direction::Inbound) {
            self.heartbeat.received(moment(self.now_ms));
        }
    }

    fn reconnect(&mut self) {
        self.reconnect_at_ms = None;
        (self.is_forgotten, self.is_failed) = (false, false);
        self.passed_at_ms = self.now_ms;
        self.heartbeat.opened(moment(self.now_ms), self.scenario.terms);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Wait => {}
            Action::Ping(id) => {
                self.figures.heartbeats += 1;
                if self.passes(Direction::Outbound) {
                    self.pong = Some((self.now_ms + ROUND_TRIP_MS, id));
                }
            }
            Action::Dead => {
                match self.lost_at_ms.take() {
                    Some(at_ms) => self.figures.noticed_s.push((self.now_ms - at_ms) as f64 / 1_000.0),
                    None => self.figures.false_alarms += 1,
                }
                self.pong = None;
                self.reconnect_at_ms = Some(self.now_ms + RECONNECT_MS);
            }
        }
    }

    /// Draws the time of the next event of a Poisson process; never for a mean of 0.
    fn draw(&mut self, mean_s: u64) -> u64 {
        if mean_s == 0 {
            return NEVER;
        }
        // SplitMix64, so that a seed gives the same run on every machine.
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let share = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        let wait_ms = -(1.0 - share).ln() * mean_s as f64 * 1_000.0;
        self.now_ms + (wait_ms as u64).max(1)
    }
}

fn moment(at_ms: u64) -> Moment {
    Moment { steady_ms: at_ms, wall_ms: START_WALL_MS + at_ms }
}
