//! Log lines for refused tokens, with a bound.

use std::fmt::Display;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Maximum lines in a period. Further refusals are counted, and the next line has their number.
const LINES_MAX: u32 = 10;
const PERIOD: Duration = Duration::from_secs(10);

/// Logs why tokens are refused. A line holds no part of a token except its `kid`, its algorithm or
/// the claim that is refused, each cut and escaped.
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
        let admitted = self.0.lock().admit(barrage_clock::now());
        if let Some(suppressed) = admitted {
            tracing::info!(%reason, suppressed, "a token was refused");
        }
    }
}

impl Window {
    /// Returns the number of refusals without a line before this one, when this one gets a line.
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
    fn period_has_ten_lines_and_the_next_line_counts_the_rest() {
        let (mut window, start) = (Window::default(), barrage_clock::now());
        let lines = (0..1_000).filter(|_| window.admit(start).is_some()).count();
        assert_eq!(lines, 10);
        assert_eq!(window.admit(start + PERIOD), Some(990));
        assert_eq!(window.admit(start + PERIOD), Some(0));
    }
}
