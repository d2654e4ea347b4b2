//! The monotonic clock of one machine, which its processes share. A message carries its intended
//! send time, so that any process that receives it can compute the latency.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock, the same for all processes of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// Returns the present moment of the machine's monotonic clock.
    #[must_use]
    pub fn now() -> Moment {
        Moment(nanoseconds(ClockId::Monotonic))
    }

    /// Returns the moment `secs` later; a negative duration counts as 0.
    #[must_use]
    pub fn after(self, secs: f64) -> Moment {
        Moment(self.0.saturating_add((secs.max(0.0) * 1e9) as u64))
    }

    /// Time since `earlier`; zero when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Converts the moment to tokio's clock, so that a timer can wait for it.
    #[must_use]
    pub fn instant(self) -> tokio::time::Instant {
        let (now, instant) = (Moment::now(), tokio::time::Instant::now());
        if self >= now {
            instant + self.since(now)
        } else {
            instant.checked_sub(now.since(self)).unwrap_or(instant)
        }
    }
}

/// CPU time that this process has used.
#[must_use]
pub fn process_cpu() -> Duration {
    Duration::from_nanos(nanoseconds(ClockId::ProcessCPUTime))
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
