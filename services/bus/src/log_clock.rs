//! The clock of a log: steady within a process, and continued after a restart.

use barrage_clock::Clock;

/// The age of the log in milliseconds. It runs while a process has the log open, and continues
/// after a restart from the time that the log stored. The time between two processes does not
/// count, because only the wall clock could measure it: ids are remembered and messages kept that
/// much longer.
pub(crate) struct LogClock {
    clock: Box<dyn Clock>,
    opened_at_ms: u64,
    steady_at_open_ms: u64,
}

impl LogClock {
    /// Continues from the time that the log stored; a new log (`None`) begins at the wall clock's
    /// time.
    pub(crate) fn new(clock: Box<dyn Clock>, stored_ms: Option<u64>) -> Self {
        let opened_at_ms = stored_ms.unwrap_or_else(|| clock.unix_ms());
        LogClock { steady_at_open_ms: clock.steady_ms(), opened_at_ms, clock }
    }

    /// Returns the log's time in milliseconds; it grows steadily, whatever the wall clock does.
    pub(crate) fn now_ms(&self) -> u64 {
        let passed_ms = self.clock.steady_ms().saturating_sub(self.steady_at_open_ms);
        self.opened_at_ms.saturating_add(passed_ms)
    }

    /// Returns the wall clock's time, for timestamps that others read.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.clock.unix_ms()
    }
}
