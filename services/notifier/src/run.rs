//! A run of the role: the queue, badges, campaigns, and a sweep.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::Bus;
use barrage_store::{Announced, PushStore};
use barrage_tls::ClientTls;
use tokio_util::sync::CancellationToken;

use crate::badges;
use crate::campaign::Campaigns;
use crate::config::PushConfig;
use crate::dispatch::Dispatch;
use crate::error::NotifierError;
use crate::metrics::NotifierMetrics;
use crate::presence::Presence;
use crate::queue::Queue;
use crate::sender;

/// Time between two looks for devices that did not register for long.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// What the role works between.
#[derive(Clone)]
pub struct Parts {
    /// Has devices, the queue and follows.
    pub store: Arc<dyn PushStore>,
    /// Has the gateways' reports, and takes announcements for entry.
    pub bus: Arc<dyn Bus>,
    /// Says which devices are in their user's hand.
    pub presence: Arc<dyn Presence>,
    /// Authorities that the services' certificates must come from.
    pub tls: ClientTls,
}

/// What the role has done until it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Notifications that were settled: sent, dropped, or put off.
    pub settled: u64,
}

/// Sends notifications until `shutdown`, and lets those in flight end. What it could not settle is in the queue, and is
/// sent after the next start.
///
/// # Errors
/// When only an operator can repair the cause. No notification was skipped.
pub async fn run(
    config: PushConfig,
    parts: Parts,
    metrics: NotifierMetrics,
    shutdown: CancellationToken,
) -> Result<Report, NotifierError> {
    if let Some((key, text)) = config.problems().into_iter().next() {
        return Err(NotifierError::Config(format!("{key}: {text}")));
    }
    let Parts { store, bus, presence, tls } = parts;
    let config = Arc::new(config);
    let senders = sender::all(&config, &tls)?;
    let dispatch = Arc::new(Dispatch::new(senders, Arc::clone(&store), metrics.clone()));
    announce(&*store, &config, &dispatch, &metrics, &shutdown).await?;
    let queue =
        Queue::new(Arc::clone(&config), Arc::clone(&store), Arc::clone(&dispatch), presence, metrics.clone());
    let lowering = badges::run(Arc::clone(&store), Arc::clone(&dispatch), metrics.clone(), shutdown.clone());
    let campaigns = Campaigns::new(Arc::clone(&config), Arc::clone(&store), bus, dispatch, metrics.clone());
    let sweeping = sweep(config, store, metrics, shutdown.clone());
    let sweeping = async {
        sweeping.await;
        Ok(())
    };
    let campaigns = campaigns.run(shutdown.clone());
    let (settled, (), (), ()) = tokio::try_join!(queue.run(shutdown), campaigns, lowering, sweeping)?;
    Ok(Report { settled })
}

/// Tells clients, by the tables, which services this server sends to. Tries until the tables answer. Another key of Web Push
/// than the one that browsers subscribed with is refused.
async fn announce(
    store: &dyn PushStore,
    config: &PushConfig,
    dispatch: &Dispatch,
    metrics: &NotifierMetrics,
    shutdown: &CancellationToken,
) -> Result<(), NotifierError> {
    let services = dispatch.services();
    let mut backoff = PushConfig::store_backoff();
    loop {
        match store.announce_services(&services, config.vapid_key_replaces.as_deref()).await {
            Ok(Announced::Done) => return Ok(()),
            Ok(Announced::OtherKey { own, stored }) => return Err(NotifierError::OtherKey { own, stored }),
            Err(error) if error.is_retryable() => {
                metrics.failures.inc();
                tracing::warn!(%error, "the services of notifications cannot be announced");
            }
            Err(error) => return Err(NotifierError::Store(error)),
        }
        let wait = tokio::time::sleep(backoff.next_wait(rand::random()));
        if shutdown.run_until_cancelled(wait).await.is_none() {
            return Ok(());
        }
    }
}

/// Forgets devices that did not register for long.
async fn sweep(
    config: Arc<PushConfig>,
    store: Arc<dyn PushStore>,
    metrics: NotifierMetrics,
    shutdown: CancellationToken,
) {
    let age_ms = config.unseen_days * 86_400_000;
    loop {
        match store.forget_unseen(barrage_clock::unix_ms().saturating_sub(age_ms)).await {
            Ok(forgotten) => metrics.forgotten.inc_by(forgotten),
            Err(error) => {
                metrics.failures.inc();
                tracing::warn!(%error, "devices that did not register for long cannot be forgotten");
            }
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_none() {
            return;
        }
    }
}
