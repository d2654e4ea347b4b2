//! Leaky bucket: spaces arrivals evenly, and refuses those beyond its depth.

use std::time::Duration;

use crate::meter::Meter;
use crate::rule::Rate;
use crate::verdict::Verdict;

/// Outcome of an arrival at a leaky bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketOutcome {
    /// Admitted: it leaves after this wait (zero when the bucket was empty).
    Leaves {
        /// Time from now until it leaves, for which the caller waits.
        wait: Duration,
    },
    /// The bucket is full; always a [`Verdict::Refuse`].
    Refused(Verdict),
}

/// A leaky bucket. Its law: admitted units leave in order, each at least `per / units` after the one
/// before it and not a nanosecond later than that requires. At most `burst` units are inside at once,
/// the leaving one included.
///
/// The bucket holds no queue: it returns the time of each arrival, and the caller waits. The bucket's
/// depth is the maximum length of that queue; further arrivals are refused.
#[derive(Debug, Clone, Copy)]
pub struct LeakyBucket {
    inside: Meter,
}

impl LeakyBucket {
    /// Creates an empty bucket; `rate.burst()` is its depth.
    #[must_use]
    pub const fn empty(rate: Rate, now: Duration) -> Self {
        LeakyBucket { inside: Meter::empty(rate, now) }
    }

    /// Admits `cost` units together, or refuses them.
    pub fn enter(&mut self, cost: u32, now: Duration) -> BucketOutcome {
        self.inside.drain(now);
        let wait = self.inside.backlog();
        match self.inside.add(cost) {
            Ok(()) => BucketOutcome::Leaves { wait },
            Err(retry_after) => BucketOutcome::Refused(Verdict::Refuse {
                retry_after,
                limit: self.inside.rate().burst(),
                remaining: self.inside.room(),
            }),
        }
    }

    /// Returns the wait of an arrival at `now`.
    #[must_use]
    pub fn backlog(&self, now: Duration) -> Duration {
        let mut inside = self.inside;
        inside.drain(now);
        inside.backlog()
    }

    /// Changes the figures. Units that were admitted keep their times.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.inside.set_rate(rate, now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A model with a real queue: the end of each arrival's service, exactly, in nanoseconds times
    /// units.
    struct Queue {
        rate: Rate,
        ends: Vec<u128>,
    }

    impl Queue {
        fn enter(&mut self, cost: u32, now_ns: u64) -> Option<u128> {
            let now = u128::from(now_ns) * u128::from(self.rate.units());
            let per = self.rate.per().as_nanos();
            let begins = self.ends.last().copied().unwrap_or(0).max(now);
            let ends = begins + u128::from(cost) * per;
            if ends - now > u128::from(self.rate.burst()) * per {
                return None;
            }
            self.ends.push(ends);
            Some(begins.div_ceil(u128::from(self.rate.units())))
        }
    }

    proptest! {
        #[test]
        fn arrivals_leave_when_a_real_queue_would_release_them(
            units in 1_u32..200,
            per_ns in 1_000_u64..2_000_000_000,
            depth in 1_u32..40,
            steps in prop::collection::vec((0_u64..200_000_000, 1_u32..4), 1..80),
        ) {
            let rate = Rate::new(units, Duration::from_nanos(per_ns), depth).unwrap();
            let mut bucket = LeakyBucket::empty(rate, Duration::ZERO);
            let mut queue = Queue { rate, ends: Vec::new() };
            let mut now = 0;
            let mut last = Duration::ZERO;
            for (gap, cost) in steps {
                now += gap;
                let at = Duration::from_nanos(now);
                match (bucket.enter(cost, at), queue.enter(cost, now)) {
                    (BucketOutcome::Leaves { wait }, Some(begins)) => {
                        prop_assert_eq!((at + wait).as_nanos(), begins);
                        prop_assert!(at + wait >= last);
                        last = at + wait;
                    }
                    (BucketOutcome::Refused(Verdict::Refuse { retry_after, limit, .. }), None) => {
                        prop_assert_eq!(limit, depth);
                        if cost <= depth {
                            let mut later = bucket;
                            let entered = later.enter(cost, at + retry_after);
                            prop_assert!(!matches!(entered, BucketOutcome::Refused(_)));
                        }
                    }
                    (bucket, queue) => prop_assert!(false, "{bucket:?} but {queue:?}"),
                }
            }
        }
    }

    #[test]
    fn the_first_arrival_leaves_at_once_and_the_others_one_by_one() {
        let now = Duration::ZERO;
        let mut bucket = LeakyBucket::empty(Rate::per_sec(10, 3).unwrap(), now);
        for n in 0..3 {
            let wait = Duration::from_millis(100 * n);
            assert_eq!(bucket.enter(1, now), BucketOutcome::Leaves { wait });
        }
        let retry_after = Duration::from_millis(100);
        let full = Verdict::Refuse { retry_after, limit: 3, remaining: 0 };
        assert_eq!(bucket.enter(1, now), BucketOutcome::Refused(full));
        assert_eq!(bucket.backlog(Duration::from_millis(250)), Duration::from_millis(50));
    }
}
