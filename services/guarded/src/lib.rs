//! Calls of outside dependencies, behind a circuit breaker and under a deadline.
//!
//! [`Guarded`] is the shell around the pure [`barrage_flow::Breaker`]: it reads the clock, ends a
//! call at its deadline, counts the outcome and logs changes of state. The services call every
//! dependency that may be away (Redis, the moderation hook) through one.

use std::fmt::Display;
use std::time::{Duration, Instant};

use barrage_flow::{Breaker, BreakerConfig, BreakerState, CallOutcome, Forced, Permit};
use parking_lot::Mutex;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Why a guarded call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The breaker is open: the call was not made.
    #[error("the circuit breaker is open for the next {} ms", retry_after.as_millis())]
    Open {
        /// Time until the dependency is tried again.
        retry_after: Duration,
    },
    /// The deadline ended without an answer; the call was dropped.
    #[error("no answer came within the deadline")]
    Late,
    /// The dependency answered with this error, or could not be reached.
    #[error("{0}")]
    Failed(String),
}

/// Metrics of all breakers of a process.
#[derive(Debug, Clone)]
pub struct BreakerMetrics {
    state: IntGaugeVec,
    calls: IntCounterVec,
}

impl BreakerMetrics {
    /// Registers the metrics on `registry`; fails when they are registered there already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let state = Opts::new(
            "barrage_breaker_state",
            "State of the circuit breaker: 0 closed, 1 half-open, 2 open.",
        );
        let state = IntGaugeVec::new(state, &["breaker"])?;
        registry.register(Box::new(state.clone()))?;
        let calls = Opts::new("barrage_breaker_calls_total", "Calls of outside dependencies by outcome.");
        let calls = IntCounterVec::new(calls, &["breaker", "outcome"])?;
        registry.register(Box::new(calls.clone()))?;
        Ok(BreakerMetrics { state, calls })
    }
}

/// One dependency: calls pass its breaker and end at its deadline.
#[derive(Debug)]
pub struct Guarded {
    name: &'static str,
    breaker: Mutex<Breaker>,
    deadline: Duration,
    origin: Instant,
    state: IntGauge,
    calls: IntCounterVec,
}

impl Guarded {
    /// Creates a closed breaker. `name` identifies it in metrics, logs and switches.
    #[must_use]
    pub fn new(
        name: &'static str,
        config: BreakerConfig,
        deadline: Duration,
        metrics: &BreakerMetrics,
    ) -> Self {
        Guarded {
            name,
            breaker: Mutex::new(Breaker::new(config)),
            deadline,
            origin: barrage_clock::now(),
            state: metrics.state.with_label_values(&[name]),
            calls: metrics.calls.clone(),
        }
    }

    /// Returns the name in metrics, logs and switches.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the state of the breaker, forced or measured.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.breaker.lock().state()
    }

    /// Forces the breaker by hand, or returns it to the measured state.
    pub fn force(&self, forced: Forced) {
        let mut breaker = self.breaker.lock();
        let before = breaker.state();
        breaker.force(forced);
        self.changed(before, breaker.state());
    }

    /// Makes a call, unless the breaker is open, and waits for it up to the deadline. A call that
    /// the caller drops counts neither as answered nor as failed.
    pub async fn call<T, E: Display>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError> {
        let permit = self.acquire()?;
        let mut call_in_flight =
            CallInFlight { guarded: self, permit: Some(permit), began: barrage_clock::now() };
        let (result, outcome) = match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(value)) => (Ok(value), CallOutcome::Answered),
            Ok(Err(error)) => (Err(CallError::Failed(error.to_string())), CallOutcome::Failed),
            Err(_) => (Err(CallError::Late), CallOutcome::Failed),
        };
        let label = match &result {
            Ok(_) => "answered",
            Err(CallError::Late) => "late",
            Err(_) => "failed",
        };
        self.calls.with_label_values(&[self.name, label]).inc();
        call_in_flight.end(outcome);
        result
    }

    fn acquire(&self) -> Result<Permit, CallError> {
        let mut breaker = self.breaker.lock();
        let before = breaker.state();
        let acquired = breaker.acquire(self.origin.elapsed());
        self.changed(before, breaker.state());
        acquired.map_err(|retry_after| {
            self.calls.with_label_values(&[self.name, "refused"]).inc();
            CallError::Open { retry_after }
        })
    }

    fn changed(&self, before: BreakerState, after: BreakerState) {
        if before == after {
            return;
        }
        self.state.set(match after {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        });
        match after {
            // Once per outage, not for each probe that fails.
            BreakerState::Open if before == BreakerState::Closed => {
                tracing::warn!(
                    breaker = self.name,
                    "the circuit breaker opened: the dependency is not called"
                );
            }
            BreakerState::Open => tracing::debug!(breaker = self.name, "the circuit breaker stays open"),
            BreakerState::HalfOpen => {
                tracing::debug!(breaker = self.name, "the circuit breaker lets probes through")
            }
            BreakerState::Closed => tracing::info!(
                breaker = self.name,
                "the circuit breaker closed: the dependency is called again"
            ),
        }
    }
}

/// A call that was not answered yet. Dropping it returns its permit.
struct CallInFlight<'a> {
    guarded: &'a Guarded,
    permit: Option<Permit>,
    began: Instant,
}

impl CallInFlight<'_> {
    fn end(&mut self, outcome: CallOutcome) {
        let Some(permit) = self.permit.take() else { return };
        let mut breaker = self.guarded.breaker.lock();
        let before = breaker.state();
        breaker.record(permit, outcome, self.began.elapsed(), self.guarded.origin.elapsed());
        self.guarded.changed(before, breaker.state());
    }
}

impl Drop for CallInFlight<'_> {
    fn drop(&mut self) {
        self.end(CallOutcome::Abandoned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(config: BreakerConfig) -> Guarded {
        let metrics = BreakerMetrics::new(&Registry::new()).unwrap();
        Guarded::new("test", config, Duration::from_millis(20), &metrics)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_end_at_the_deadline_and_late_calls_open_the_breaker() {
        let config = BreakerConfig { calls_min: 3, pause_ms: 60_000, ..BreakerConfig::default() };
        let guarded = guarded(config);
        for _ in 0..3 {
            let began = tokio::time::Instant::now();
            let late = guarded.call(std::future::pending::<Result<(), String>>()).await;
            assert_eq!(late, Err(CallError::Late));
            assert_eq!(began.elapsed(), Duration::from_millis(20));
        }
        assert_eq!(guarded.state(), BreakerState::Open);
        assert_eq!(guarded.state.get(), 2);
        let refused = guarded.call(async { Ok::<_, String>(1) }).await;
        assert!(matches!(refused, Err(CallError::Open { .. })));
        guarded.force(Forced::Closed);
        assert_eq!(guarded.call(async { Ok::<_, String>(1) }).await, Ok(1));
    }

    #[tokio::test]
    async fn a_dropped_call_returns_its_permit() {
        let config = BreakerConfig { calls_min: 1, probes: 1, pause_ms: 0, ..BreakerConfig::default() };
        let guarded = guarded(config);
        assert!(guarded.call(async { Err::<(), _>("down") }).await.is_err());
        let dropped = guarded.call(std::future::pending::<Result<(), String>>());
        assert!(tokio::time::timeout(Duration::ZERO, dropped).await.is_err());
        assert_eq!(guarded.call(async { Ok::<_, String>(2) }).await, Ok(2));
        assert_eq!(guarded.state(), BreakerState::Closed);
    }
}
