//! The bound of log lines for failed requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Maximum log lines a second. Further failures are counted, and the next line has their number. A
/// store that is away fails every request.
const LINES_PER_S_MAX: u64 = 10;

/// Limits log lines and counts the suppressed ones.
#[derive(Debug)]
pub(crate) struct LogBound {
    origin: Instant,
    second: AtomicU64,
    lines: AtomicU64,
    suppressed: AtomicU64,
}

impl LogBound {
    pub(crate) fn new() -> Self {
        LogBound {
            origin: barrage_clock::now(),
            second: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Returns the number of lines suppressed since the last one, when a line may be written.
    pub(crate) fn admit(&self) -> Option<u64> {
        let second = self.origin.elapsed().as_secs();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        if self.lines.fetch_add(1, Ordering::Relaxed) < LINES_PER_S_MAX {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_limited_and_suppressed_ones_counted() {
        let bound = LogBound::new();
        let lines = (0..25).filter(|_| bound.admit().is_some()).count();
        // The test may cross the boundary of a second.
        assert!((10..=20).contains(&lines), "{lines}");
        assert!(bound.suppressed.load(Ordering::Relaxed) > 0);
    }
}
