//! The figures of a limit, checked once.

use std::num::NonZeroU32;
use std::time::Duration;

/// Longest period of a limit: arithmetic stays exact and a mistyped unit shows.
pub const PERIOD_MAX: Duration = Duration::from_secs(24 * 3600);

/// Why a limit's figures make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Zero units: switch the limited thing off instead.
    #[error("a limit must admit at least one unit")]
    Zero,
    /// Period out of range.
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

/// An average with a burst: `units` per `per`, at most `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    units: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
}

impl Rate {
    /// `units` units each `per`, with a depth of `burst` units.
    pub fn new(units: u32, per: Duration, burst: u32) -> Result<Self, RuleError> {
        Ok(Rate { units: at_least_one(units)?, per: period(per)?, burst: at_least_one(burst)? })
    }

    /// `n` units a second, with a depth of `burst` units.
    pub fn per_sec(n: u32, burst: u32) -> Result<Self, RuleError> {
        Self::new(n, Duration::from_secs(1), burst)
    }

    /// Units per period.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.units.get()
    }

    /// The period.
    #[must_use]
    pub const fn per(&self) -> Duration {
        self.per
    }

    /// Most units at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst.get()
    }
}

/// A hard bound: at most `limit` units in every window of `length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    limit: NonZeroU32,
    length: Duration,
}

impl Window {
    /// At most `limit` units in every window of `length`.
    pub fn new(limit: u32, length: Duration) -> Result<Self, RuleError> {
        Ok(Window { limit: at_least_one(limit)?, length: period(length)? })
    }

    /// Most units in a window.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit.get()
    }

    /// The window's length.
    #[must_use]
    pub const fn length(&self) -> Duration {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_figures_are_refused() {
        assert_eq!(Rate::per_sec(0, 1), Err(RuleError::Zero));
        assert_eq!(Rate::per_sec(1, 0), Err(RuleError::Zero));
        assert_eq!(Rate::new(1, Duration::ZERO, 1), Err(RuleError::Period));
        assert_eq!(Window::new(1, PERIOD_MAX * 2), Err(RuleError::Period));
    }
}
