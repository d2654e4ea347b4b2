//! One log line for a refused token, and not more than so many.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines in a period; refusals beyond are counted, and the next line has their number.
const LINES_MAX: u32 = 10;
const PERIOD: Duration = Duration::from_secs(10);

/// Logs why tokens are refused. A line holds no part of a token but its `kid`, its algorithm
/// or a claim that cannot be used, each cut and escaped.
#[derive(Debug, Default)]
pub(crate) struct RefusalLog(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl RefusalLog {
    pub(crate) fn refused(&self, reason: &dyn Display) {
        let admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now());
        if let Some(suppressed) = admitted {
            tracing::info!(%reason, suppressed, "a token was refused");
        }
    }
}

impl Window {
    /// The number of refusals without a line before this one, when this one gets a line.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.duration_since(began) >= PERIOD) {
            self.began = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES_MAX {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_ten_lines_and_the_next_one_counts_the_rest() {
        let (mut window, start) = (Window::default(), Instant::now());
        let lines = (0..1_000).filter(|_| window.admit(start).is_some()).count();
        assert_eq!(lines, 10);
        assert_eq!(window.admit(start + PERIOD), Some(990));
        assert_eq!(window.admit(start + PERIOD), Some(0));
    }
}
