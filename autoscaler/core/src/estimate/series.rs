//! Samples of one figure over a window of time.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Samples of one figure, oldest first. Samples older than the window are dropped, and the oldest
/// one when there are more than a thousand.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Series {
    samples: VecDeque<(f64, f64)>,
}

/// Maximum number of samples in a series; a new sample beyond it drops the oldest.
const SAMPLES_MAX: usize = 1_000;

impl Series {
    /// Adds a sample, and drops samples older than `keep_secs`. A sample that is not later than the
    /// newest replaces it, so that a clock that stands still or steps back adds none.
    pub fn push(&mut self, now: Duration, value: f64, keep_secs: f64) {
        let at = now.as_secs_f64();
        while self.samples.back().is_some_and(|(newest, _)| *newest >= at) {
            self.samples.pop_back();
        }
        self.samples.push_back((at, value));
        while self.samples.front().is_some_and(|(oldest, _)| at - oldest > keep_secs)
            || self.samples.len() > SAMPLES_MAX
        {
            self.samples.pop_front();
        }
    }

    fn within(&self, secs: f64) -> impl Iterator<Item = (f64, f64)> + '_ {
        let newest = self.samples.back().map_or(0.0, |(at, _)| *at);
        self.samples.iter().rev().copied().take_while(move |(at, _)| newest - at <= secs)
    }

    /// Growth per second over the window, by least squares; 0 with fewer than two samples.
    #[must_use]
    pub fn slope(&self, secs: f64) -> f64 {
        let newest = self.samples.back().map_or(0.0, |(at, _)| *at);
        let (mut n, mut t, mut v, mut tt, mut tv) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (at, value) in self.within(secs) {
            let at = at - newest;
            n += 1.0;
            t += at;
            v += value;
            tt += at * at;
            tv += at * value;
        }
        let spread = n * tt - t * t;
        if spread > 1e-9 { (n * tv - t * v) / spread } else { 0.0 }
    }

    /// Greatest sample of the window; 0 when there is none.
    #[must_use]
    pub fn max(&self, secs: f64) -> f64 {
        self.within(secs).fold(0.0, |most, (_, value)| most.max(value))
    }

    /// Mean of the samples in the window; 0 when there is none.
    #[must_use]
    pub fn mean(&self, secs: f64) -> f64 {
        let (n, sum) = self.within(secs).fold((0.0, 0.0), |(n, sum), (_, value)| (n + 1.0, sum + value));
        if n > 0.0 { sum / n } else { 0.0 }
    }

    /// Time from the oldest sample to the newest, in seconds.
    #[must_use]
    pub fn span_secs(&self) -> f64 {
        match (self.samples.front(), self.samples.back()) {
            (Some((oldest, _)), Some((newest, _))) => newest - oldest,
            _ => 0.0,
        }
    }

    /// Returns the newest value; `None` when the series is empty.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.samples.back().map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slope_of_a_straight_line_is_exact(start in -1e6..1e6, slope in -1e4..1e4_f64, window in 4.0..60.0_f64) {
            let mut series = Series::default();
            for second in (0..100).step_by(2) {
                series.push(Duration::from_secs(second), start + slope * second as f64, 60.0);
            }
            prop_assert!((series.slope(window) - slope).abs() < 1e-3 * slope.abs().max(1.0));
        }

        #[test]
        fn maximum_ignores_samples_outside_the_window(values in prop::collection::vec(0.0..1e6_f64, 1..200), window in 0_usize..60) {
            let mut series = Series::default();
            for (second, value) in values.iter().enumerate() {
                series.push(Duration::from_secs(second as u64), *value, 60.0);
            }
            let first = values.len().saturating_sub(window + 1);
            let expected = values[first..].iter().fold(0.0, |most: f64, value| most.max(*value));
            prop_assert_eq!(series.max(window as f64), expected);
        }
    }

    #[test]
    fn samples_stay_ordered_and_bounded_when_the_clock_steps_back() {
        let mut series = Series::default();
        for at in [5, 6, 7, 3, 4] {
            series.push(Duration::from_secs(at), at as f64, 60.0);
        }
        assert_eq!(series.span_secs(), 1.0);
        assert_eq!(series.last(), Some(4.0));
        for step in 0..5_000 {
            series.push(Duration::from_millis(10_000 + step), 0.0, 60.0);
        }
        assert_eq!(series.samples.len(), SAMPLES_MAX);
    }
}
