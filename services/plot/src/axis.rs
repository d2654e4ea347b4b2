//! Scales of the two axes: places of ticks and grid lines.

/// The x axis of a plot. It begins at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XAxis {
    /// Axis of time in seconds, with ticks at round times.
    Seconds,
    /// Axis of time in minutes, with ticks at round times.
    Minutes,
    /// Any other quantity, with its unit or name.
    Quantity(&'static str),
}

/// Most ticks on a time axis, beside the one at 0.
const TICKS_MAX: f64 = 12.0;
/// Distances of ticks on a time axis, in units of the axis.
const TIME_STEPS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];

impl XAxis {
    /// Unit or name that follows the number at the first tick.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            XAxis::Seconds => "s",
            XAxis::Minutes => "min",
            XAxis::Quantity(name) => name,
        }
    }

    /// Places of the ticks from 0 to `largest`.
    pub(crate) fn ticks(self, largest: f64) -> impl Iterator<Item = f64> {
        let step = match self {
            XAxis::Seconds | XAxis::Minutes => {
                TIME_STEPS.into_iter().find(|step| largest / step <= TICKS_MAX).unwrap_or(7_200.0)
            }
            XAxis::Quantity(_) => step(largest),
        };
        // A cast from float saturates; a plot has a few ticks.
        (0..=(largest / step) as u32).map(move |n| f64::from(n) * step)
    }
}

/// A round distance between grid lines: about four of them up to `largest`.
pub(crate) fn step(largest: f64) -> f64 {
    if largest <= 0.0 || !largest.is_finite() {
        return 1.0;
    }
    let rough = largest / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (largest, expected) in [(1.0, 0.25), (7.0, 2.0), (100.0, 25.0), (1_900.0, 500.0), (0.0, 1.0)] {
            assert_eq!(step(largest), expected, "{largest}");
        }
    }

    #[test]
    fn time_axis_has_at_most_twelve_ticks_after_zero() {
        for largest in [1.0, 10.0, 59.0, 75.0, 600.0, 14_400.0] {
            let ticks: Vec<f64> = XAxis::Seconds.ticks(largest).collect();
            assert!(ticks[0] == 0.0 && ticks.len() <= 13 && ticks.len() > 1, "{largest}: {ticks:?}");
        }
    }
}
