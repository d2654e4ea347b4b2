//! Size, length and reserve of the leases of a limit.

use std::time::Duration;

use crate::rule::Rule;

/// A bucket's lease earns at most this part of its burst, and a window's lease lasts at most half of
/// this part of its length: leasing costs little compared to the limit.
const PART: u32 = 4;

barrage_part::part! {
    /// Share of a limit that an instance leases at once.
    pub struct LeaseConfig {
        /// Longest life of a lease, in milliseconds. A longer one saves calls, takes more of a burst
        /// from the other instances, and leaves more with an instance that stops.
        length_ms: u64 = 500, between(0, 60_000);
        /// Largest share of the tokens of one lease time that one instance takes at once. An instance
        /// with nearly all of the load asks twice as often.
        share_max: f64 = 0.5, SHARE;
        /// Smallest lease in tokens. Below, each decision asks Redis, so that small limits stay exact:
        /// with the other defaults, limits below 128 a second.
        batch_min: u32 = 32;
    }
}

/// Bounds of the leases of one limit; the same on every instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeaseTerms {
    pub(super) length: Duration,
    pub(super) batch_max: u32,
    pub(super) reserve: u32,
    pub(super) limit: u32,
}

impl LeaseTerms {
    /// Returns the terms of a rule; `None` when the limit is too small to lease.
    #[must_use]
    pub fn of(rule: &Rule, config: &LeaseConfig) -> Option<Self> {
        let longest = Duration::from_millis(config.length_ms);
        let (limit, length, per_s) = match rule {
            Rule::Rate(rate) => {
                let per_s = f64::from(rate.units()) / rate.per().as_secs_f64();
                let part = f64::from(rate.burst() / PART) / per_s;
                (rate.burst(), longest.min(Duration::from_secs_f64(part)), per_s)
            }
            Rule::Window(window) => {
                let per_s = f64::from(window.limit()) / window.length().as_secs_f64();
                (window.limit(), longest.min(window.length() / (2 * PART)), per_s)
            }
        };
        let earned = per_s * length.as_secs_f64();
        let batch_max = (earned * config.share_max.clamp(0.0, 1.0)) as u32;
        let is_worth_it = batch_max >= config.batch_min.max(1);
        is_worth_it.then_some(LeaseTerms { length, batch_max, reserve: earned.ceil() as u32, limit })
    }

    /// Returns the longest life of a batch.
    #[must_use]
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// Returns the units of a bucket's burst that leases must leave untouched.
    #[must_use]
    pub const fn reserve(&self) -> u32 {
        self.reserve
    }
}
