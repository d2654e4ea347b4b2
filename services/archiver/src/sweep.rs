//! Deletes what is too old, a chunk at a time, so that archiving goes on between two.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use barrage_store::{Store, StoreError};

use crate::{ArchiverConfig, ArchiverMetrics};

/// Whether there may be more to delete at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    More,
    Done,
}

/// Sweeps for ever. A failure is not repeated before the next interval: archiving
/// matters more.
pub(crate) async fn run(store: &dyn Store, config: &ArchiverConfig, metrics: &ArchiverMetrics) {
    loop {
        match delete_chunk(store, config, metrics).await {
            Ok(Progress::More) => continue,
            Ok(Progress::Done) => {}
            Err(error) => {
                metrics.store_failures.inc();
                tracing::warn!(error = &error as &dyn std::error::Error, "old messages could not be deleted");
            }
        }
        tokio::time::sleep(Duration::from_secs(config.retention_interval_secs.max(1))).await;
    }
}

async fn delete_chunk(
    store: &dyn Store,
    config: &ArchiverConfig,
    metrics: &ArchiverMetrics,
) -> Result<Progress, StoreError> {
    let limit = config.retention_chunk_rows.clamp(1, barrage_store::HISTORY_LIMIT_MAX);
    let now_ms = unix_ms();
    let mut deleted = store.delete_ended_mutes(now_ms, limit).await?;
    if config.retention_hours > 0 {
        let age_ms = config.retention_hours.saturating_mul(3_600_000);
        let messages = store.delete_messages(now_ms.saturating_sub(age_ms), limit).await?;
        metrics.deleted.inc_by(messages);
        deleted = deleted.max(messages);
    }
    Ok(if deleted < limit as u64 { Progress::Done } else { Progress::More })
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
