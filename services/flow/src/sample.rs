//! The shared sample of a room over its display quota.
//!
//! A message is shown when the hash of its id is below a threshold that follows the room's measured
//! rate. So a sender gains nothing by being first in a second, and all instances that measure the
//! same rate show the same messages.

use std::time::Duration;

use crate::rule::{Rate, RuleError};
use crate::token_bucket::TokenBucket;
use crate::verdict::Verdict;

/// Buckets of the measured second, each [`BUCKET`] wide.
const BUCKETS: usize = 10;
/// Width of one bucket: messages leave the measured second in steps of it.
const BUCKET: Duration = Duration::from_millis(100);
/// Seconds of the quota that the hard limit can save up, so that a quiet room's first burst is
/// shown.
const BURST_SECS: u32 = 2;

/// Decision on a message: shown to all, or held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampled {
    /// The message is shown to all viewers of the room.
    Shown,
    /// The message is held back. The measured rate is included, so that a page can display
    /// "18,000 a second, showing 50".
    Held {
        /// Messages offered in the last second, this one included.
        offered_per_s: u32,
    },
}

/// The sample of one room, with the rate that this instance measures.
#[derive(Debug, Clone)]
pub struct DisplaySample {
    shown_per_s: u32,
    offered: [u32; BUCKETS],
    /// Number of the newest bucket since the origin.
    newest: u64,
    hard_limit: TokenBucket,
}

impl DisplaySample {
    /// Creates a sample that shows `shown_per_s` messages a second.
    pub fn new(shown_per_s: u32, now: Duration) -> Result<Self, RuleError> {
        let rate = Rate::per_sec(shown_per_s, shown_per_s.saturating_mul(BURST_SECS))?;
        Ok(DisplaySample {
            shown_per_s,
            offered: [0; BUCKETS],
            newest: bucket(now),
            hard_limit: TokenBucket::full(rate, now),
        })
    }

    /// Returns the messages offered within the last second.
    #[must_use]
    pub fn offered_per_s(&self) -> u32 {
        self.offered.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Returns the messages offered within the second before `now`.
    #[must_use]
    pub fn offered_per_s_at(&self, now: Duration) -> u32 {
        let mut at_now = self.clone();
        at_now.advance(bucket(now));
        at_now.offered_per_s()
    }

    /// Returns whether no message was offered for a second.
    #[must_use]
    pub fn is_idle(&self, now: Duration) -> bool {
        bucket(now) >= self.newest + BUCKETS as u64
    }

    /// Returns whether a new sample would decide the same: this one is idle, and its hard limit has earned the
    /// whole burst again.
    #[must_use]
    pub fn is_as_new(&self, now: Duration) -> bool {
        self.is_idle(now) && self.hard_limit.is_full(now)
    }

    /// Decides on a message by the hash of its id. `weight` multiplies its chance (1 for a viewer;
    /// higher for roles that are shown more often).
    pub fn offer(&mut self, hash: u64, weight: u32, now: Duration) -> Sampled {
        self.advance(bucket(now));
        let slot = usize::try_from(self.newest % BUCKETS as u64).expect("below ten");
        self.offered[slot] = self.offered[slot].saturating_add(1);
        let offered_per_s = self.offered_per_s();
        let held = Sampled::Held { offered_per_s };
        // hash / 2^64 < weight * shown / offered, in whole numbers.
        let under = u128::from(hash) * u128::from(offered_per_s.max(1))
            < (u128::from(weight) * u128::from(self.shown_per_s)) << 64;
        if !under {
            return held;
        }
        match self.hard_limit.take(1, now) {
            Verdict::Admit => Sampled::Shown,
            Verdict::Refuse { .. } => held,
        }
    }

    fn advance(&mut self, now: u64) {
        let passed = now.saturating_sub(self.newest).min(BUCKETS as u64);
        for step in 1..=passed {
            let slot = (self.newest + step) % BUCKETS as u64;
            self.offered[usize::try_from(slot).expect("below ten")] = 0;
        }
        self.newest = self.newest.max(now);
    }
}

fn bucket(now: Duration) -> u64 {
    u64::try_from(now.as_millis() / BUCKET.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(offered_per_s: u32, seconds: u32, mut each: impl FnMut(u64, Duration, Sampled)) -> u32 {
        let mut sample = DisplaySample::new(50, Duration::ZERO).unwrap();
        let mut state = 88_172_645_463_325_252_u64;
        let mut shown = 0;
        for n in 0..offered_per_s * seconds {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let now = Duration::from_secs(1) * n / offered_per_s;
            let sampled = sample.offer(state, 1, now);
            shown += u32::from(sampled == Sampled::Shown);
            each(state, now, sampled);
        }
        shown
    }

    #[test]
    fn a_room_below_its_quota_is_shown_completely() {
        assert_eq!(run(40, 20, |_, _, _| {}), 800);
    }

    #[test]
    fn the_offered_rate_falls_to_zero_after_a_second_without_messages() {
        let mut sample = DisplaySample::new(50, Duration::ZERO).unwrap();
        for n in 0..10_u64 {
            sample.offer(n, 1, Duration::from_millis(100 * n));
        }
        assert_eq!(sample.offered_per_s_at(Duration::from_millis(900)), 10);
        assert_eq!(sample.offered_per_s_at(Duration::from_millis(1_400)), 5);
        assert_eq!(sample.offered_per_s_at(Duration::from_millis(1_900)), 0);
        assert_eq!(sample.offered_per_s(), 10, "a look changes nothing");
    }

    #[test]
    fn sample_without_its_burst_is_not_as_new_after_an_idle_second() {
        let mut sample = DisplaySample::new(50, Duration::ZERO).unwrap();
        assert!((0..100).all(|_| sample.offer(0, 1, Duration::ZERO) == Sampled::Shown));
        let after = Duration::from_millis;
        assert!(
            sample.is_idle(after(1_000)) && !sample.is_as_new(after(1_000)),
            "half of the burst is earned"
        );
        assert!(!sample.is_as_new(after(1_900)) && sample.is_as_new(after(2_000)));
    }

    #[test]
    fn a_flooded_room_shows_its_quota_and_reports_the_offered_rate() {
        let mut offered = 0;
        let shown = run(18_000, 10, |_, now, sampled| {
            if let Sampled::Held { offered_per_s } = sampled
                && now > Duration::from_secs(2)
            {
                offered = offered_per_s;
            }
        });
        assert!((450..=620).contains(&shown), "{shown} in ten seconds");
        assert!((16_000..=18_200).contains(&offered), "{offered}");
    }

    #[test]
    fn shown_messages_are_spread_over_the_second() {
        let mut late = 0;
        let mut all = 0;
        run(5_000, 20, |_, now, sampled| {
            if now > Duration::from_secs(2) && sampled == Sampled::Shown {
                all += 1;
                late += u32::from(now.subsec_millis() >= 500);
            }
        });
        assert!((35..=65).contains(&(late * 100 / all)), "{late} of {all} in the second half");
    }

    proptest! {
        #[test]
        fn the_hard_limit_is_never_exceeded(offers in prop::collection::vec((any::<u64>(), 0_u64..50), 1..2000)) {
            let mut sample = DisplaySample::new(50, Duration::ZERO).unwrap();
            let mut now = Duration::ZERO;
            let mut shown = 0;
            for (hash, gap_ms) in offers {
                now += Duration::from_millis(gap_ms);
                shown += u64::from(sample.offer(hash, 1000, now) == Sampled::Shown);
            }
            prop_assert!(shown <= 100 + 50 * (now.as_secs() + 1));
        }
    }
}
