//! The wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since 1970; 0 on a machine whose clock stands before 1970.
#[must_use]
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Milliseconds since 1970; 0 on a machine whose clock stands before 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

/// Whether the wall clock can be right. Before 1970 JWTs and HTTP dates cannot be made.
#[must_use]
pub fn is_after_1970(now: SystemTime) -> bool {
    now >= UNIX_EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_is_known() {
        assert!(!is_after_1970(UNIX_EPOCH - Duration::from_secs(1)));
        assert!(is_after_1970(UNIX_EPOCH));
        assert!(unix_ms() > 1_700_000_000_000);
    }
}
