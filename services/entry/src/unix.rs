//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds of Unix time; 0 on a clock that is not set.
pub(crate) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
