//! What all connections of a server share.

use std::sync::Arc;

use axum::Router;
use http::HeaderValue;
use tokio_util::sync::CancellationToken;

use super::activity::{Activities, Activity};
use super::log_bound::LogBound;
use crate::config::HttpConfig;
use crate::metrics::HttpMetrics;
use crate::request::{RequestIds, TrustedProxies};

/// Handles for the connections of a server.
pub(crate) struct ConnectionContext {
    pub(crate) router: Router,
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
    /// Returns when the connection is to take no further request.
    pub(super) async fn stop_requested(&self, activity: &Activity) {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = activity.close_requested() => {}
        }
    }
}
