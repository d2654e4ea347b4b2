//! One receiver: what its reading and its sending share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_bus::{Fault, Report};
use barrage_store::{Store, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::config::{EndpointConfig, WebhooksConfig};
use crate::error::WebhooksError;
use crate::metrics::EndpointMetrics;

/// Waits between calls of the store or the bus that fail.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// One receiver, with handles that its tasks share.
pub(crate) struct Endpoint {
    pub(crate) settings: EndpointConfig,
    pub(crate) config: Arc<WebhooksConfig>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: EndpointMetrics,
    /// Wakes the sending task when events were stored.
    pub(crate) stored: Notify,
    /// Events that wait, as last counted in the store, with those that were stored since.
    pending: AtomicU64,
    is_disabled: AtomicBool,
    /// Logs a lasting failure once, and then once a minute.
    fault: Mutex<Fault>,
}

impl Endpoint {
    pub(crate) fn new(
        settings: EndpointConfig,
        config: Arc<WebhooksConfig>,
        store: Arc<dyn Store>,
        metrics: EndpointMetrics,
    ) -> Self {
        Endpoint {
            settings,
            config,
            store,
            metrics,
            stored: Notify::new(),
            pending: AtomicU64::new(0),
            is_disabled: AtomicBool::new(false),
            fault: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(crate) fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.config.poll_interval_ms.max(1))
    }

    /// Returns how many events wait for each that may wait.
    pub(crate) fn fill(&self) -> f64 {
        self.pending.load(Ordering::Relaxed) as f64 / self.config.pending_max.max(1) as f64
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.is_disabled.load(Ordering::Relaxed)
    }

    /// Stops sending at once, before the store has it.
    pub(crate) fn disable(&self) {
        self.is_disabled.store(true, Ordering::Relaxed);
    }

    /// Counts events that were stored, and wakes the sending task.
    pub(crate) fn add_pending(&self, events: usize) {
        self.pending.fetch_add(events as u64, Ordering::Relaxed);
        self.metrics.events.inc_by(events as u64);
        self.stored.notify_one();
    }

    /// Reads the state of the receiver from the store, which the admin API may have changed.
    pub(crate) async fn refresh(&self) -> Result<(), WebhooksError> {
        let deliveries = self.store.deliveries();
        let counts = self.retried(|| deliveries.delivery_counts(self.name())).await?;
        let record = self.retried(|| deliveries.endpoint(self.name())).await?;
        let is_disabled = record.is_some_and(|record| record.disabled_reason.is_some());
        self.pending.store(counts.pending, Ordering::Relaxed);
        self.is_disabled.store(is_disabled, Ordering::Relaxed);
        let oldest_ms =
            counts.oldest_pending_at_ms.map_or(0, |at_ms| barrage_clock::unix_ms().saturating_sub(at_ms));
        self.metrics.pending.set(i64::try_from(counts.pending).unwrap_or(i64::MAX));
        self.metrics.oldest_seconds.set(i64::try_from(oldest_ms / 1_000).unwrap_or(i64::MAX));
        self.metrics.disabled.set(i64::from(is_disabled));
        Ok(())
    }

    /// Calls the store until it answers.
    ///
    /// # Errors
    /// When the failure will not pass.
    pub(crate) async fn retried<T, F>(&self, call: impl Fn() -> F) -> Result<T, WebhooksError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            match call().await {
                Ok(answer) => {
                    self.succeeded();
                    return Ok(answer);
                }
                Err(error) if !error.is_retryable() => return Err(WebhooksError::Store(error)),
                Err(error) => {
                    self.failed(&error);
                    tokio::time::sleep(backoff.next_ceiling()).await;
                }
            }
        }
    }

    pub(crate) fn failed(&self, error: &(dyn std::error::Error + 'static)) {
        self.metrics.failures.inc();
        if self.fault.lock().failed(Duration::from_millis(barrage_clock::steady_ms())).is_some() {
            tracing::warn!(
                endpoint = self.name(),
                error,
                "webhooks cannot read the bus or use the store; trying again"
            );
        }
    }

    fn succeeded(&self) {
        let report = self.fault.lock().succeeded(Duration::from_millis(barrage_clock::steady_ms()));
        if let Some(Report::Ended { since, .. }) = report {
            tracing::info!(endpoint = self.name(), secs = since.as_secs(), "webhooks work again");
        }
    }
}
