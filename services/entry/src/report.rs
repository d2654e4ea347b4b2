//! The load report of this entry to the registry.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{EntryReport, InstanceReport, Role};
use barrage_scaling::EntryLoad;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::entry::Entry;

const REPORT_PERIOD: Duration = Duration::from_secs(1);

/// Reports to the registry every second until the shutdown. The last report says that this entry
/// drains.
pub async fn run(entry: Arc<Entry>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(REPORT_PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = (0, entry.now());
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shutdown.cancelled() => {}
        }
        let now = entry.now();
        let granted = entry.newcomers.granted();
        let secs = (now - before.1).as_secs_f64().max(0.001);
        let queued = entry.weigh(now);
        let load = EntryLoad {
            waiting: (queued + entry.newcomers.waiting(now)) as f64,
            granted_per_s: (granted - before.0) as f64 / secs,
        };
        let load = EntryReport { load, factors: entry.factors.lock().own(barrage_clock::unix_ms()) };
        before = (granted, now);
        let draining = shutdown.is_cancelled();
        let new = InstanceReport::new(Role::Entry, entry.config.id.clone());
        let report = InstanceReport { age_secs: now.as_secs(), draining, entry: Some(load), ..new };
        if let Err(error) = entry.bus.report(report).await {
            // The bus logs the loss of its servers once, as an error.
            tracing::debug!(%error, "the report to the registry failed");
        }
        entry.log_fleet_changes(now);
        if draining {
            return;
        }
    }
}
