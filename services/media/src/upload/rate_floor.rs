//! The slowest rate at which a client may send.

use std::time::Duration;

/// Whether a client sends fast enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The client may go on; look again after this time at the latest.
    Enough {
        /// Time until the end of the window.
        until: Duration,
    },
    /// The client sent too little in a whole window.
    TooSlow,
}

/// Counts the bytes of one request in windows of time, one after the other. Times are since any origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateFloor {
    window: Duration,
    bytes_min: u64,
    started: Duration,
    bytes: u64,
}

impl RateFloor {
    /// Makes a floor of `bytes_per_s` over each window.
    pub(crate) fn new(bytes_per_s: u64, window: Duration, now: Duration) -> Self {
        let bytes_min = bytes_per_s.saturating_mul(window.as_secs()).max(1);
        RateFloor { window, bytes_min, started: now, bytes: 0 }
    }

    /// Counts bytes that arrived, and says whether the client may go on.
    pub(crate) fn count(&mut self, bytes: u64, now: Duration) -> Pace {
        self.bytes = self.bytes.saturating_add(bytes);
        let elapsed = now.saturating_sub(self.started);
        if elapsed < self.window {
            return Pace::Enough { until: self.window - elapsed };
        }
        if self.bytes < self.bytes_min {
            return Pace::TooSlow;
        }
        (self.started, self.bytes) = (now, 0);
        Pace::Enough { until: self.window }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    #[test]
    fn one_byte_a_second_is_too_slow_after_one_window() {
        let mut floor = RateFloor::new(8_192, WINDOW, Duration::from_secs(5));
        for second in 6..35 {
            assert!(matches!(floor.count(1, Duration::from_secs(second)), Pace::Enough { .. }), "{second}");
        }
        assert_eq!(floor.count(1, Duration::from_secs(35)), Pace::TooSlow);
    }

    #[test]
    fn burst_pays_for_its_own_window_alone() {
        let mut floor = RateFloor::new(8_192, WINDOW, Duration::ZERO);
        assert_eq!(
            floor.count(1 << 20, Duration::from_secs(10)),
            Pace::Enough { until: Duration::from_secs(20) }
        );
        assert_eq!(floor.count(0, WINDOW), Pace::Enough { until: WINDOW });
        assert_eq!(floor.count(8_192 * 30 - 1, 2 * WINDOW), Pace::TooSlow);
    }

    proptest! {
        /// A client at twice the floor is never cut, however its bytes are spread.
        #[test]
        fn steady_client_is_never_cut(pieces in proptest::collection::vec(1_u64..5_000, 1..400)) {
            let mut floor = RateFloor::new(1_000, WINDOW, Duration::ZERO);
            let mut now = Duration::ZERO;
            for bytes in pieces {
                // At 2,000 bytes a second, the piece takes this long.
                now += Duration::from_micros(bytes * 500);
                let is_enough = matches!(floor.count(bytes, now), Pace::Enough { .. });
                prop_assert!(is_enough);
            }
        }
    }
}
