//! What entry says of itself: who waits, and how many it sent on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barrage_bus::{EntryLoad, InstanceReport, Role};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::routes::Entry;
use crate::unix::unix_ms;

const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Who was told to come back counts as waiting for so long: about the time that they
/// were told.
const AWAY_SECS: u64 = 15;

/// Counts newcomers.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    granted: AtomicU64,
    /// Second and number of those told to come back; bounded by `AWAY_SECS`.
    away: Mutex<VecDeque<(u64, u64)>>,
}

impl Newcomers {
    fn away(&self) -> MutexGuard<'_, VecDeque<(u64, u64)>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One was sent to a gateway, now or by a ticket.
    pub(crate) fn granted(&self) {
        self.granted.fetch_add(1, Ordering::Relaxed);
    }

    /// One was told to come back.
    pub(crate) fn turned_away(&self, now: Duration) {
        let second = now.as_secs();
        let mut away = self.away();
        match away.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => away.push_back((second, 1)),
        }
        while away.front().is_some_and(|(at, _)| at + AWAY_SECS < second) {
            away.pop_front();
        }
    }

    /// Those who were told so lately.
    fn waiting(&self, now: Duration) -> u64 {
        let recent = |(at, count): &(u64, u64)| (at + AWAY_SECS >= now.as_secs()).then_some(*count);
        self.away().iter().filter_map(recent).sum()
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
            waiting: queued + entry.newcomers.waiting(now),
            granted_per_s: (granted - before.0) as f64 / secs,
            factors: entry.factors().own(unix_ms()),
        };
        before = (granted, now);
        let draining = shutdown.is_cancelled();
        let new = InstanceReport::new(Role::Entry, entry.config.id.clone());
        let report = InstanceReport { age_secs: now.as_secs(), draining, entry: Some(load), ..new };
        if let Err(error) = entry.bus.report(report).await {
            tracing::warn!(%error, "the registry was not told of this entry");
        }
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
            newcomers.turned_away(Duration::from_secs(second));
            newcomers.turned_away(Duration::from_secs(second));
        }
        assert_eq!(newcomers.waiting(Duration::from_secs(99)), 2 * (AWAY_SECS + 1));
        assert!(newcomers.away().len() as u64 <= AWAY_SECS + 1);
        assert_eq!(newcomers.waiting(Duration::from_secs(200)), 0);
    }
}
