/// Share of a shard's time up to which windows keep their configured length. The other half is for joins,
/// bursts and the machine's other work.
const BUSY_SHARE: f64 = 0.5;
/// Share of the other work to which a stretch brings the fixed cost of writes down at most. Beyond, a longer
/// window would cost time and save little: bytes cost the same in any window.
const FIXED_SHARE_MIN: f64 = 0.25;
/// Weight of one measurement, taken ten times a second: a second of history.
const WEIGHT: f64 = 0.1;
/// Factors by which the stretch rises and falls with each measurement at most.
const RISE_MAX: f64 = 1.1;
const FALL_MAX: f64 = 0.97;

/// Factor on the batching windows that follows from the measured cost of writes; pure.
///
/// A write costs a fixed part for each viewer, and a part for each byte. A window that is twice as long halves
/// the fixed parts. Law: the factor is the least at which the busiest shard works half of the time. It is
/// no longer than a window at which the fixed parts are a quarter of the other work.
#[derive(Debug)]
pub(crate) struct WindowStretch {
    stretch: f64,
    busy: f64,
    windowed: f64,
}

/// Shares of the busiest shard's time since the last measurement, and the factor in force meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FanOutShares {
    /// Share in which the shard worked, 0 to 1.
    pub(crate) busy: f64,
    /// Share of the fixed parts of writes whose batch waited for its window.
    pub(crate) windowed: f64,
    /// Factor on the windows that the overload level had beside this one; 1 at least.
    pub(crate) beside: f64,
}

impl WindowStretch {
    pub(crate) fn new() -> Self {
        WindowStretch { stretch: 1.0, busy: 0.0, windowed: 0.0 }
    }

    /// Takes a measurement, and returns the factor: from 1 to `stretch_max`.
    pub(crate) fn measure(&mut self, shares: FanOutShares, stretch_max: f64) -> f64 {
        let stretch_max = stretch_max.max(1.0);
        let in_force = (self.stretch * shares.beside.max(1.0)).min(stretch_max);
        let busy = shares.busy.clamp(0.0, 1.0);
        self.busy += WEIGHT * (busy - self.busy);
        // What the fixed parts would take in windows of the configured length.
        self.windowed += WEIGHT * (shares.windowed.clamp(0.0, busy) * in_force - self.windowed);
        let rest = (self.busy - self.windowed / in_force).max(0.0);
        let for_share = self.windowed / (BUSY_SHARE - rest).max(f64::EPSILON);
        let for_gain = self.windowed / (rest * FIXED_SHARE_MIN).max(f64::EPSILON);
        let wanted = for_share.min(for_gain);
        let (least, most) = (self.stretch * FALL_MAX, self.stretch * RISE_MAX);
        self.stretch = wanted.clamp(least, most).clamp(1.0, stretch_max);
        self.stretch
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A shard whose windowed writes take `fixed` of its time in the configured window, and the rest `rest`,
    /// for 20 seconds; returns the factor and how much of the time the shard then works.
    fn settled(fixed: f64, rest: f64, stretch_max: f64) -> (f64, f64) {
        let (mut stretch, mut factor) = (WindowStretch::new(), 1.0);
        for _ in 0..200 {
            let windowed = fixed / factor;
            // A shard that cannot keep up works all the time.
            let busy = f64::min(windowed + rest, 1.0);
            let windowed = windowed * busy / (windowed + rest).max(f64::EPSILON);
            factor = stretch.measure(FanOutShares { busy, windowed, beside: 1.0 }, stretch_max);
        }
        (factor, fixed / factor + rest)
    }

    #[test]
    fn a_shard_that_works_less_than_half_of_the_time_keeps_its_windows() {
        assert_eq!(settled(0.35, 0.1, 10.0).0, 1.0);
    }

    #[test]
    fn windows_grow_until_the_shard_works_half_of_the_time() {
        let (factor, busy) = settled(0.9, 0.1, 10.0);
        assert!((factor - 2.25).abs() < 0.2 && (busy - 0.5).abs() < 0.05, "{factor}, {busy}");
        // A machine on which a write costs three times as much.
        let (factor, busy) = settled(2.7, 0.1, 10.0);
        assert!((factor - 6.75).abs() < 0.6 && (busy - 0.5).abs() < 0.05, "{factor}, {busy}");
    }

    #[test]
    fn windows_do_not_grow_where_bytes_are_the_cost() {
        let (factor, _) = settled(0.2, 0.75, 10.0);
        assert!((factor - 0.2 / (0.75 * 0.25)).abs() < 0.05, "{factor}");
    }

    #[test]
    fn a_factor_of_the_overload_level_counts_as_one_in_force() {
        let mut stretch = WindowStretch::new();
        let shares = FanOutShares { busy: 0.6, windowed: 0.5, beside: 2.0 };
        let factor = (0..200).map(|_| stretch.measure(shares, 10.0)).last().unwrap();
        assert!(factor > 2.0, "the level's factor alone is not enough: {factor}");
    }

    proptest! {
        /// Whatever is measured, the factor is in its range and moves by a tenth at most.
        #[test]
        fn the_factor_is_bounded_and_steady(shares in prop::collection::vec((0.0_f64..2.0, 0.0_f64..2.0, 0.0_f64..8.0), 1..200), max in 0.5_f64..20.0) {
            let (mut stretch, mut before) = (WindowStretch::new(), 1.0);
            for (busy, windowed, beside) in shares {
                let factor = stretch.measure(FanOutShares { busy, windowed, beside }, max);
                prop_assert!((1.0..=max.max(1.0)).contains(&factor));
                prop_assert!(factor <= before * RISE_MAX + 1e-9 && factor >= before * FALL_MAX - 1e-9);
                before = factor;
            }
        }

        /// On any machine, the shard ends at half of its time, at the greatest factor, or where a longer window
        /// saves little.
        #[test]
        fn it_settles(fixed in 0.0_f64..5.0, rest in 0.0_f64..0.9) {
            let (factor, busy) = settled(fixed, rest, 10.0);
            let saves_little = fixed / factor <= 0.3 * rest;
            prop_assert!(busy <= 0.55 || factor > 9.0 || saves_little, "{factor} {busy}");
        }
    }
}
