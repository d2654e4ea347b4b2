//! The audit log of a process without a store: a gateway or an entry on its own.

use std::sync::Arc;

use barrage_http::AuditSink;
use barrage_uplink::AuditQueue;
use prometheus::{IntCounter, Registry};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::process;
use crate::supervise::TaskResult;

/// A queue of admin calls, and what writes them until the shutdown: it opens the store that the
/// uplinks have when the first call comes. `None` where the configuration names no such store; then the
/// calls are in this process's log alone.
pub(crate) fn without_store(
    config: &Config,
    registry: &Registry,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<(Arc<dyn AuditSink>, impl Future<Output = TaskResult> + use<>)>> {
    if config.postgres.is_none() && config.store.file.is_none() {
        tracing::info!(
            "without [postgres] or store.file here, admin calls of this process are in its log alone"
        );
        return Ok(None);
    }
    let lost = IntCounter::new("barrage_audit_lost_total", "Admin calls that did not reach the audit log.")?;
    registry.register(Box::new(lost.clone()))?;
    let queue = Arc::new(AuditQueue::new(lost));
    let (writer, config, shutdown) = (Arc::clone(&queue), config.clone(), shutdown.clone());
    let writing = async move {
        let open = || async { process::store(&config).await };
        writer.run_without_store(open, shutdown).await;
        Ok(())
    };
    Ok(Some((queue, writing)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_http::AdminCall;
    use barrage_store::{SqliteStore, Store};

    #[tokio::test]
    async fn calls_of_a_process_without_a_store_reach_the_one_that_is_configured() {
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
        let lines = store.audit(None, None, 10).await.unwrap();
        let line = &lines[0].record;
        assert_eq!((line.action.as_str(), line.actor.as_str()), ("drain", "boss"));
        assert_eq!(line.detail["body"]["within_secs"], 60);
    }
}
