//! Ranges of numbers that a field may have.

use std::fmt;

/// Values that a number may have, between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Lower bound of the range, included unless `is_least_excluded` is set.
    pub least: f64,
    /// Whether the lower bound itself is excluded.
    pub is_least_excluded: bool,
    /// Upper bound of the range, included; infinite when there is none.
    pub most: f64,
}

/// Range of 0 or more, for counts that may be zero.
pub const ANY: Range = at_least(0.0);
/// Range of 1 or more, for counts that may not be zero.
pub const ONE: Range = at_least(1.0);
/// Range of numbers above 1, for factors that must enlarge.
pub const OVER_ONE: Range = above(1.0);
/// Range of numbers above 0, however small.
pub const POSITIVE: Range = above(0.0);
/// Range above 0 up to 1, for shares of a whole.
pub const SHARE: Range = Range { most: 1.0, ..above(0.0) };
/// Range of percentages, 0 to 100, both included.
pub const PERCENT: Range = Range { most: 100.0, ..at_least(0.0) };

/// Whole numbers from `least` to `most`, both included. Bounds above 2^53 are rounded.
#[must_use]
pub const fn between(least: u64, most: u64) -> Range {
    Range { least: least as f64, is_least_excluded: false, most: most as f64 }
}

/// Returns the range of numbers from `least` on, `least` included.
#[must_use]
pub const fn at_least(least: f64) -> Range {
    Range { least, is_least_excluded: false, most: f64::INFINITY }
}

/// Returns the range of numbers above `least`.
#[must_use]
pub const fn above(least: f64) -> Range {
    Range { is_least_excluded: true, ..at_least(least) }
}

impl Range {
    /// Whether the range contains a value. No range contains NaN or an infinite value.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        let is_above = value > self.least || !self.is_least_excluded && value == self.least;
        value.is_finite() && is_above && value <= self.most
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { least, is_least_excluded, most } = self;
        match (is_least_excluded, most.is_finite()) {
            (false, true) => write!(f, "{least} to {most}"),
            (false, false) => write!(f, "{least} or more"),
            (true, true) => write!(f, "above {least} and at most {most}"),
            (true, false) => write!(f, "above {least}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_included_unless_excluded_and_no_range_contains_nan() {
        assert!(between(1, 3).contains(1.0) && between(1, 3).contains(3.0) && !between(1, 3).contains(3.5));
        assert!(!SHARE.contains(0.0) && SHARE.contains(1.0));
        assert!(!ANY.contains(f64::NAN) && !ANY.contains(f64::INFINITY) && ANY.contains(0.0));
    }

    #[test]
    fn ranges_are_described_in_words() {
        let words = [between(1, 9), ANY, POSITIVE, SHARE, PERCENT].map(|range| range.to_string());
        assert_eq!(words, ["1 to 9", "0 or more", "above 0", "above 0 and at most 1", "0 to 100"]);
    }
}
