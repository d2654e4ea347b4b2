//! Requests by route and outcome.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::StatusCode;
use prometheus::{IntCounterVec, Opts, Registry};

/// Every route of every role, and `page` for the files of the page and for paths that no route
/// has. A route that is not in this list is counted as `other`: labels come from here alone.
pub const ROUTES: &[&str] = &[
    "page",
    "other",
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/entry",
    "/v1/entry/fallback",
    "/v1/entry/race",
    "/v1/guest",
    "/v1/race",
    "/v1/rooms/{room}/history",
    "/v1/rooms/{room}/messages",
    "/v1/rooms/{room}/packages",
    "/v1/rooms/{room}/poll",
    "/v1/rooms/{room}/sse",
    "/v1/rooms/{room}/ws",
    "/v1/tunnel",
    "/v1/admin",
];

/// Answers, by the first digit of their status.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The HTTP shell's metrics.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: IntCounterVec,
    connections_refused: IntCounterVec,
}

impl HttpMetrics {
    /// Registers on `registry`; every count exists from the start.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "barrage_http_requests_total",
                "Requests answered, by route and class of status. WebSocket handshakes that the accept \
                 loop answers itself are barrage_gateway_* alone.",
            ),
            &["route", "status"],
        )?;
        let connections_refused = IntCounterVec::new(
            Opts::new(
                "barrage_http_connections_refused_total",
                "Connections refused at once: the server or the address has as many as it may have.",
            ),
            &["reason"],
        )?;
        for route in ROUTES {
            for class in CLASSES {
                requests.with_label_values(&[route, class]);
            }
        }
        for reason in ["connections_max", "address_connections_max"] {
            connections_refused.with_label_values(&[reason]);
        }
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(connections_refused.clone()))?;
        Ok(HttpMetrics { requests, connections_refused })
    }

    /// `route` is the router's template; `None` is a path that no route has.
    pub(crate) fn answered(&self, route: Option<&str>, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.requests.with_label_values(&[label(route), CLASSES[class]]).inc();
    }

    pub(crate) fn refused_connection(&self, reason: &str) {
        self.connections_refused.with_label_values(&[reason]).inc();
    }
}

fn label(route: Option<&str>) -> &str {
    match route {
        None => "page",
        Some(route) if route.starts_with("/v1/admin/") => "/v1/admin",
        Some(route) => ROUTES.iter().find(|known| **known == route).copied().unwrap_or("other"),
    }
}

/// Log lines for failed requests a second; further ones are counted and told of with the next
/// line. A store that is away fails every request.
const LINES_PER_S: u64 = 10;

/// Bounds the log of failures.
#[derive(Debug)]
pub(crate) struct LogBound {
    origin: Instant,
    second: AtomicU64,
    lines: AtomicU64,
    left_out: AtomicU64,
}

impl LogBound {
    pub(crate) fn new() -> Self {
        LogBound {
            origin: Instant::now(),
            second: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        }
    }

    /// `Some` to write a line, with the number of those left out since the last.
    pub(crate) fn admit(&self) -> Option<u64> {
        let second = self.origin.elapsed().as_secs();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        if self.lines.fetch_add(1, Ordering::Relaxed) < LINES_PER_S {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_is_not_listed_makes_no_label() {
        assert_eq!(label(Some("/v1/rooms/{room}/ws")), "/v1/rooms/{room}/ws");
        assert_eq!(label(Some("/v1/admin/rooms/{room}/mute")), "/v1/admin");
        assert_eq!(label(Some("/v9/anything")), "other");
        assert_eq!(label(None), "page");
    }

    #[test]
    fn the_log_of_failures_is_bounded_and_says_what_it_left_out() {
        let bound = LogBound::new();
        let lines = (0..25).filter(|_| bound.admit().is_some()).count();
        // A second may have passed meanwhile.
        assert!((10..=20).contains(&lines), "{lines}");
        assert!(bound.left_out.load(Ordering::Relaxed) > 0);
    }
}
