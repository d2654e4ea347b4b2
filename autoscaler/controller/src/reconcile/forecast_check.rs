//! Compares forecasts with what came. Pure: time is a parameter.

use std::collections::VecDeque;
use std::time::Duration;

use barrage_scaling::Reason;

/// Forecasts that wait for their time: one a second for a quarter of an hour. Above, the oldest are
/// forgotten.
const WAITING_MAX: usize = 900;

/// Forecasts of one fleet whose time has not come, and the error of the newest one that has.
#[derive(Debug, Default)]
pub(crate) struct ForecastCheck {
    /// Time and viewers of each forecast.
    waiting: VecDeque<(Duration, f64)>,
    error_ratio: f64,
}

impl ForecastCheck {
    /// Takes the forecast of a decision. Returns the error of the newest forecast whose time has come, as
    /// a share of the viewers: 0.5 when one and a half times the viewers were forecast, -0.5 when half of
    /// them were; 0 before the first.
    pub(crate) fn take(&mut self, reason: &Reason, now: Duration) -> f64 {
        let came = reason.demand.viewers.max(1.0);
        let newest = self.waiting.iter().rev().find(|(at, _)| *at <= now);
        if let Some((_, forecast)) = newest {
            self.error_ratio = (forecast - came) / came;
        }
        self.waiting.retain(|(at, _)| *at > now);
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        let horizon = Duration::try_from_secs_f64(reason.forecast.horizon_secs).unwrap_or_default();
        self.waiting.push_back((now + horizon, reason.forecast.viewers.max(1.0)));
        self.error_ratio
    }
}

#[cfg(test)]
mod tests {
    use barrage_scaling::{Knee, Memory, Observation, PolicyConfig, decide};

    use super::*;

    fn reason(viewers: f64, forecast: f64) -> Reason {
        let knee = Knee {
            connections: 1_000.0,
            joins_per_s: 100.0,
            deliveries_per_s: None,
            egress_bytes_per_s: None,
            packets_per_s: None,
            cpu_cores: None,
            memory_bytes: None,
        };
        let policy = PolicyConfig::default();
        let mut reason = decide(&policy, &knee, &mut Memory::default(), &Observation::default()).reason;
        reason.demand.viewers = viewers;
        (reason.forecast.viewers, reason.forecast.horizon_secs) = (forecast, 30.0);
        reason
    }

    #[test]
    fn forecast_is_compared_with_the_viewers_at_its_time() {
        let mut check = ForecastCheck::default();
        let mut at =
            |secs, viewers, forecast| check.take(&reason(viewers, forecast), Duration::from_secs(secs));
        assert_eq!(at(0, 1_000.0, 3_000.0), 0.0);
        assert_eq!(at(29, 1_500.0, 1_000.0), 0.0, "its time has not come");
        assert_eq!(at(30, 2_000.0, 2_000.0), 0.5, "3,000 were forecast, 2,000 came");
        assert_eq!(at(59, 2_000.0, 2_000.0), -0.5, "1,000 were forecast");
        assert_eq!(at(61, 2_000.0, 2_000.0), 0.0);
    }

    #[test]
    fn waiting_forecasts_are_bounded() {
        let mut check = ForecastCheck::default();
        for _ in 0..2 * WAITING_MAX {
            check.take(&reason(1.0, 1.0), Duration::ZERO);
        }
        assert_eq!(check.waiting.len(), WAITING_MAX);
    }
}
