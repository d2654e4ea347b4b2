//! Counts of newcomers: those sent to a gateway, and those who were told to come back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// Counts newcomers, for the load report of this entry.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    granted: AtomicU64,
    /// Refused newcomers by the second in which they may come back: as many seconds as the longest
    /// retry time.
    refused: Mutex<BTreeMap<u64, u64>>,
}

impl Newcomers {
    /// Counts a newcomer that was sent to a gateway, at once or with a ticket.
    pub(crate) fn count_granted(&self) {
        self.granted.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a newcomer that may come back after `retry_after`.
    pub(crate) fn count_refused(&self, now: Duration, retry_after: Duration) {
        *self.refused.lock().entry((now + retry_after).as_secs()).or_default() += 1;
    }

    /// Returns all newcomers that were sent to a gateway so far.
    pub(crate) fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }

    /// Returns the refused newcomers that have still to come back.
    pub(crate) fn waiting(&self, now: Duration) -> u64 {
        let mut refused = self.refused.lock();
        let due = refused.split_off(&now.as_secs());
        *refused = due;
        refused.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_newcomer_waits_until_its_retry_time() {
        let newcomers = Newcomers::default();
        for second in 0..100 {
            newcomers.count_refused(Duration::from_secs(second), Duration::from_secs(3));
            newcomers.count_refused(Duration::from_secs(second), Duration::from_millis(9_900));
        }
        // Of the first kind those of the last four seconds, of the second those of the last ten.
        assert_eq!(newcomers.waiting(Duration::from_secs(99)), 4 + 10);
        assert!(newcomers.refused.lock().len() <= 10);
        assert_eq!(newcomers.waiting(Duration::from_secs(200)), 0);
    }
}
