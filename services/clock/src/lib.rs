//! The machine's clocks, behind the only functions that may read them.
//!
//! There are two clocks, and each has one use:
//!
//! - **Wall time** ([`unix_ms`], [`since_unix_epoch`], [`wall`]) is for other machines and for
//!   people: timestamps in messages, records, tokens and logs. An operator or NTP may step it by
//!   hours in either direction.
//! - **Steady time** ([`now`], [`steady_ms`]) is for ages, deadlines and windows inside one
//!   process. It never steps back, and it means nothing to another process.
//!
//! Pure code takes time as a value and reads neither. A shell that must be tested against a
//! clock that steps takes a [`Clock`]: [`SystemClock`] in production, [`ManualClock`] in tests.
//! Asynchronous code that waits uses `tokio::time`, which tests can pause.

mod manual;

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use manual::ManualClock;

static START: LazyLock<Instant> = LazyLock::new(now);

/// Reads the steady clock, which never steps back.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place that reads the steady clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Reads the wall clock. Prefer [`unix_ms`], which cannot fail on arithmetic.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Returns the wall time since 1970-01-01 UTC; zero on a machine whose clock is set before 1970.
#[must_use]
pub fn since_unix_epoch() -> Duration {
    wall().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Returns Unix time in milliseconds; 0 on a machine whose clock is set before 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    millis(since_unix_epoch())
}

/// Returns steady time in milliseconds since the first call in this process.
#[must_use]
pub fn steady_ms() -> u64 {
    millis(now().saturating_duration_since(*START))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Both clocks as one value, so that a test can step one of them.
pub trait Clock: Send + Sync + 'static {
    /// Returns Unix time in milliseconds, by the wall clock.
    fn unix_ms(&self) -> u64;
    /// Returns milliseconds since a fixed moment of this process, by the steady clock.
    fn steady_ms(&self) -> u64;
}

/// The clocks of the machine, for production; tests take a [`ManualClock`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_ms(&self) -> u64 {
        unix_ms()
    }

    fn steady_ms(&self) -> u64 {
        steady_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_later_than_this_code() {
        assert!(unix_ms() > 1_700_000_000_000);
        assert!(since_unix_epoch() > Duration::from_millis(1_700_000_000_000));
    }

    #[test]
    fn steady_time_never_decreases() {
        let mut last = steady_ms();
        for _ in 0..1_000 {
            let next = steady_ms();
            assert!(next >= last);
            last = next;
        }
    }

    #[test]
    fn a_duration_beyond_64_bits_of_milliseconds_saturates() {
        assert_eq!(millis(Duration::MAX), u64::MAX);
    }
}
