//! The way into the audit log: off the request path, in batches.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use barrage_http::AdminCall;
use barrage_moderation::AuditEntry;
use barrage_store::{AuditRecord, Store};
use prometheus::IntCounter;
use tokio_util::sync::CancellationToken;

/// Records that wait to be written; beyond, they are lost and counted. More wait
/// only when the store has been away for long or somebody floods.
const WAITING_MAX: usize = 20_000;
/// Records in one transaction.
const BATCH_MAX: usize = 1_000;
const WRITE_EVERY: Duration = Duration::from_millis(500);
const SWEEP_EVERY: Duration = Duration::from_secs(600);
const SWEEP_ROWS: usize = 1_000;

/// Records that wait.
#[derive(Debug)]
pub(crate) struct Audit {
    waiting: Mutex<Vec<AuditRecord>>,
    lost: IntCounter,
}

impl Audit {
    pub(crate) fn new(lost: IntCounter) -> Self {
        Audit { waiting: Mutex::default(), lost }
    }

    pub(crate) fn push(&self, record: AuditRecord) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
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
                "detail": entry.hit.detail,
                "text": entry.excerpt,
            }),
            actor: entry.hit.rule,
        });
    }

    /// An admin call.
    pub(crate) fn called(&self, call: AdminCall) {
        self.push(AuditRecord {
            at_ms: call.at_ms,
            room: call.room,
            user: None,
            actor: call.actor.to_string(),
            action: "call".into(),
            detail: serde_json::json!({
                "method": call.method.as_str(),
                "path": call.path,
                "status": call.status,
            }),
        });
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
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let count = waiting.len().min(BATCH_MAX);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                return;
            }
            if let Err(error) = store.append_audit(&batch).await {
                tracing::warn!(%error, records = batch.len(), "the audit log was not written; it is tried again");
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.splice(0..0, batch);
                return;
            }
        }
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
