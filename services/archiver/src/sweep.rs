//! Deletes old messages in chunks, so that archiving goes on between two chunks.

use std::time::Duration;

use barrage_store::{Store, StoreError};

use crate::config::ArchiverConfig;
use crate::metrics::ArchiverMetrics;

/// Whether there may be more rows to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    More,
    Done,
}

/// Sweeps until it is dropped. A failed chunk waits for the next interval, because archiving is more
/// important.
pub(crate) async fn run(store: &dyn Store, config: &ArchiverConfig, metrics: &ArchiverMetrics) {
    loop {
        match delete_chunk(store, config, metrics).await {
            Ok(Progress::More) => continue,
            Ok(Progress::Done) => {}
            Err(error) => {
                metrics.store_failures.inc();
                tracing::warn!(error = &error as &dyn std::error::Error, "old messages cannot be deleted");
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
    if config.retention_hours == 0 {
        return Ok(Progress::Done);
    }
    let limit = config.retention_chunk_rows.clamp(1, barrage_store::HISTORY_LIMIT_MAX);
    let age_ms = config.retention_hours.saturating_mul(3_600_000);
    let before_ms = barrage_clock::unix_ms().saturating_sub(age_ms);
    let deleted = store.delete_messages(before_ms, limit).await?;
    metrics.deleted.inc_by(deleted);
    Ok(if deleted < limit as u64 { Progress::Done } else { Progress::More })
}
