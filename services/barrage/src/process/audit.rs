//! Audit log of a process without a store: a gateway or an entry in a process of its own.

use std::sync::Arc;

use barrage_http::AuditSink;
use barrage_uplink::AuditQueue;
use prometheus::{IntCounter, Registry};
use tokio_util::sync::CancellationToken;

use super::context::open_store;
use crate::config::Config;
use crate::supervise::TaskResult;

/// Returns a queue of admin calls, and the task that writes them to the store of the uplinks. The
/// task opens the store at the first call, and ends after the shutdown.
///
/// Returns `None` where the configuration names no such store; then admin calls are written to the
/// log of this process alone.
pub(crate) fn without_store(
    config: &Config,
    registry: &Registry,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<(Arc<dyn AuditSink>, impl Future<Output = TaskResult> + use<>)>> {
    if config.postgres.is_none() && config.store.file.is_none() {
        tracing::info!(
            "admin calls are written to the log of this process alone: it has neither [postgres] nor store.file"
        );
        return Ok(None);
    }
    let lost = IntCounter::new("barrage_audit_lost_total", "Admin calls that did not reach the audit log.")?;
    registry.register(Box::new(lost.clone()))?;
    let queue = Arc::new(AuditQueue::new(lost));
    let (writer, config, shutdown) = (Arc::clone(&queue), config.clone(), shutdown.clone());
    let writing = async move {
        let open = || async { open_store(&config).await };
        writer.run_without_store(open, shutdown).await;
        Ok(())
    };
    Ok(Some((queue, writing)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_http::AdminCall;
    use barrage_store::{AuditFilter, SqliteStore, Store};

    #[tokio::test]
    async fn admin_calls_of_a_process_without_a_store_reach_the_configured_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.sqlite");
        let mut config = Config::default();
        assert!(without_store(&config, &Registry::new(), &CancellationToken::new()).unwrap().is_none());
        config.store.file = Some(file.clone());
        let shutdown = CancellationToken::new();
        let (queue, writing) = without_store(&config, &Registry::new(), &shutdown).unwrap().unwrap();
        queue.record(AdminCall {
            at_ms: 7,
            actor: "boss".parse().unwrap(),
            method: http::Method::POST,
            path: "/v1/admin/drain".into(),
            room: None,
            body: Some(serde_json::json!({ "within_secs": 60 })),
            status: 200,
        });
        shutdown.cancel();
        writing.await.unwrap();
        let store = SqliteStore::open(&file, &config.store).await.unwrap();
        let lines = store.audit(AuditFilter::default(), None, 10).await.unwrap();
        let line = &lines[0].record;
        assert_eq!((line.action.as_str(), line.actor.as_str()), ("drain", "boss"));
        assert_eq!(line.detail["body"]["within_secs"], 60);
    }
}
