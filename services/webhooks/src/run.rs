//! A run: for each receiver one loop for each partition of the bus, one for the audit log, one for
//! reviews, one that sends, and one that sweeps.

use std::pin::Pin;
use std::sync::Arc;

use barrage_bus::Bus;
use barrage_store::{EndpointRecord, Store};
use barrage_tls::ClientTls;
use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::client::ReceiverClient;
use crate::config::{EndpointConfig, WebhooksConfig, url};
use crate::deliver::Deliver;
use crate::endpoint::Endpoint;
use crate::error::WebhooksError;
use crate::ingest::follow_all;
use crate::metrics::WebhooksMetrics;
use crate::outside::Outside;
use crate::prewarm;
use crate::review;
use crate::sweep;

type Loop = Pin<Box<dyn Future<Output = Result<(), WebhooksError>> + Send>>;

/// Sends webhooks until `shutdown`. Failures of store, bus and receivers are retried. The shutdown may
/// end a request: the next start sends its event again, under the same id.
///
/// # Errors
/// When only an operator can repair the cause. No event was skipped.
pub async fn run(
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    config: WebhooksConfig,
    tls: ClientTls,
    metrics: WebhooksMetrics,
    shutdown: CancellationToken,
) -> Result<(), WebhooksError> {
    if let Some((key, text)) = config.problems().into_iter().next() {
        return Err(WebhooksError::Config(format!("{key}: {text}")));
    }
    if config.endpoints.is_empty() {
        tracing::warn!("no receiver of webhooks is configured; nothing is sent");
        shutdown.cancelled().await;
        return Ok(());
    }
    let config = Arc::new(config);
    let mut loops = Vec::new();
    for settings in &config.endpoints {
        loops.extend(start(&bus, &store, &config, settings, &tls, &metrics).await?);
    }
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        ended = try_join_all(loops) => ended.map(drop),
    }
}

/// Copies events from the bus into the store for each receiver, as [`run`] does, and sends none. For simulations
/// and for tests of what is stored.
///
/// # Errors
/// When only an operator can repair the cause. No event was skipped.
pub async fn ingest(
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    config: Arc<WebhooksConfig>,
    metrics: WebhooksMetrics,
) -> Result<(), WebhooksError> {
    let endpoints = config.endpoints.iter().map(|settings| endpoint(settings, &config, &store, &metrics));
    let loops = endpoints.map(|endpoint| follow_all(Arc::clone(&bus), endpoint));
    try_join_all(loops).await.map(drop)
}

/// Sends the stored events of each receiver, as [`run`] does, and stores none. `outside` makes the surroundings of
/// a receiver by its name. For simulations.
///
/// # Errors
/// When only an operator can repair the cause. No event was skipped.
pub async fn deliver(
    store: Arc<dyn Store>,
    config: Arc<WebhooksConfig>,
    metrics: WebhooksMetrics,
    outside: impl Fn(&str) -> Box<dyn Outside>,
) -> Result<(), WebhooksError> {
    let loops = config.endpoints.iter().map(|settings| {
        let endpoint = endpoint(settings, &config, &store, &metrics);
        Deliver::new(endpoint, outside(&settings.name)).follow()
    });
    try_join_all(loops).await.map(drop)
}

fn endpoint(
    settings: &EndpointConfig,
    config: &Arc<WebhooksConfig>,
    store: &Arc<dyn Store>,
    metrics: &WebhooksMetrics,
) -> Arc<Endpoint> {
    let metrics = metrics.of(&settings.name);
    Arc::new(Endpoint::new(settings.clone(), Arc::clone(config), Arc::clone(store), metrics))
}

/// Announces a receiver in the store, and returns its loops.
async fn start(
    bus: &Arc<dyn Bus>,
    store: &Arc<dyn Store>,
    config: &Arc<WebhooksConfig>,
    settings: &EndpointConfig,
    tls: &ClientTls,
    metrics: &WebhooksMetrics,
) -> Result<Vec<Loop>, WebhooksError> {
    let name = settings.name.clone();
    let parsed = url(&settings.url).ok_or_else(|| WebhooksError::Config(format!("{name}: the URL")))?;
    let client = ReceiverClient::new(parsed, config, tls)
        .map_err(|source| WebhooksError::Client { name: name.clone(), source })?;
    let endpoint = endpoint(settings, config, store, metrics);
    let record = EndpointRecord {
        name,
        url: settings.url.redacted(),
        events: settings.events.join(","),
        disabled_reason: None,
        disabled_at_ms: None,
        seen_at_ms: barrage_clock::unix_ms(),
    };
    let deliveries = store.deliveries();
    endpoint.retried(|| deliveries.put_endpoint(&record)).await?;
    endpoint.refresh().await?;
    let mut loops: Vec<Loop> = Vec::new();
    loops.push(Box::pin(follow_all(Arc::clone(bus), Arc::clone(&endpoint))));
    loops.push(Box::pin(audit::follow(Arc::clone(&endpoint))));
    loops.push(Box::pin(review::follow(Arc::clone(bus), Arc::clone(&endpoint))));
    loops.push(Box::pin(prewarm::follow(Arc::clone(bus), Arc::clone(&endpoint))));
    loops.push(Box::pin(Deliver::new(Arc::clone(&endpoint), Box::new(client)).follow()));
    loops.push(Box::pin(async move { sweep::follow(&endpoint).await }));
    Ok(loops)
}
