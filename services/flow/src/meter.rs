//! The exact sum under both buckets: units that were added and have not drained yet.
//!
//! Time and units are one integer, "shares": one unit is as many shares as the period has
//! nanoseconds, and one nanosecond drains as many shares as the rate has units. So no rate is
//! rounded. The largest product, 2^32 units times 2^94 nanoseconds of `Duration`, fits in 128 bits.

use std::time::Duration;

use crate::rule::Rate;

/// Units that have not drained yet. `Copy`, so that a caller can try a change on a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    rate: Rate,
    owed: u128,
    at: Duration,
}

impl Meter {
    pub(crate) const fn empty(rate: Rate, now: Duration) -> Self {
        Meter { rate, owed: 0, at: now }
    }

    pub(crate) const fn rate(&self) -> &Rate {
        &self.rate
    }

    const fn shares_of(&self, units: u32) -> u128 {
        units as u128 * self.rate.per().as_nanos()
    }

    /// Converts shares to time, rounded up, so that a wait is never too short.
    fn time_of(&self, shares: u128) -> Duration {
        let nanos = shares.div_ceil(u128::from(self.rate.units()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Drains up to `now`. A clock that steps back drains nothing and does not move the meter, so
    /// that the same time is never drained twice.
    pub(crate) fn drain(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.owed = self.owed.saturating_sub(elapsed.as_nanos() * u128::from(self.rate.units()));
    }

    /// Adds `cost` if it fits under the burst; fails with the wait until it would.
    pub(crate) fn add(&mut self, cost: u32) -> Result<(), Duration> {
        let room = self.shares_of(self.rate.burst());
        let owed = self.owed + self.shares_of(cost);
        if owed <= room {
            self.owed = owed;
            return Ok(());
        }
        if cost > self.rate.burst() {
            return Err(Duration::MAX);
        }
        Err(self.time_of(owed - room))
    }

    /// Returns the time until all units have drained.
    pub(crate) fn backlog(&self) -> Duration {
        self.time_of(self.owed)
    }

    /// Returns the whole units that would fit now.
    pub(crate) fn room(&self) -> u32 {
        let room = self.shares_of(self.rate.burst()).saturating_sub(self.owed);
        u32::try_from(room / self.rate.per().as_nanos()).expect("at most the burst")
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.owed == 0
    }

    /// Changes the figures. The units stay, up to the new burst: a lowered limit acts at once, and a
    /// raised one gives nothing back.
    pub(crate) fn set_rate(&mut self, rate: Rate, now: Duration) {
        if rate == self.rate {
            return;
        }
        self.drain(now);
        let units = self.owed.div_ceil(self.rate.per().as_nanos());
        self.rate = rate;
        let burst = u128::from(rate.burst());
        self.owed = units.min(burst) * rate.per().as_nanos();
    }
}
