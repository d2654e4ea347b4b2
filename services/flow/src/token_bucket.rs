//! Token bucket: limits an average, and allows bursts up to a bound.

use std::time::Duration;

use crate::meter::Meter;
use crate::rule::Rate;
use crate::verdict::Verdict;

/// A token bucket. Its law: over every span `t` it admits at most `burst + units * t / per`, and it
/// refuses nothing that this allows. It starts full. The arithmetic is exact: no rounding error
/// accumulates.
#[derive(Debug, Clone, Copy)]
pub struct TokenBucket {
    spent: Meter,
}

impl TokenBucket {
    /// Creates a full bucket, which admits a whole burst at once.
    #[must_use]
    pub const fn full(rate: Rate, now: Duration) -> Self {
        TokenBucket { spent: Meter::empty(rate, now) }
    }

    /// Takes `cost` tokens, all or none. A cost of 0 is always admitted.
    pub fn take(&mut self, cost: u32, now: Duration) -> Verdict {
        self.spent.drain(now);
        match self.spent.add(cost) {
            Ok(()) => Verdict::Admit,
            Err(retry_after) => Verdict::Refuse {
                retry_after,
                limit: self.spent.rate().burst(),
                remaining: self.spent.room(),
            },
        }
    }

    /// Returns the whole tokens that are left.
    #[must_use]
    pub fn available(&self, now: Duration) -> u32 {
        let mut spent = self.spent;
        spent.drain(now);
        spent.room()
    }

    /// Returns whether the bucket is full: a new one in its place would decide the same.
    #[must_use]
    pub fn is_full(&self, now: Duration) -> bool {
        let mut spent = self.spent;
        spent.drain(now);
        spent.is_empty()
    }

    /// Returns the rate and the burst of the bucket.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        *self.spent.rate()
    }

    /// Changes the figures. Spent tokens stay spent, up to the new burst.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.spent.set_rate(rate, now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks the law on the list of all admissions: from every admission on, the sum is at most the
    /// burst plus the tokens that the span earned. Exact: both sides are multiplied by the period in
    /// nanoseconds.
    fn fits(admitted: &[(u64, u32)], rate: Rate) -> bool {
        let per = rate.per().as_nanos();
        (0..admitted.len()).all(|first| {
            let span = admitted[admitted.len() - 1].0 - admitted[first].0;
            let since: u128 = admitted[first..].iter().map(|(_, cost)| u128::from(*cost)).sum();
            since * per <= u128::from(rate.burst()) * per + u128::from(rate.units()) * u128::from(span)
        })
    }

    proptest! {
        #[test]
        fn admits_exactly_what_the_law_allows(
            units in 1_u32..200,
            per_ns in 1_000_u64..2_000_000_000,
            burst in 1_u32..50,
            steps in prop::collection::vec((0_u64..400_000_000, 1_u32..60), 1..80),
        ) {
            let rate = Rate::new(units, Duration::from_nanos(per_ns), burst).unwrap();
            let mut bucket = TokenBucket::full(rate, Duration::ZERO);
            let mut admitted = Vec::new();
            let mut now = 0;
            for (gap, cost) in steps {
                now += gap;
                let at = Duration::from_nanos(now);
                let before = bucket;
                admitted.push((now, cost));
                let allowed = fits(&admitted, rate);
                match bucket.take(cost, at) {
                    Verdict::Admit => prop_assert!(allowed),
                    Verdict::Refuse { retry_after, limit, remaining } => {
                        prop_assert!(!allowed);
                        admitted.pop();
                        prop_assert_eq!(limit, burst);
                        prop_assert!(remaining < cost);
                        prop_assert!(before.clone_take(remaining, at).is_admit());
                        if cost > burst {
                            prop_assert_eq!(retry_after, Duration::MAX);
                            continue;
                        }
                        let early = retry_after - Duration::from_nanos(1);
                        prop_assert!(bucket.clone_take(cost, at + retry_after).is_admit());
                        prop_assert!(!bucket.clone_take(cost, at + early).is_admit());
                    }
                }
            }
        }
    }

    proptest! {
        /// For single units, governor's GCRA makes the same decisions.
        #[test]
        fn decides_like_governor(
            per_ns in 1_000_u64..2_000_000_000,
            burst in 1_u32..50,
            gaps in prop::collection::vec(0_u64..800_000_000, 1..120),
        ) {
            let per = Duration::from_nanos(per_ns);
            let depth = std::num::NonZeroU32::new(burst).unwrap();
            let clock = governor::clock::FakeRelativeClock::default();
            let quota = governor::Quota::with_period(per).unwrap().allow_burst(depth);
            let oracle = governor::RateLimiter::direct_with_clock(quota, clock.clone());
            let mut bucket = TokenBucket::full(Rate::new(1, per, burst).unwrap(), Duration::ZERO);
            let mut now = Duration::ZERO;
            for gap in gaps {
                let gap = Duration::from_nanos(gap);
                clock.advance(gap);
                now += gap;
                prop_assert_eq!(bucket.take(1, now).is_admit(), oracle.check().is_ok());
            }
        }
    }

    impl TokenBucket {
        fn clone_take(&self, cost: u32, now: Duration) -> Verdict {
            let mut bucket = *self;
            bucket.take(cost, now)
        }
    }

    #[test]
    fn a_clock_that_steps_back_earns_no_tokens() {
        let second = Duration::from_secs(1);
        let mut bucket = TokenBucket::full(Rate::per_sec(1, 1).unwrap(), second * 10);
        assert!(bucket.take(1, second * 10).is_admit());
        for _ in 0..5 {
            assert!(!bucket.take(1, second * 9).is_admit());
            assert!(!bucket.take(1, second * 10).is_admit());
        }
        assert!(bucket.take(1, second * 11).is_admit());
        assert!(bucket.take(1, Duration::MAX).is_admit());
    }

    #[test]
    fn new_figures_keep_spent_tokens_up_to_the_new_burst() {
        let now = Duration::ZERO;
        let mut bucket = TokenBucket::full(Rate::per_sec(1, 10).unwrap(), now);
        assert!(bucket.take(8, now).is_admit());
        bucket.set_rate(Rate::per_sec(1, 20).unwrap(), now);
        assert_eq!(bucket.available(now), 12);
        bucket.set_rate(Rate::new(1, Duration::from_secs(60), 5).unwrap(), now);
        assert_eq!(bucket.available(now), 0);
        assert_eq!(bucket.available(Duration::from_secs(60)), 1);
    }
}
