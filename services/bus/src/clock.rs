//! Clocks: wall time for humans and other machines, steady time for ages.
//!
//! The wall clock may step by hours in either direction. No age, deadline or window inside a
//! process is computed from it.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Unix time in milliseconds, by the wall clock; 0 before 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since this process first asked. Never steps.
pub(crate) fn steady_ms() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Both clocks, so that a test can step one of them.
pub(crate) trait Clock: Send + 'static {
    /// Unix time in milliseconds.
    fn unix_ms(&self) -> u64;
    /// Milliseconds since some moment of this process.
    fn steady_ms(&self) -> u64;
}

/// The clocks of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn unix_ms(&self) -> u64 {
        unix_ms()
    }

    fn steady_ms(&self) -> u64 {
        steady_ms()
    }
}

/// The age of the log, in milliseconds: runs while a process has the log open, and goes on
/// after a restart where the log says that it stood. The time between two processes does not
/// count, because only the wall clock could say how long that was: ids are remembered and
/// messages kept that much longer.
pub(crate) struct LogClock {
    clock: Box<dyn Clock>,
    opened_at_ms: u64,
    steady_at_open_ms: u64,
}

impl LogClock {
    /// Goes on from where the log's clock stood; a new log begins at the wall clock's time.
    pub(crate) fn new(clock: Box<dyn Clock>, stood_at_ms: Option<u64>) -> Self {
        let opened_at_ms = stood_at_ms.unwrap_or_else(|| clock.unix_ms());
        LogClock { steady_at_open_ms: clock.steady_ms(), opened_at_ms, clock }
    }

    /// The log's time.
    pub(crate) fn now_ms(&self) -> u64 {
        let passed_ms = self.clock.steady_ms().saturating_sub(self.steady_at_open_ms);
        self.opened_at_ms.saturating_add(passed_ms)
    }

    /// The wall clock's time, for what others read.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.clock.unix_ms()
    }
}

#[cfg(test)]
pub(crate) mod test {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Clock;

    /// Clocks that a test moves by hand, each by itself.
    #[derive(Clone, Default)]
    pub(crate) struct ManualClock {
        pub(crate) unix_ms: Arc<AtomicU64>,
        pub(crate) steady_ms: Arc<AtomicU64>,
    }

    impl ManualClock {
        /// Time passes: both clocks go on.
        pub(crate) fn pass(&self, ms: u64) {
            self.unix_ms.fetch_add(ms, Ordering::SeqCst);
            self.steady_ms.fetch_add(ms, Ordering::SeqCst);
        }

        /// Somebody sets the wall clock.
        pub(crate) fn step(&self, by_ms: i64) {
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
}
