use std::time::Duration;

/// Weight of one sample in the means: the estimate follows the last hundred samples or so.
const WEIGHT: f64 = 1.0 / 32.0;
/// A sample counts as this many times its estimate at most: a thread that was preempted did no work meanwhile.
const OUTLIER: f64 = 4.0;
/// Spread of the units, relative to their mean, below which the samples say little about the cost of a unit.
const SPREAD_MIN: f64 = 0.1;

/// Range of a cost. An estimate outside is a defect of the measurement, and is cut.
#[derive(Debug, Clone, Copy)]
pub struct CostRange {
    /// Least fixed cost of a piece of work.
    pub fixed_min: Duration,
    /// Greatest fixed cost of a piece of work.
    pub fixed_max: Duration,
    /// Greatest cost of one unit.
    pub unit_max: Duration,
}

/// Cost of one kind of work on this machine: a fixed part, and a part for each unit of the work. Estimated
/// from measured pieces of work; pure.
///
/// Units are bytes of a write, or messages of a read. The fit is by least squares, and forgets: each sample
/// moves the means by 1/32. While all pieces have about the same number of units, the whole cost
/// counts as fixed.
#[derive(Debug, Clone)]
pub struct Cost {
    range: CostRange,
    /// Mean of the units; `None` before the first sample.
    mean_units: Option<f64>,
    nanos: f64,
    variance: f64,
    covariance: f64,
}

impl Cost {
    /// Starts with an assumed fixed cost, which the samples replace.
    #[must_use]
    pub fn new(assumed: Duration, range: CostRange) -> Self {
        Cost { range, mean_units: None, nanos: nanos(assumed), variance: 0.0, covariance: 0.0 }
    }

    /// Takes one measured piece of work of so many units.
    pub fn measure(&mut self, units: f64, took: Duration) {
        let mean_units = self.mean_units.unwrap_or(units);
        let (by_units, more) =
            (units - mean_units, (units - mean_units).max(0.0) * nanos(self.range.unit_max));
        let estimate = self.nanos.max(nanos(self.range.fixed_min)) + more;
        let by_nanos = nanos(took).min(estimate * OUTLIER) - self.nanos;
        self.mean_units = Some(mean_units + WEIGHT * by_units);
        self.nanos += WEIGHT * by_nanos;
        self.variance = (1.0 - WEIGHT) * (self.variance + WEIGHT * by_units * by_units);
        self.covariance = (1.0 - WEIGHT) * (self.covariance + WEIGHT * by_units * by_nanos);
    }

    /// Cost of a piece of work as large as the measured ones were on average.
    #[must_use]
    pub fn mean(&self) -> Duration {
        duration(self.nanos.clamp(nanos(self.range.fixed_min), self.mean_max()))
    }

    /// Cost of a piece of work of no units, within the range.
    #[must_use]
    pub fn fixed(&self) -> Duration {
        let fixed = self.nanos - self.per_unit() * self.units();
        duration(fixed.clamp(nanos(self.range.fixed_min), nanos(self.range.fixed_max)))
    }

    /// Nanoseconds for each unit, within the range.
    fn per_unit(&self) -> f64 {
        let spread = SPREAD_MIN * self.units();
        let variance = self.variance + spread * spread;
        let slope = if variance > 0.0 { self.covariance / variance } else { 0.0 };
        slope.clamp(0.0, nanos(self.range.unit_max))
    }

    fn units(&self) -> f64 {
        self.mean_units.unwrap_or_default()
    }

    fn mean_max(&self) -> f64 {
        nanos(self.range.fixed_max) + self.units() * nanos(self.range.unit_max)
    }
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

fn duration(nanos: f64) -> Duration {
    Duration::from_nanos(nanos.max(0.0).round() as u64)
}

/// Returns the shortest interval between two pieces of work at which their fixed cost takes this share of the
/// time.
#[must_use]
pub fn interval_at_share(cost: Duration, share: f64) -> Duration {
    duration((nanos(cost) / share.max(0.000_1)).min(nanos(Duration::from_secs(3_600))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RANGE: CostRange = CostRange {
        fixed_min: Duration::from_nanos(200),
        fixed_max: Duration::from_micros(100),
        unit_max: Duration::from_nanos(5),
    };

    fn us(us: f64) -> Duration {
        Duration::from_secs_f64(us / 1e6)
    }

    fn new() -> Cost {
        Cost::new(us(5.0), RANGE)
    }

    #[test]
    fn the_assumed_cost_counts_until_there_are_samples() {
        assert_eq!((new().fixed(), new().mean()), (us(5.0), us(5.0)));
    }

    #[test]
    fn a_machine_that_becomes_slow_is_noticed_within_two_hundred_samples() {
        let mut cost = new();
        (0..200).for_each(|_| cost.measure(4_000.0, us(20.0)));
        assert!((cost.mean().as_secs_f64() - 20e-6).abs() < 1e-6, "{:?}", cost.mean());
    }

    #[test]
    fn one_preempted_sample_moves_the_estimate_by_a_tenth_at_most() {
        let mut cost = new();
        (0..200).for_each(|_| cost.measure(4_000.0, us(5.0)));
        cost.measure(4_000.0, us(20_000.0));
        assert!(cost.mean() < us(5.5), "{:?}", cost.mean());
    }

    #[test]
    fn equal_pieces_say_nothing_about_a_unit() {
        let mut cost = new();
        (0..200).for_each(|_| cost.measure(12_000.0, us(8.0)));
        assert!(cost.fixed() > us(7.9), "{:?}", cost.fixed());
    }

    #[test]
    fn an_interval_at_a_share_is_the_cost_divided_by_it() {
        assert_eq!(interval_at_share(us(20.0), 0.01), Duration::from_millis(2));
        assert_eq!(interval_at_share(Duration::ZERO, 0.01), Duration::ZERO);
        assert_eq!(interval_at_share(Duration::MAX, 0.0), Duration::from_secs(3_600));
    }

    proptest! {
        /// Pieces of different sizes separate the fixed part from the part of a unit, on a fast and on a slow
        /// machine.
        #[test]
        fn both_parts_of_a_cost_are_found(fixed_us in 0.5_f64..50.0, byte_ns in 0.0_f64..2.0, sizes in prop::collection::vec(100.0_f64..60_000.0, 400..600)) {
            let mut cost = new();
            for bytes in sizes {
                cost.measure(bytes, us(fixed_us + bytes * byte_ns / 1e3));
            }
            let found_us = cost.fixed().as_secs_f64() * 1e6;
            prop_assert!((found_us - fixed_us).abs() <= 0.5 + 0.1 * fixed_us + 3.0 * byte_ns, "{found_us} instead of {fixed_us}");
        }

        /// Whatever is measured, the estimates stay in their range.
        #[test]
        fn estimates_stay_in_their_range(samples in prop::collection::vec((0.0_f64..1e6, 0_u64..10_000_000_000), 1..300)) {
            let mut cost = new();
            for (units, took_ns) in samples {
                cost.measure(units, Duration::from_nanos(took_ns));
                prop_assert!((RANGE.fixed_min..=RANGE.fixed_max).contains(&cost.fixed()));
                prop_assert!(cost.mean() >= RANGE.fixed_min);
                prop_assert!(cost.mean() <= RANGE.fixed_max + RANGE.unit_max * 1_000_000);
            }
        }
    }
}
