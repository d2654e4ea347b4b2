//! Metrics of requests by route and status, and of refused connections.

use std::sync::Arc;

use http::StatusCode;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use crate::cut::Cut;

/// The values of the label `route`: every route of every role, `page` for the files of the player
/// page and for paths without a route, and `other` for a route that is not in this list.
pub const ROUTES: &[&str] = &[
    "page",
    "other",
    "/healthz",
    "/readyz",
    "/metrics",
    "/probe",
    "/v1/emotes",
    "/v1/entry",
    "/v1/entry/fallback",
    "/v1/accounts",
    "/v1/accounts/login",
    "/v1/accounts/logout",
    "/v1/accounts/me",
    "/v1/accounts/password",
    "/v1/accounts/register",
    "/v1/accounts/sessions",
    "/v1/entry/probe",
    "/v1/entry/race",
    "/v1/guest",
    "/v1/avatars/{digest}",
    "/v1/media/avatars",
    "/v1/media/{digest}/{variant}",
    "/v1/blocks/{user}",
    "/v1/conversations/{conversation}/clear",
    "/v1/conversations/{conversation}/hide",
    "/v1/conversations/{conversation}/messages",
    "/v1/conversations/{conversation}/packages",
    "/v1/conversations/{conversation}/read",
    "/v1/conversations/{conversation}/recall",
    "/v1/follows",
    "/v1/follows/{host}",
    "/v1/groups",
    "/v1/groups/{group}",
    "/v1/groups/{group}/join",
    "/v1/groups/{group}/leave",
    "/v1/groups/{group}/members",
    "/v1/groups/{group}/members/{user}",
    "/v1/inbox",
    "/v1/conversations/{conversation}",
    "/v1/inbox/devices",
    "/v1/inbox/devices/{device}",
    "/v1/inbox/notifications",
    "/v1/inbox/preferences",
    "/v1/inbox/reads",
    "/v1/inbox/sse",
    "/v1/inbox/ws",
    "/v1/reports",
    "/v1/users/{user}/messages",
    "/v1/users/{user}/packages",
    "/v1/openapi.json",
    "/v1/ping",
    "/v1/push/key",
    "/v1/race",
    "/v1/reactions",
    "/v1/rooms/{room}/actions",
    "/v1/rooms/{room}/emotes",
    "/v1/rooms/{room}/attributes",
    "/v1/rooms/{room}/attributes/{key}",
    "/v1/rooms/{room}/dplayer/v3/",
    "/v1/rooms/{room}/history",
    "/v1/rooms/{room}/messages",
    "/v1/rooms/{room}/packages",
    "/v1/rooms/{room}/poll",
    "/v1/rooms/{room}/polls",
    "/v1/rooms/{room}/polls/{poll}/close",
    "/v1/rooms/{room}/polls/{poll}/votes",
    "/v1/rooms/{room}/reports",
    "/v1/rooms/{room}/reviews",
    "/v1/rooms/{room}/reviews/{review}",
    "/v1/rooms/{room}/roles",
    "/v1/rooms/{room}/roles/{user}",
    "/v1/rooms/{room}/sse",
    "/v1/rooms/{room}/tokens",
    "/v1/rooms/{room}/media",
    "/v1/rooms/{room}/words",
    "/v1/rooms/{room}/words/test",
    "/v1/rooms/{room}/ws",
    "/v1/tunnel",
    "/v1/uploads",
    "/v1/uploads/known",
    "/v1/uploads/{upload}",
    "/v1/admin",
];

/// The values of the label `status`, by the first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Prometheus handles of the HTTP servers, registered once per process.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    /// By the place of the route in [`ROUTES`] and of the status in [`CLASSES`], resolved once.
    requests: Arc<[[IntCounter; CLASSES.len()]]>,
    connections_refused: IntCounterVec,
    connections_cut: IntCounterVec,
}

impl HttpMetrics {
    /// Registers the metrics on `registry`. Every label value exists from the start.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "barrage_http_requests_total",
                "Requests answered, by route and class of status. WebSocket handshakes that the accept \
                 loop answers itself are counted in barrage_gateway_* alone.",
            ),
            &["route", "status"],
        )?;
        let connections_refused = IntCounterVec::new(
            Opts::new(
                "barrage_http_connections_refused_total",
                "Connections refused at once, because the server or the address has no free slot.",
            ),
            &["reason"],
        )?;
        let connections_cut = IntCounterVec::new(
            Opts::new(
                "barrage_http_connections_cut_total",
                "HTTP/2 connections closed by force, because the client flooded them with frames.",
            ),
            &["reason"],
        )?;
        for cut in Cut::ALL {
            connections_cut.with_label_values(&[cut.label()]);
        }
        let of_route = |route: &&str| CLASSES.map(|class| requests.with_label_values(&[*route, class]));
        let by_route = ROUTES.iter().map(of_route).collect();
        for reason in ["connections_max", "address_connections_max"] {
            connections_refused.with_label_values(&[reason]);
        }
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(connections_refused.clone()))?;
        registry.register(Box::new(connections_cut.clone()))?;
        Ok(HttpMetrics { requests: by_route, connections_refused, connections_cut })
    }

    /// Counts an answer. `route` is the router's template; `None` is a path without a route.
    pub(crate) fn answered(&self, route: Option<&str>, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        if let Some(counters) = self.requests.get(place(route)) {
            counters[class].inc();
        }
    }

    pub(crate) fn cut_connection(&self, reason: Cut) {
        self.connections_cut.with_label_values(&[reason.label()]).inc();
    }

    pub(crate) fn refused_connection(&self, reason: &str) {
        self.connections_refused.with_label_values(&[reason]).inc();
    }
}

/// Returns the place of a route in [`ROUTES`].
fn place(route: Option<&str>) -> usize {
    let known = |name: &str| ROUTES.iter().position(|known| *known == name);
    let found = match route {
        None => known("page"),
        Some(route) if route.starts_with("/v1/admin/") => known("/v1/admin"),
        Some(route) => known(route).or_else(|| known("other")),
    };
    found.unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlisted_route_is_counted_as_other() {
        let label = |route| ROUTES[place(route)];
        assert_eq!(label(Some("/v1/rooms/{room}/ws")), "/v1/rooms/{room}/ws");
        assert_eq!(label(Some("/v1/admin/rooms/{room}/mute")), "/v1/admin");
        assert_eq!(label(Some("/v9/anything")), "other");
        assert_eq!(label(None), "page");
    }
}
