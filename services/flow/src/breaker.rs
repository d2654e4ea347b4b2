//! Circuit breaker: stops calls of a dependency that fails, and probes it before calls resume.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Buckets of the rolling window: calls leave it a tenth at a time.
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

/// State that an operator forces by hand; it overrides the measured state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    /// Not forced: the outcomes of calls decide.
    #[default]
    No,
    /// Open: no call passes until an operator changes it.
    Open,
    /// Closed: every call passes, also after failures.
    Closed,
}

/// Whether calls may be made, by their outcomes or by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// All calls may pass: the dependency answers, or an operator forces it.
    Closed,
    /// A few calls pass as probes; the others are refused.
    HalfOpen,
    /// No call passes: the dependency fails, or an operator forces it.
    Open,
}

impl BreakerState {
    /// Returns the state's name in logs, in lower case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half-open",
            BreakerState::Open => "open",
        }
    }
}

/// Result of a call, which the window of calls counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// The dependency answered in time; a slow answer also counts as slow.
    Answered,
    /// The call failed, or had no answer within its deadline.
    Failed,
    /// The caller gave up, which shows nothing about the dependency.
    Abandoned,
}

/// Permission for one call; its outcome is reported with [`Breaker::record`].
#[derive(Debug)]
#[must_use = "a permit without a recorded outcome occupies the slot of a probe"]
pub struct Permit {
    /// Period in which the permit was given: outcomes of an earlier period are ignored.
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
    HalfOpen { in_flight: u32, answered: u32 },
}

/// A circuit breaker. Closed, every call passes. When among at least `calls_min` calls of the window
/// the share of failed or of slow calls reaches its maximum, the breaker opens: no call passes for a
/// pause. Then `probes` calls pass. If all are answered, the breaker closes and forgets its counts;
/// if one fails, it opens again for twice the pause, up to `pause_ms_max`.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    phase: Phase,
    forced: Forced,
    counts: [Counts; BUCKETS],
    /// Number of the newest bucket since the origin.
    newest: u64,
    pause: Duration,
    /// Number of changes of the phase, by which a late outcome is recognized.
    period: u64,
}

impl Breaker {
    /// Creates a closed breaker with empty counts, not forced.
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

    /// Returns the current state; a forced one overrides the measured one.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match (self.forced, self.phase) {
            (Forced::Open, _) => BreakerState::Open,
            (Forced::Closed, _) | (Forced::No, Phase::Closed) => BreakerState::Closed,
            (Forced::No, Phase::Open { .. }) => BreakerState::Open,
            (Forced::No, Phase::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }

    /// Forces the state by hand, or lets the outcomes decide again, with empty counts.
    pub fn force(&mut self, forced: Forced) {
        if self.forced != forced {
            self.forced = forced;
            self.close();
        }
    }

    /// Returns a permit for one call; fails with the time after which to try again.
    pub fn acquire(&mut self, now: Duration) -> Result<Permit, Duration> {
        match self.forced {
            Forced::Open => return Err(Duration::from_millis(self.config.pause_ms_max)),
            Forced::Closed => return Ok(Permit { period: self.period }),
            Forced::No => {}
        }
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err(until - now);
            }
            self.enter(Phase::HalfOpen { in_flight: 0, answered: 0 });
        }
        if let Phase::HalfOpen { in_flight, answered } = &mut self.phase {
            if *in_flight + *answered >= self.config.probes.max(1) {
                return Err(self.pause);
            }
            *in_flight += 1;
        }
        Ok(Permit { period: self.period })
    }

    /// Records the outcome of a call. Ignores it when the phase has changed since the permit, or the state is
    /// forced.
    #[allow(clippy::needless_pass_by_value, reason = "the outcome of a permit is recorded once")]
    pub fn record(&mut self, permit: Permit, outcome: CallOutcome, took: Duration, now: Duration) {
        if permit.period != self.period || self.forced != Forced::No {
            return;
        }
        match &mut self.phase {
            Phase::Closed => {
                if outcome != CallOutcome::Abandoned {
                    self.count(outcome, took, now);
                }
            }
            Phase::HalfOpen { in_flight, answered } => {
                *in_flight = in_flight.saturating_sub(1);
                match outcome {
                    CallOutcome::Abandoned => {}
                    CallOutcome::Failed => self.open(now),
                    CallOutcome::Answered => {
                        *answered += 1;
                        if *answered >= self.config.probes.max(1) {
                            self.close();
                        }
                    }
                }
            }
            // Outcomes of earlier periods were ignored above.
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

    /// Forgets calls older than the window; a clock that steps back changes nothing.
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
        let permit = breaker.acquire(now).expect("a call passes");
        breaker.record(permit, outcome, took, now);
    }

    #[test]
    fn breaker_opens_after_failures_and_closes_after_successful_probes() {
        let mut breaker = Breaker::new(BreakerConfig::default());
        for _ in 0..5 {
            call(&mut breaker, CallOutcome::Answered, FAST, ms(0));
        }
        for _ in 0..5 {
            assert_eq!(breaker.state(), BreakerState::Closed);
            call(&mut breaker, CallOutcome::Failed, FAST, ms(1));
        }
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.acquire(ms(101)).unwrap_err(), ms(400));
        // A failed probe doubles the pause.
        call(&mut breaker, CallOutcome::Failed, FAST, ms(501));
        assert_eq!(breaker.acquire(ms(501)).unwrap_err(), ms(1_000));
        let permits: Vec<_> = (0..3).map(|_| breaker.acquire(ms(1_501)).unwrap()).collect();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(breaker.acquire(ms(1_501)).is_err(), "at most three probes pass");
        for permit in permits {
            breaker.record(permit, CallOutcome::Answered, FAST, ms(1_502));
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn breaker_opens_after_slow_calls_and_forgets_calls_older_than_the_window() {
        let mut breaker = Breaker::new(BreakerConfig::default());
        for _ in 0..9 {
            call(&mut breaker, CallOutcome::Answered, ms(2_000), ms(0));
        }
        // The first nine calls are older than the window.
        call(&mut breaker, CallOutcome::Answered, ms(2_000), ms(11_000));
        assert_eq!(breaker.state(), BreakerState::Closed);
        for _ in 0..9 {
            call(&mut breaker, CallOutcome::Answered, ms(2_000), ms(12_000));
        }
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn an_abandoned_probe_frees_its_slot() {
        let config = BreakerConfig { calls_min: 1, probes: 1, ..BreakerConfig::default() };
        let mut breaker = Breaker::new(config);
        call(&mut breaker, CallOutcome::Failed, FAST, ms(0));
        call(&mut breaker, CallOutcome::Abandoned, FAST, ms(600));
        call(&mut breaker, CallOutcome::Answered, FAST, ms(700));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_forced_state_overrides_the_measured_one() {
        let mut breaker = Breaker::new(BreakerConfig { calls_min: 1, ..BreakerConfig::default() });
        breaker.force(Forced::Closed);
        for _ in 0..20 {
            call(&mut breaker, CallOutcome::Failed, FAST, ms(0));
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.force(Forced::Open);
        assert!(breaker.acquire(ms(1_000_000)).is_err());
        breaker.force(Forced::No);
        call(&mut breaker, CallOutcome::Answered, FAST, ms(0));
        call(&mut breaker, CallOutcome::Failed, FAST, ms(0));
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    proptest! {
        /// A half-open breaker lets through no more calls than its probes, also while others are in flight; an
        /// abandoned call frees its slot. After a dependency has recovered, the breaker closes.
        #[test]
        fn breaker_limits_probes_and_recovers(
            steps in prop::collection::vec((0_u64..3_000, 0_u8..3, 0_usize..4), 1..200),
            probes in 1_u32..5,
        ) {
            let mut breaker = Breaker::new(BreakerConfig { calls_min: 2, probes, ..BreakerConfig::default() });
            let mut now = Duration::ZERO;
            let mut in_flight = Vec::new();
            // Probes of the half-open period with this number.
            let (mut period, mut tries) = (0, 0);
            for (gap_ms, outcome, in_flight_max) in steps {
                now += ms(gap_ms);
                if let Ok(permit) = breaker.acquire(now) {
                    if breaker.state() == BreakerState::HalfOpen {
                        tries = if breaker.period == period { tries + 1 } else { 1 };
                        period = breaker.period;
                        prop_assert!(tries <= probes, "{tries} probes passed, {probes} are allowed");
                    }
                    in_flight.push(permit);
                } else {
                    prop_assert_ne!(breaker.state(), BreakerState::Closed);
                }
                while in_flight.len() > in_flight_max {
                    let permit = in_flight.remove(0);
                    let outcome = [CallOutcome::Answered, CallOutcome::Failed, CallOutcome::Abandoned][usize::from(outcome)];
                    let is_probe = breaker.state() == BreakerState::HalfOpen && permit.period == breaker.period;
                    if is_probe && outcome == CallOutcome::Abandoned {
                        tries -= 1;
                    }
                    breaker.record(permit, outcome, FAST, now);
                }
            }
            for permit in in_flight {
                breaker.record(permit, CallOutcome::Abandoned, FAST, now);
            }
            for _ in 0..5 {
                now += ms(15_000);
                if let Ok(permit) = breaker.acquire(now) {
                    breaker.record(permit, CallOutcome::Answered, FAST, now);
                }
            }
            prop_assert_eq!(breaker.state(), BreakerState::Closed);
        }
    }
}
