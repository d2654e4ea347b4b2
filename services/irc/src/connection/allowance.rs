//! Lines that a client may still send: a bucket that time fills. Pure.

use std::time::Duration;

/// Seconds' worth of lines that a client may send at once.
const BURST_SECS: f64 = 5.0;

#[derive(Debug)]
pub(super) struct Allowance {
    lines: f64,
    per_s: f64,
    at: Duration,
}

impl Allowance {
    pub(super) fn new(lines_per_s: u32) -> Self {
        let per_s = f64::from(lines_per_s);
        Allowance { lines: per_s * BURST_SECS, per_s, at: Duration::ZERO }
    }

    /// Takes one line at a time since the start; false when the client sends too many.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.lines = (self.lines + passed * self.per_s).min(self.per_s * BURST_SECS) - 1.0;
        self.lines >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_followed_by_the_rate() {
        let mut allowance = Allowance::new(2);
        assert_eq!((0..20).filter(|_| allowance.take(Duration::ZERO)).count(), 10);
        let mut allowance = Allowance::new(2);
        let sent = (0..1_000).map(|n| Duration::from_millis(n * 500));
        assert!(sent.into_iter().all(|now| allowance.take(now)));
    }
}
