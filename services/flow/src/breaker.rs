//! Circuit breaker: stops asking what does not answer, and tries again carefully.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Buckets of the rolling window.
const BUCKETS: usize = 10;

barrage_part::part! {
    /// Circuit breaker: conditions under which a dependency is not asked.
    pub struct BreakerConfig {
        /// Length of the rolling window of calls, in milliseconds.
        window_ms: u64 = 10_000, between(100, 600_000);
        /// Calls in the window below which the breaker stays closed.
        calls_min: u32 = 10, between(1, 1_000_000);
        /// Share of calls that failed or timed out at which the breaker opens.
        failure_share: f64 = 0.5, SHARE;
        /// Time after which a call counts as slow, even if it succeeds, in milliseconds.
        slow_ms: u64 = 1_000, between(1, 600_000);
        /// Share of slow calls at which the breaker opens.
        slow_share: f64 = 0.8, SHARE;
        /// Pause before the first probe, in milliseconds; doubled after each failed probe.
        pause_ms: u64 = 500, between(1, 600_000);
        /// Longest pause, in milliseconds; at least `pause_ms`.
        pause_ms_max: u64 = 15_000, between(1, 3_600_000);
        /// Calls that the breaker lets through as probes; all must succeed to close the breaker.
        probes: u32 = 3, between(1, 1_000);
    }
}

/// What an operator set by hand; it outranks what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    /// Nothing: the calls decide.
    #[default]
    No,
    /// No call is let through.
    Open,
    /// Every call is let through, whatever becomes of it.
    Closed,
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// A few calls go through, to try.
    HalfOpen,
    /// No call goes through.
    Open,
}

impl BreakerState {
    /// Its name in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half-open",
            BreakerState::Open => "open",
        }
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// It was answered.
    Answered,
    /// It failed, or no answer came within its deadline.
    Failed,
    /// Its caller gave it up: it says nothing about the dependency.
    GivenUp,
}

/// Leave to make one call; bring it back with [`Breaker::tell`].
#[derive(Debug)]
#[must_use = "a permit that is not told back holds a probe's place"]
pub struct Permit {
    /// The period that it was given in: what a call of an earlier one says is passed over.
    period: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    calls: u32,
    failed: u32,
    slow: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed,
    Open { until: Duration },
    HalfOpen { under_way: u32, answered: u32 },
}

/// Law: closed, every call passes. When among at least `calls_min` calls of the
/// window the share of failures or of slow ones reaches its bound, it opens: no call
/// passes for a pause. Then `probes` calls pass; if all are answered it closes and
/// forgets, if one fails it opens again for twice the pause, up to a bound.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    phase: Phase,
    forced: Forced,
    counts: [Counts; BUCKETS],
    /// Number of the newest bucket since the origin.
    newest: u64,
    pause: Duration,
    /// Counts the changes of phase.
    period: u64,
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        let pause = Duration::from_millis(config.pause_ms);
        Breaker {
            config,
            phase: Phase::Closed,
            forced: Forced::No,
            counts: [Counts::default(); BUCKETS],
            newest: 0,
            pause,
            period: 0,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match (self.forced, self.phase) {
            (Forced::Open, _) => BreakerState::Open,
            (Forced::Closed, _) | (Forced::No, Phase::Closed) => BreakerState::Closed,
            (Forced::No, Phase::Open { .. }) => BreakerState::Open,
            (Forced::No, Phase::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }

    /// Sets it by hand, or lets the calls decide again, from anew.
    pub fn force(&mut self, forced: Forced) {
        if self.forced != forced {
            self.forced = forced;
            self.close();
        }
    }

    /// Whether a call may be made; `Err` says when to ask again.
    pub fn ask(&mut self, now: Duration) -> Result<Permit, Duration> {
        match self.forced {
            Forced::Open => return Err(Duration::from_millis(self.config.pause_ms_max)),
            Forced::Closed => return Ok(Permit { period: self.period }),
            Forced::No => {}
        }
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err(until - now);
            }
            self.enter(Phase::HalfOpen { under_way: 0, answered: 0 });
        }
        if let Phase::HalfOpen { under_way, answered } = &mut self.phase {
            if *under_way + *answered >= self.config.probes.max(1) {
                return Err(self.pause);
            }
            *under_way += 1;
        }
        Ok(Permit { period: self.period })
    }

    /// Takes what became of a call.
    #[allow(clippy::needless_pass_by_value, reason = "a permit is told back once")]
    pub fn tell(&mut self, permit: Permit, outcome: CallOutcome, took: Duration, now: Duration) {
        if permit.period != self.period || self.forced != Forced::No {
            return;
        }
        match &mut self.phase {
            Phase::Closed => {
                if outcome != CallOutcome::GivenUp {
                    self.count(outcome, took, now);
                }
            }
            Phase::HalfOpen { under_way, answered } => {
                *under_way = under_way.saturating_sub(1);
                match outcome {
                    CallOutcome::GivenUp => {}
                    CallOutcome::Failed => self.open(now),
                    CallOutcome::Answered => {
                        *answered += 1;
                        if *answered >= self.config.probes.max(1) {
                            self.close();
                        }
                    }
                }
            }
            // An earlier period's calls were sorted out above.
            Phase::Open { .. } => {}
        }
    }

    fn count(&mut self, outcome: CallOutcome, took: Duration, now: Duration) {
        self.advance(now);
        let slot = usize::try_from(self.newest % BUCKETS as u64).expect("below ten");
        let counts = &mut self.counts[slot];
        counts.calls = counts.calls.saturating_add(1);
        counts.failed = counts.failed.saturating_add(u32::from(outcome == CallOutcome::Failed));
        let is_slow = took > Duration::from_millis(self.config.slow_ms);
        counts.slow = counts.slow.saturating_add(u32::from(is_slow));
        let sum = |of: fn(&Counts) -> u32| self.counts.iter().map(|c| f64::from(of(c))).sum::<f64>();
        let calls = sum(|c| c.calls);
        let is_down = sum(|c| c.failed) >= self.config.failure_share * calls
            || sum(|c| c.slow) >= self.config.slow_share * calls;
        if calls >= f64::from(self.config.calls_min.max(1)) && is_down {
            self.pause = Duration::from_millis(self.config.pause_ms);
            self.phase = Phase::Open { until: now + self.pause };
            self.period += 1;
        }
    }

    /// Forgets what is older than the window.
    fn advance(&mut self, now: Duration) {
        let width_ms = u128::from(self.config.window_ms / BUCKETS as u64).max(1);
        let bucket = u64::try_from(now.as_millis() / width_ms).unwrap_or(u64::MAX);
        let passed = bucket.saturating_sub(self.newest).min(BUCKETS as u64);
        self.newest = self.newest.max(bucket);
        for step in 0..passed {
            let slot = usize::try_from((self.newest - step) % BUCKETS as u64).expect("below ten");
            self.counts[slot] = Counts::default();
        }
    }

    fn open(&mut self, now: Duration) {
        self.pause = (self.pause * 2).min(Duration::from_millis(self.config.pause_ms_max));
        self.enter(Phase::Open { until: now + self.pause });
    }

    fn close(&mut self) {
        self.pause = Duration::from_millis(self.config.pause_ms);
        self.counts = [Counts::default(); BUCKETS];
        self.enter(Phase::Closed);
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.period += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAST: Duration = Duration::from_millis(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn call(breaker: &mut Breaker, outcome: CallOutcome, took: Duration, now: Duration) {
        let permit = breaker.ask(now).expect("a call passes");
        breaker.tell(permit, outcome, took, now);
    }

    #[test]
    fn failures_open_it_and_probes_close_it() {
        let mut breaker = Breaker::new(BreakerConfig::default());
        for _ in 0..5 {
            call(&mut breaker, CallOutcome::Answered, FAST, ms(0));
        }
        for _ in 0..5 {
            assert_eq!(breaker.state(), BreakerState::Closed);
            call(&mut breaker, CallOutcome::Failed, FAST, ms(1));
        }
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.ask(ms(101)).unwrap_err(), ms(400));
        // A failed probe doubles the pause.
        call(&mut breaker, CallOutcome::Failed, FAST, ms(501));
        assert_eq!(breaker.ask(ms(501)).unwrap_err(), ms(1_000));
        let permits: Vec<_> = (0..3).map(|_| breaker.ask(ms(1_501)).unwrap()).collect();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(breaker.ask(ms(1_501)).is_err(), "no more than three try");
        for permit in permits {
            breaker.tell(permit, CallOutcome::Answered, FAST, ms(1_502));
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn slow_calls_open_it_too_and_old_ones_are_forgotten() {
        let mut breaker = Breaker::new(BreakerConfig::default());
        for _ in 0..9 {
            call(&mut breaker, CallOutcome::Answered, ms(2_000), ms(0));
        }
        // The window has passed.
        call(&mut breaker, CallOutcome::Answered, ms(2_000), ms(11_000));
        assert_eq!(breaker.state(), BreakerState::Closed);
        for _ in 0..9 {
            call(&mut breaker, CallOutcome::Answered, ms(2_000), ms(12_000));
        }
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room() {
        let config = BreakerConfig { calls_min: 1, probes: 1, ..BreakerConfig::default() };
        let mut breaker = Breaker::new(config);
        call(&mut breaker, CallOutcome::Failed, FAST, ms(0));
        call(&mut breaker, CallOutcome::GivenUp, FAST, ms(600));
        call(&mut breaker, CallOutcome::Answered, FAST, ms(700));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn by_hand_outranks_what_is_measured() {
        let mut breaker = Breaker::new(BreakerConfig { calls_min: 1, ..BreakerConfig::default() });
        breaker.force(Forced::Closed);
        for _ in 0..20 {
            call(&mut breaker, CallOutcome::Failed, FAST, ms(0));
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.force(Forced::Open);
        assert!(breaker.ask(ms(1_000_000)).is_err());
        breaker.force(Forced::No);
        call(&mut breaker, CallOutcome::Answered, FAST, ms(0));
        call(&mut breaker, CallOutcome::Failed, FAST, ms(0));
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    proptest! {
        /// Half-open, it lets through no more calls than its probes, however many are under way; a
        /// call that was given up makes room for another. A dependency that is well again is always
        /// used again.
        #[test]
        fn breaker_limits_probes_and_recovers(
            steps in prop::collection::vec((0_u64..3_000, 0_u8..3, 0_usize..4), 1..200),
            probes in 1_u32..5,
        ) {
            let mut breaker = Breaker::new(BreakerConfig { calls_min: 2, probes, ..BreakerConfig::default() });
            let mut now = Duration::ZERO;
            let mut under_way = Vec::new();
            // Of the half-open period that this is the number of.
            let (mut period, mut tries) = (0, 0);
            for (gap_ms, outcome, under_way_max) in steps {
                now += ms(gap_ms);
                if let Ok(permit) = breaker.ask(now) {
                    if breaker.state() == BreakerState::HalfOpen {
                        tries = if breaker.period == period { tries + 1 } else { 1 };
                        period = breaker.period;
                        prop_assert!(tries <= probes, "{tries} calls to try, where {probes} are allowed");
                    }
                    under_way.push(permit);
                } else {
                    prop_assert_ne!(breaker.state(), BreakerState::Closed);
                }
                while under_way.len() > under_way_max {
                    let permit = under_way.remove(0);
                    let outcome = [CallOutcome::Answered, CallOutcome::Failed, CallOutcome::GivenUp][usize::from(outcome)];
                    let is_probe = breaker.state() == BreakerState::HalfOpen && permit.period == breaker.period;
                    if is_probe && outcome == CallOutcome::GivenUp {
                        tries -= 1;
                    }
                    breaker.tell(permit, outcome, FAST, now);
                }
            }
            for permit in under_way {
                breaker.tell(permit, CallOutcome::GivenUp, FAST, now);
            }
            for _ in 0..5 {
                now += ms(15_000);
                if let Ok(permit) = breaker.ask(now) {
                    breaker.tell(permit, CallOutcome::Answered, FAST, now);
                }
            }
            prop_assert_eq!(breaker.state(), BreakerState::Closed);
        }
    }
}
