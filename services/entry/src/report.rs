//! What entry says of itself: who waits, and how many it sent on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barrage_bus::{EntryReport, InstanceReport, Role};
use barrage_scaling::EntryLoad;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::routes::Entry;
use crate::unix::unix_ms;

const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Counts newcomers.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    granted: AtomicU64,
    /// Those told to come back, by the second for which they were told; as many seconds as
    /// the longest wait.
    away: Mutex<BTreeMap<u64, u64>>,
}

impl Newcomers {
    fn away(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One was sent to a gateway, now or by a ticket.
    pub(crate) fn granted(&self) {
        self.granted.fetch_add(1, Ordering::Relaxed);
    }

    /// One was told to come back after this time.
    pub(crate) fn turned_away(&self, now: Duration, back_after: Duration) {
        *self.away().entry((now + back_after).as_secs()).or_default() += 1;
    }

    /// Those who have still to come back.
    pub(crate) fn waiting(&self, now: Duration) -> u64 {
        let mut away = self.away();
        let due = away.split_off(&now.as_secs());
        *away = due;
        away.values().sum()
    }
}

/// Tells the registry every second, until the shutdown.
pub async fn run(entry: Arc<Entry>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(REPORT_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = (0, entry.started.elapsed());
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shutdown.cancelled() => {}
        }
        let now = entry.started.elapsed();
        let granted = entry.newcomers.granted.load(Ordering::Relaxed);
        let secs = (now - before.1).as_secs_f64().max(0.001);
        let queued = entry.weigh(now);
        let load = EntryLoad {
            waiting: (queued + entry.newcomers.waiting(now)) as f64,
            granted_per_s: (granted - before.0) as f64 / secs,
        };
        let load = EntryReport { load, factors: entry.factors().own(unix_ms()) };
        before = (granted, now);
        let draining = shutdown.is_cancelled();
        let new = InstanceReport::new(Role::Entry, entry.config.id.clone());
        let report = InstanceReport { age_secs: now.as_secs(), draining, entry: Some(load), ..new };
        if let Err(error) = entry.bus.report(report).await {
            // The bus logs once that its servers do not answer.
            tracing::debug!(%error, "the registry was not told of this entry");
        }
        entry.log_attendance(now);
        if draining {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_told_to_come_back_waits_for_a_while() {
        let newcomers = Newcomers::default();
        for second in 0..100 {
            newcomers.turned_away(Duration::from_secs(second), Duration::from_secs(3));
            newcomers.turned_away(Duration::from_secs(second), Duration::from_millis(9_900));
        }
        // Of the first kind those of the last four seconds, of the second those of the last ten.
        assert_eq!(newcomers.waiting(Duration::from_secs(99)), 4 + 10);
        assert!(newcomers.away().len() <= 10);
        assert_eq!(newcomers.waiting(Duration::from_secs(200)), 0);
    }
}
