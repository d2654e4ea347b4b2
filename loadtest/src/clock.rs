//! One machine's monotonic clock, which its processes share: a message names the moment
//! that it was meant to be sent, and whichever process receives it knows how late it is.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Moment {
        Moment(nanoseconds(ClockId::Monotonic))
    }

    /// This much later.
    #[must_use]
    pub fn after(self, secs: f64) -> Moment {
        Moment(self.0.saturating_add((secs.max(0.0) * 1e9) as u64))
    }

    /// How much later than `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The same moment on tokio's clock.
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
