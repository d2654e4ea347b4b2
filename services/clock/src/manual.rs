//! Clocks that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Clock;

/// Both clocks, moved by a test. Clones share their time. Starts at zero.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    unix_ms: Arc<AtomicU64>,
    steady_ms: Arc<AtomicU64>,
}

impl ManualClock {
    /// Creates clocks whose wall clock shows `unix_ms`; the steady clock starts at zero.
    #[must_use]
    pub fn at_unix_ms(unix_ms: u64) -> Self {
        let clock = ManualClock::default();
        clock.unix_ms.store(unix_ms, Ordering::SeqCst);
        clock
    }

    /// Moves both clocks forward, as time does.
    pub fn advance(&self, ms: u64) {
        self.unix_ms.fetch_add(ms, Ordering::SeqCst);
        self.steady_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Steps the wall clock alone, as an operator or NTP does.
    pub fn step(&self, by_ms: i64) {
        let stepped = self.unix_ms.load(Ordering::SeqCst).saturating_add_signed(by_ms);
        self.unix_ms.store(stepped, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn unix_ms(&self) -> u64 {
        self.unix_ms.load(Ordering::SeqCst)
    }

    fn steady_ms(&self) -> u64 {
        self.steady_ms.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_moves_the_wall_clock_alone() {
        let clock = ManualClock::at_unix_ms(1_000);
        let clone = clock.clone();
        clone.advance(5);
        clone.step(-600);
        assert_eq!((clock.unix_ms(), clock.steady_ms()), (405, 5));
        clone.step(-1_000);
        assert_eq!(clock.unix_ms(), 0);
    }
}
