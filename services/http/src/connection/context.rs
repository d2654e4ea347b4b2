//! What all connections of a server share.

use std::sync::Arc;

use axum::Router;
use http::{HeaderValue, Method, Request};
use tokio_util::sync::CancellationToken;

use super::activity::{Activities, Activity};
use super::direct::DirectRoute;
use super::log_bound::LogBound;
use crate::config::HttpConfig;
use crate::metrics::HttpMetrics;
use crate::request::{RequestIds, TrustedProxies};

/// Handles for the connections of a server.
pub(crate) struct ConnectionContext {
    pub(crate) router: Router,
    /// Goes before the router.
    pub(crate) direct: Option<Arc<dyn DirectRoute>>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) activities: Arc<Activities>,
    pub(crate) metrics: Option<HttpMetrics>,
    pub(crate) request_ids: RequestIds,
    pub(crate) log_bound: LogBound,
    /// Value of Strict-Transport-Security; `None` without TLS, and for `http.hsts_secs` of 0.
    pub(crate) hsts: Option<HeaderValue>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) config: HttpConfig,
}

impl ConnectionContext {
    /// Returns the direct route that answers a request.
    pub(super) fn direct<B>(&self, request: &Request<B>) -> Option<&dyn DirectRoute> {
        let direct = self.direct.as_deref()?;
        (request.method() == Method::POST && direct.takes(request.uri().path())).then_some(direct)
    }

    /// Returns when the connection is to take no further request.
    pub(super) async fn stop_requested(&self, activity: &Activity) {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = activity.close_requested() => {}
        }
    }
}
