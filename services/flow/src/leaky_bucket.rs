//! Leaky bucket: a smooth stream out of a rough one.

use std::time::Duration;

use crate::meter::Meter;
use crate::rate::Rate;
use crate::verdict::Verdict;

/// What becomes of something that wants to pass a leaky bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It passes, after this wait (zero when the bucket was empty).
    Leaves {
        /// From now until its turn.
        wait: Duration,
    },
    /// The bucket is full: a [`Verdict::Refuse`] with its three figures.
    Refused(Verdict),
}

/// Law: what it lets in leaves in order, each unit at least `per / units` after
/// the one before it and not a nanosecond later than that requires; at most
/// `burst` units are inside at once, counting the one that is leaving.
///
/// It holds no queue: it gives each arrival its time, and the caller waits. So
/// the bound of that queue is the bucket's depth, and at it arrivals are refused.
#[derive(Debug, Clone, Copy)]
pub struct LeakyBucket {
    inside: Meter,
}

impl LeakyBucket {
    /// An empty bucket; `rate.burst()` is its depth.
    #[must_use]
    pub const fn empty(rate: Rate, now: Duration) -> Self {
        LeakyBucket { inside: Meter::empty(rate, now) }
    }

    /// Asks for a turn for `cost` units together.
    pub fn enter(&mut self, cost: u32, now: Duration) -> Passage {
        self.inside.drain(now);
        let wait = self.inside.backlog();
        match self.inside.add(cost) {
            Ok(()) => Passage::Leaves { wait },
            Err(retry_after) => Passage::Refused(Verdict::Refuse {
                retry_after,
                limit: self.inside.rate().burst(),
                remaining: self.inside.room(),
            }),
        }
    }

    /// How long something that came now would wait.
    #[must_use]
    pub fn backlog(&self, now: Duration) -> Duration {
        let mut inside = self.inside;
        inside.drain(now);
        inside.backlog()
    }

    /// Changes the figures; turns that were given stay given.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.inside.set_rate(rate, now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A queue that is kept in full: when each arrival's service ends, exactly,
    /// in nanoseconds times units.
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
        fn leaves_when_a_real_queue_would_let_it(
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
                    (Passage::Leaves { wait }, Some(begins)) => {
                        prop_assert_eq!((at + wait).as_nanos(), begins);
                        prop_assert!(at + wait >= last);
                        last = at + wait;
                    }
                    (Passage::Refused(Verdict::Refuse { retry_after, limit, .. }), None) => {
                        prop_assert_eq!(limit, depth);
                        if cost <= depth {
                            let mut later = bucket;
                            let entered = later.enter(cost, at + retry_after);
                            prop_assert!(!matches!(entered, Passage::Refused(_)));
                        }
                    }
                    (bucket, queue) => prop_assert!(false, "{bucket:?} but {queue:?}"),
                }
            }
        }
    }

    #[test]
    fn the_first_leaves_at_once_and_the_rest_one_by_one() {
        let now = Duration::ZERO;
        let mut bucket = LeakyBucket::empty(Rate::per_sec(10, 3).unwrap(), now);
        for n in 0..3 {
            let wait = Duration::from_millis(100 * n);
            assert_eq!(bucket.enter(1, now), Passage::Leaves { wait });
        }
        let retry_after = Duration::from_millis(100);
        let full = Verdict::Refuse { retry_after, limit: 3, remaining: 0 };
        assert_eq!(bucket.enter(1, now), Passage::Refused(full));
        assert_eq!(bucket.backlog(Duration::from_millis(250)), Duration::from_millis(50));
    }
}
