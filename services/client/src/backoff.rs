//! Full jitter: each wait is drawn evenly from zero to a ceiling that doubles.

use std::time::Duration;

/// Pure: chance is passed in.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    attempts: u32,
}

impl Backoff {
    /// Ceilings from `base` to `max`.
    #[must_use]
    pub fn new(base: Duration, max: Duration) -> Self {
        Backoff { base, max, attempts: 0 }
    }

    /// Other ceilings; what was counted stands.
    pub fn set_ceilings(&mut self, base: Duration, max: Duration) {
        (self.base, self.max) = (base, max);
    }

    /// The next wait; `random` lies in [0, 1).
    pub fn next(&mut self, random: f64) -> Duration {
        let ceiling = self.base.saturating_mul(1 << self.attempts.min(20)).min(self.max);
        self.attempts = self.attempts.saturating_add(1);
        ceiling.mul_f64(random.clamp(0.0, 1.0))
    }

    /// After a success.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_to_its_bound_and_starts_again() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        let ceilings: Vec<_> = (0..7).map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.next(0.0), Duration::ZERO);
        backoff.reset();
        assert_eq!(backoff.next(0.5), Duration::from_millis(500));
    }
}
