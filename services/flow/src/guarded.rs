//! A dependency behind its breaker and its deadline: the only way that the services
//! call something that may be away.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::breaker::{Breaker, BreakerConfig, BreakerState, CallOutcome, Forced, Permit};

/// Why a guarded call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The breaker is open: nothing was asked.
    #[error("it is not asked for the next {} ms", retry_after.as_millis())]
    Open {
        /// When it will be asked again.
        retry_after: Duration,
    },
    /// No answer came within the deadline.
    #[error("no answer came within the deadline")]
    Late,
    /// The call failed.
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
    /// Registers on `registry`.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let state = Opts::new("barrage_breaker_state", "0 closed, 1 half-open, 2 open.");
        let state = IntGaugeVec::new(state, &["breaker"])?;
        registry.register(Box::new(state.clone()))?;
        let calls = Opts::new("barrage_breaker_calls_total", "Calls of outside dependencies.");
        let calls = IntCounterVec::new(calls, &["breaker", "outcome"])?;
        registry.register(Box::new(calls.clone()))?;
        Ok(BreakerMetrics { state, calls })
    }
}

/// One dependency: calls pass its breaker and end with its deadline.
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
    /// `name` is its label in metrics, in logs and among the switches.
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
            origin: Instant::now(),
            state: metrics.state.with_label_values(&[name]),
            calls: metrics.calls.clone(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where its breaker stands.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.breaker().state()
    }

    /// Sets it by hand.
    pub fn force(&self, forced: Forced) {
        let mut breaker = self.breaker();
        let before = breaker.state();
        breaker.force(forced);
        self.changed(before, breaker.state());
    }

    /// Makes a call, unless the breaker is open; waits no longer than the deadline.
    pub async fn call<T, E: Display>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError> {
        let permit = self.ask()?;
        let mut under_way = UnderWay { guarded: self, permit: Some(permit), began: Instant::now() };
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
        under_way.end(outcome);
        result
    }

    fn ask(&self) -> Result<Permit, CallError> {
        let mut breaker = self.breaker();
        let before = breaker.state();
        let asked = breaker.ask(self.origin.elapsed());
        self.changed(before, breaker.state());
        asked.map_err(|retry_after| {
            self.calls.with_label_values(&[self.name, "refused"]).inc();
            CallError::Open { retry_after }
        })
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
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
            // Once per outage, not at each probe that fails.
            BreakerState::Open if before == BreakerState::Closed => {
                tracing::warn!(breaker = self.name, "a dependency is not asked any more");
            }
            BreakerState::Open => tracing::debug!(breaker = self.name, "a dependency is still away"),
            BreakerState::HalfOpen => tracing::debug!(breaker = self.name, "a dependency is tried again"),
            BreakerState::Closed => tracing::info!(breaker = self.name, "a dependency is used again"),
        }
    }
}

/// A call that ends one way or the other: one that is dropped gives its permit back.
struct UnderWay<'a> {
    guarded: &'a Guarded,
    permit: Option<Permit>,
    began: Instant,
}

impl UnderWay<'_> {
    fn end(&mut self, outcome: CallOutcome) {
        let Some(permit) = self.permit.take() else { return };
        let mut breaker = self.guarded.breaker();
        let before = breaker.state();
        breaker.tell(permit, outcome, self.began.elapsed(), self.guarded.origin.elapsed());
        self.guarded.changed(before, breaker.state());
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.end(CallOutcome::GivenUp);
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
    async fn a_deadline_is_kept_and_enough_late_calls_open_it() {
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
    async fn a_call_that_is_dropped_gives_its_place_back() {
        let config = BreakerConfig { calls_min: 1, probes: 1, pause_ms: 0, ..BreakerConfig::default() };
        let guarded = guarded(config);
        assert!(guarded.call(async { Err::<(), _>("down") }).await.is_err());
        let dropped = guarded.call(std::future::pending::<Result<(), String>>());
        assert!(tokio::time::timeout(Duration::ZERO, dropped).await.is_err());
        assert_eq!(guarded.call(async { Ok::<_, String>(2) }).await, Ok(2));
        assert_eq!(guarded.state(), BreakerState::Closed);
    }
}
