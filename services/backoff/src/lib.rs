//! Exponential backoff with full jitter, as a pure value.
//!
//! Each wait has a ceiling that doubles from `base` up to `max`. With **full jitter**
//! ([`Backoff::next_wait`]) the wait is drawn evenly from zero to the ceiling, so that clients
//! that failed together do not come back together. A lone actor (one archiver on one store) has
//! no crowd to spread and waits for the whole ceiling ([`Backoff::next_ceiling`]).
//!
//! Nothing here reads a clock, sleeps or draws random numbers: the caller passes chance in and
//! waits by itself.

use std::time::Duration;

/// Shortest ceiling: a base or maximum of zero must not turn retries into a busy loop.
const CEILING_MIN: Duration = Duration::from_millis(1);

/// Doublings after which the ceiling stops growing, even below `max`.
const DOUBLINGS_MAX: u32 = 20;

/// Returns the ceiling of the wait after `attempts` failures before this one, for callers that
/// count attempts by themselves: `base` doubled so often, at most `max`, at least 1 ms.
#[must_use]
pub fn ceiling(base: Duration, max: Duration, attempts: u32) -> Duration {
    base.saturating_mul(1 << attempts.min(DOUBLINGS_MAX)).min(max).max(CEILING_MIN)
}

/// The state of one retry loop: how many attempts have failed in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    attempts: u32,
}

impl Backoff {
    /// Creates a backoff whose ceilings run from `base` to `max`. A `base` above `max` counts as `max`.
    #[must_use]
    pub const fn new(base: Duration, max: Duration) -> Self {
        Backoff { base, max, attempts: 0 }
    }

    /// Replaces the bounds, for example with those of a newer server answer. The number of
    /// failed attempts stays.
    pub const fn set_bounds(&mut self, base: Duration, max: Duration) {
        self.base = base;
        self.max = max;
    }

    /// Returns the ceiling of the next wait: at least 1 ms.
    #[must_use]
    pub fn ceiling(&self) -> Duration {
        ceiling(self.base, self.max, self.attempts)
    }

    /// Counts a failed attempt and returns its wait with full jitter: `random`, from 0 to 1,
    /// times the ceiling. Values outside of that range are clamped.
    pub fn next_wait(&mut self, random: f64) -> Duration {
        self.next_ceiling().mul_f64(random.clamp(0.0, 1.0))
    }

    /// Counts a failed attempt and returns its whole ceiling, without jitter.
    pub fn next_ceiling(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.attempts = self.attempts.saturating_add(1);
        ceiling
    }

    /// Starts again at `base`, after a success.
    pub const fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn ceilings(base_ms: u64, max_ms: u64, n: usize) -> Vec<u128> {
        let mut backoff = Backoff::new(ms(base_ms), ms(max_ms));
        (0..n).map(|_| backoff.next_ceiling().as_millis()).collect()
    }

    #[test]
    fn the_ceiling_doubles_from_base_to_max() {
        assert_eq!(ceilings(1_000, 30_000, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(ceilings(9, 3, 2), [3, 3]);
    }

    #[test]
    fn the_ceiling_is_never_zero() {
        assert_eq!(ceilings(0, 0, 3), [1, 1, 1]);
    }

    #[test]
    fn the_wait_is_the_random_share_of_the_ceiling() {
        let mut backoff = Backoff::new(ms(1_000), ms(30_000));
        assert_eq!(backoff.next_wait(0.0), Duration::ZERO);
        assert_eq!(backoff.next_wait(0.5), ms(1_000));
        assert_eq!(backoff.next_wait(2.0), ms(4_000));
    }

    #[test]
    fn a_success_starts_again_at_base() {
        let mut backoff = Backoff::new(ms(1_000), ms(30_000));
        backoff.next_ceiling();
        backoff.next_ceiling();
        backoff.reset();
        assert_eq!(backoff.next_ceiling(), ms(1_000));
    }

    #[test]
    fn new_bounds_keep_the_number_of_failed_attempts() {
        let mut backoff = Backoff::new(ms(1_000), ms(30_000));
        backoff.next_ceiling();
        backoff.set_bounds(ms(10), ms(500));
        assert_eq!(backoff.next_ceiling(), ms(20));
    }

    proptest! {
        #[test]
        fn a_wait_never_exceeds_its_ceiling_nor_the_maximum(
            base_ms in 0_u64..10_000, max_ms in 1_u64..100_000, draws in prop::collection::vec(0.0_f64..1.0, 1..100),
        ) {
            let mut backoff = Backoff::new(ms(base_ms), ms(max_ms));
            for random in draws {
                let ceiling = backoff.ceiling();
                prop_assert!(ceiling <= ms(max_ms));
                prop_assert!(backoff.next_wait(random) <= ceiling);
            }
        }
    }
}
