//! Serving a router on listeners, from the first accept to the end of the last request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{AcceptContext, accept};
use super::edge::{self, Edge, EdgedRoute};
use super::greeter::Greeter;
use super::listener::Listener;
use super::tls::Tls;
use crate::answer::documented;
use crate::config::HttpConfig;
use crate::connection::{Activities, ConnectionContext, DirectRoute, LogBound};
use crate::limits::{AddressLimits, Slots};
use crate::metrics::HttpMetrics;
use crate::request::{AllowedOrigins, RequestIds, TrustedProxies};

/// Why a server ended before its shutdown.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener could not be registered with the runtime.
    #[error("a listener cannot be used: {0}")]
    Listener(#[from] std::io::Error),
    /// The accept loop of a listener ended or panicked. Its port accepts no connection.
    #[error("an accept loop ended before the shutdown: {0}")]
    AcceptLoop(String),
}

/// The parts in front of the router.
#[derive(Default)]
pub struct Front {
    /// Sees each connection of HTTP/1.1 first, under TLS after the handshake.
    pub greeter: Option<Arc<dyn Greeter>>,
    /// The certificate of all listeners; without one they serve plain HTTP.
    pub tls: Option<Tls>,
    /// Counts requests and refused connections; `None` counts nothing.
    pub metrics: Option<HttpMetrics>,
    /// Limits the requests of each client address.
    pub limits: Option<Arc<AddressLimits>>,
    /// A route that goes past the router.
    pub direct: Option<Arc<dyn DirectRoute>>,
    /// Refuses requests for other hosts, and changes that a page of another site asks for.
    pub origins: Option<AllowedOrigins>,
}

/// Serves `router` on all `listeners` until `shutdown`, then lets running requests finish for the
/// configured time. The router brings its own fallbacks.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    config: HttpConfig,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    serve_public(listeners, router, Front::default(), config, shutdown).await
}

/// Serves `router` like [`serve`], with a [`Front`] before it.
///
/// # Errors
/// See [`ServeError`]. The error is returned at once, while the other listeners and connections
/// go on: the caller decides how the process ends.
pub async fn serve_public(
    listeners: Vec<TcpListener>,
    router: Router,
    front: Front,
    config: HttpConfig,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let renewing = front.tls.clone().map(|tls| tokio::spawn(tls.renew(shutdown.clone())));
    let context = Arc::new(accept_context(router, front, config, shutdown.clone()));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(Listener::register(listener)?, Arc::clone(&context)));
    }
    while let Some(ended) = accepting.join_next().await {
        match ended {
            Ok(()) if shutdown.is_cancelled() => {}
            Ok(()) => {
                accepting.detach_all();
                return Err(ServeError::AcceptLoop("its runtime is gone".into()));
            }
            Err(error) => {
                accepting.detach_all();
                return Err(ServeError::AcceptLoop(error.to_string()));
            }
        }
    }
    context.tasks.close();
    let grace = Duration::from_secs(context.connections.config.shutdown_secs);
    if tokio::time::timeout(grace, context.tasks.wait()).await.is_err() {
        let connections = context.tasks.len();
        tracing::warn!(connections, "closing connections that did not finish in time");
    }
    if let Some(renewing) = renewing {
        renewing.abort();
    }
    Ok(())
}

fn accept_context(
    router: Router,
    front: Front,
    config: HttpConfig,
    shutdown: CancellationToken,
) -> AcceptContext {
    let edge =
        Arc::new(Edge { limits: front.limits, origins: front.origins, metrics: front.metrics.clone() });
    let direct = front.direct.map(|route| {
        let edge = Arc::clone(&edge);
        Arc::new(EdgedRoute { edge, route }) as Arc<dyn DirectRoute>
    });
    AcceptContext {
        permits: Arc::new(Semaphore::new(config.connections_max)),
        slots: Slots::new(&config),
        greeter: front.greeter,
        tls: front.tls.as_ref().map(Tls::server_config),
        tasks: TaskTracker::new(),
        connections: Arc::new(ConnectionContext {
            router: edge::layered(router, edge),
            direct,
            proxies: TrustedProxies::new(&config.trusted_proxies),
            activities: Activities::new(),
            metrics: front.metrics,
            request_ids: RequestIds::new(),
            log_bound: LogBound::new(),
            hsts: front.tls.as_ref().and_then(|_| documented::hsts(config.hsts_secs)),
            shutdown,
            config,
        }),
    }
}
