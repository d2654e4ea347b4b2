//! The queue of the audit log: lines are written in batches, off the request path.

use std::sync::Arc;
use std::time::Duration;

use barrage_http::{AdminCall, AuditLog, AuditSink};
use barrage_moderation::AuditEntry;
use barrage_store::{AuditRecord, Store};
use parking_lot::Mutex;
use prometheus::IntCounter;
use tokio_util::sync::CancellationToken;

use super::audit_line::audit_line;
use crate::text::printable;

/// Maximum waiting lines. Further lines are lost and counted. The queue fills only when the store
/// is away for long, or in a flood.
const WAITING_MAX: usize = 20_000;
/// Maximum lines that one transaction writes to the store.
const BATCH_MAX: usize = 1_000;
const WRITE_PERIOD: Duration = Duration::from_millis(500);
/// Maximum wait of an action for its line of the audit log.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
const SWEEP_PERIOD: Duration = Duration::from_secs(600);
/// Maximum lines that one transaction deletes; a sweep takes several when more lines are old.
const SWEEP_ROWS: usize = 1_000;
/// Maximum wait for the store to open, and the pause after a failure.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Lines that wait to be written to the audit log.
#[derive(Debug)]
pub struct AuditQueue {
    waiting: Mutex<Vec<AuditRecord>>,
    lost: IntCounter,
}

impl AuditQueue {
    /// Makes an empty queue. `lost` counts lines that could not be kept.
    #[must_use]
    pub fn new(lost: IntCounter) -> Self {
        AuditQueue { waiting: Mutex::default(), lost }
    }

    fn push(&self, record: AuditRecord) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push(record);
        } else {
            self.lost.inc();
        }
    }

    /// Writes a line before the action that it describes is answered. A line that the store does not
    /// take within a second waits in the queue.
    pub(crate) async fn write_through(&self, store: &dyn Store, record: AuditRecord) {
        let write = store.append_audit(std::slice::from_ref(&record));
        match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "a line of the audit log waits for the store");
                self.push(record);
            }
            Err(_) => {
                tracing::warn!("a line of the audit log was not written in time, and is written again");
                self.push(record);
            }
        }
    }

    /// Adds a line about a text that moderation acted on.
    pub(crate) fn push_moderated(&self, entry: AuditEntry) {
        self.push(AuditRecord {
            at_ms: entry.at_ms,
            room: Some(entry.room),
            user: Some(entry.user),
            action: if entry.shadow { "shadow" } else { entry.hit.measure.label() }.into(),
            detail: serde_json::json!({
                "message": entry.message,
                "would": entry.shadow.then_some(entry.hit.measure.label()),
                "detail": printable(&entry.hit.detail),
                "text": entry.excerpt,
            }),
            actor: entry.hit.rule,
        });
    }

    /// Writes the queue for a process that has no store of its own.
    ///
    /// Opens the store when the first line waits, and tries again every five seconds while the
    /// store is away. At the shutdown the queue is tried once more, for five seconds; lines that
    /// are left are in the process's log alone.
    pub async fn run_without_store<O, F, E>(&self, open: O, shutdown: CancellationToken)
    where
        O: Fn() -> F,
        F: Future<Output = Result<Arc<dyn Store>, E>>,
        E: std::fmt::Display,
    {
        let mut store: Option<Arc<dyn Store>> = None;
        let mut pause = WRITE_PERIOD;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
            pause = WRITE_PERIOD;
            if store.is_none() && !self.waiting.lock().is_empty() {
                match tokio::time::timeout(OPEN_TIMEOUT, open()).await {
                    Ok(Ok(opened)) => store = Some(opened),
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "the store of the audit log cannot be opened; trying again");
                        pause = OPEN_TIMEOUT;
                    }
                    Err(_) => {
                        tracing::warn!("the store of the audit log does not answer; trying again");
                    }
                }
            }
            if let Some(store) = &store {
                self.write(&**store).await;
            }
            if shutdown.is_cancelled() {
                break;
            }
        }
        let left = self.waiting.lock().len();
        if left > 0 {
            self.lost.inc_by(left as u64);
            tracing::error!(records = left, "admin calls did not reach the audit log; see this log for them");
        }
        if let Some(store) = store {
            store.close().await;
        }
    }

    /// Writes the queue until the shutdown, and then once more. Deletes lines older than `keep`.
    pub(crate) async fn run(&self, store: &dyn Store, keep: Duration, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(WRITE_PERIOD);
        let mut sweep = tokio::time::interval(SWEEP_PERIOD);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = sweep.tick() => delete_old(store, keep).await,
                () = shutdown.cancelled() => {}
            }
            self.write(store).await;
            if shutdown.is_cancelled() {
                return;
            }
        }
    }

    async fn write(&self, store: &dyn Store) {
        loop {
            let batch: Vec<_> = {
                let mut waiting = self.waiting.lock();
                let count = waiting.len().min(BATCH_MAX);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                return;
            }
            if let Err(error) = store.append_audit(&batch).await {
                tracing::warn!(%error, records = batch.len(), "the audit log cannot be written; trying again");
                self.waiting.lock().splice(0..0, batch);
                return;
            }
        }
    }
}

/// Admin calls of all roles of the process go into the log at once, and into the audit log with
/// the next batch.
impl AuditSink for AuditQueue {
    fn record(&self, call: AdminCall) {
        AuditLog.record(call.clone());
        self.push(audit_line(call));
    }
}

async fn delete_old(store: &dyn Store, keep: Duration) {
    let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
    let before_ms = barrage_clock::unix_ms().saturating_sub(keep_ms);
    loop {
        match store.delete_audit(before_ms, SWEEP_ROWS).await {
            Ok(deleted) if deleted >= SWEEP_ROWS as u64 => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "old lines of the audit log were not deleted");
                return;
            }
        }
    }
}
