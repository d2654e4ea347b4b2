//! How long to wait after a failure.

use std::time::Duration;

use crate::ArchiverConfig;

/// Doubles from the initial wait to the longest. Without jitter: one archiver
/// reads one bus, there is no crowd to spread.
#[derive(Debug)]
pub(crate) struct Backoff {
    next_ms: u64,
    max_ms: u64,
}

impl Backoff {
    pub(crate) fn new(config: &ArchiverConfig) -> Self {
        // Never zero: a dead store must not become a busy loop.
        let max_ms = config.backoff_max_ms.max(1);
        Backoff { next_ms: config.backoff_initial_ms.clamp(1, max_ms), max_ms }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let now_ms = self.next_ms;
        self.next_ms = now_ms.saturating_mul(2).min(self.max_ms);
        Duration::from_millis(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_bound_and_never_is_zero() {
        let waits = |initial, max, n| -> Vec<u128> {
            let config = ArchiverConfig {
                backoff_initial_ms: initial,
                backoff_max_ms: max,
                ..ArchiverConfig::default()
            };
            let mut backoff = Backoff::new(&config);
            (0..n).map(|_| backoff.next().as_millis()).collect()
        };
        assert_eq!(waits(100, 500, 5), [100, 200, 400, 500, 500]);
        assert_eq!(waits(0, 0, 3), [1, 1, 1]);
        assert_eq!(waits(9, 3, 2), [3, 3]);
    }
}
