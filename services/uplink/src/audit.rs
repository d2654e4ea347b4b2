//! The way into the audit log: off the request path, in batches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barrage_http::{AdminCall, AuditLog, AuditSink};
use barrage_moderation::AuditEntry;
use barrage_store::{AuditRecord, Store};
use prometheus::IntCounter;
use tokio_util::sync::CancellationToken;

use crate::call::record_of;
use crate::printable::printable;

/// Records that wait to be written; beyond, they are lost and counted. More wait
/// only when the store has been away for long or somebody floods.
const WAITING_MAX: usize = 20_000;
/// Records in one transaction.
const BATCH_MAX: usize = 1_000;
const WRITE_EVERY: Duration = Duration::from_millis(500);
const SWEEP_EVERY: Duration = Duration::from_secs(600);
const SWEEP_ROWS: usize = 1_000;
/// Longest wait for a store that a process without one opens.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Records that wait to be written to the audit log.
#[derive(Debug)]
pub struct Audit {
    waiting: Mutex<Vec<AuditRecord>>,
    lost: IntCounter,
}

impl Audit {
    /// `lost` counts records that nothing could keep.
    #[must_use]
    pub fn new(lost: IntCounter) -> Self {
        Audit { waiting: Mutex::default(), lost }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<AuditRecord>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, record: AuditRecord) {
        let mut waiting = self.waiting();
        if waiting.len() < WAITING_MAX {
            waiting.push(record);
        } else {
            self.lost.inc();
        }
    }

    pub(crate) fn moderated(&self, entry: AuditEntry) {
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

    /// For a process that has no store of its own: opens one when the first record waits, writes
    /// what waits, and tries again every five seconds while the store is away. At the shutdown it
    /// tries once more, for five seconds; what is left is in the log alone.
    pub async fn run_without_store<O, F, E>(&self, open: O, shutdown: CancellationToken)
    where
        O: Fn() -> F,
        F: Future<Output = Result<Arc<dyn Store>, E>>,
        E: std::fmt::Display,
    {
        let mut store: Option<Arc<dyn Store>> = None;
        let mut pause = WRITE_EVERY;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
            pause = WRITE_EVERY;
            if store.is_none() && !self.waiting().is_empty() {
                match tokio::time::timeout(OPEN_TIMEOUT, open()).await {
                    Ok(Ok(opened)) => store = Some(opened),
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "the store for the audit log cannot be opened; it is tried again");
                        pause = OPEN_TIMEOUT;
                    }
                    Err(_) => {
                        tracing::warn!("the store for the audit log does not answer; it is tried again");
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
        let left = self.waiting().len();
        if left > 0 {
            self.lost.inc_by(left as u64);
            tracing::error!(records = left, "admin calls did not reach the audit log; they are in this log");
        }
        if let Some(store) = store {
            store.close().await;
        }
    }

    /// Writes what waits, until the shutdown and then once more; deletes what is
    /// older than `keep`.
    pub(crate) async fn run(&self, store: &dyn Store, keep: Duration, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(WRITE_EVERY);
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
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
                let mut waiting = self.waiting();
                let count = waiting.len().min(BATCH_MAX);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                return;
            }
            if let Err(error) = store.append_audit(&batch).await {
                tracing::warn!(%error, records = batch.len(), "the audit log was not written; it is tried again");
                let mut waiting = self.waiting();
                waiting.splice(0..0, batch);
                return;
            }
        }
    }
}

/// Admin calls of all roles of the process: into the log at once, into the audit log soon.
impl AuditSink for Audit {
    fn record(&self, call: AdminCall) {
        AuditLog.record(call.clone());
        self.push(record_of(call));
    }
}

async fn delete_old(store: &dyn Store, keep: Duration) {
    let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
    let before_ms = crate::send::unix_ms().saturating_sub(keep_ms);
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
