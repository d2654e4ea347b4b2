//! Rules: the validated figures of a limit.

use std::num::NonZeroU32;
use std::time::Duration;

/// Longest period of a limit: arithmetic stays exact and a mistyped unit shows.
pub const PERIOD_MAX: Duration = Duration::from_secs(24 * 3600);

/// Why the figures of a limit are invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Units, burst or limit are zero: nothing would ever pass.
    #[error("a limit must admit at least one unit")]
    Zero,
    /// The period is below 1 microsecond or above 24 hours.
    #[error("a limit's period must be from 1 microsecond to 24 hours")]
    Period,
}

fn at_least_one(n: u32) -> Result<NonZeroU32, RuleError> {
    NonZeroU32::new(n).ok_or(RuleError::Zero)
}

fn period(period: Duration) -> Result<Duration, RuleError> {
    let range = Duration::from_micros(1)..=PERIOD_MAX;
    if range.contains(&period) { Ok(period) } else { Err(RuleError::Period) }
}

/// An average with bursts: `units` in each period, and at most `burst` units at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    units: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
}

impl Rate {
    /// Creates a rate of `units` in each period of `per`, with bursts of `burst` units.
    pub fn new(units: u32, per: Duration, burst: u32) -> Result<Self, RuleError> {
        Ok(Rate { units: at_least_one(units)?, per: period(per)?, burst: at_least_one(burst)? })
    }

    /// Creates a rate of `n` units a second, with bursts of `burst` units.
    pub fn per_sec(n: u32, burst: u32) -> Result<Self, RuleError> {
        Self::new(n, Duration::from_secs(1), burst)
    }

    /// Returns the units that pass on average in one period.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.units.get()
    }

    /// Returns the length of the period that `units` refers to.
    #[must_use]
    pub const fn per(&self) -> Duration {
        self.per
    }

    /// Returns the maximum number of units at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst.get()
    }
}

/// A hard limit: at most `limit` units in every window of `length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    limit: NonZeroU32,
    length: Duration,
}

impl Window {
    /// Creates a limit of `limit` units in every window of `length`.
    pub fn new(limit: u32, length: Duration) -> Result<Self, RuleError> {
        Ok(Window { limit: at_least_one(limit)?, length: period(length)? })
    }

    /// Returns the maximum number of units in a window.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit.get()
    }

    /// Returns the length of the window, 1 microsecond to 24 hours.
    #[must_use]
    pub const fn length(&self) -> Duration {
        self.length
    }
}

/// Rule of a limit; its kind decides how units are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// An average with bursts, counted by a [`crate::TokenBucket`].
    Rate(Rate),
    /// A hard limit on every window: [`crate::SlidingWindow`].
    Window(Window),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_units_and_periods_out_of_range_are_refused() {
        assert_eq!(Rate::per_sec(0, 1), Err(RuleError::Zero));
        assert_eq!(Rate::per_sec(1, 0), Err(RuleError::Zero));
        assert_eq!(Rate::new(1, Duration::ZERO, 1), Err(RuleError::Period));
        assert_eq!(Window::new(1, PERIOD_MAX * 2), Err(RuleError::Period));
    }
}
