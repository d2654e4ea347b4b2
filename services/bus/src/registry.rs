//! Who is there: gateways and how they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A gateway's load report, sent every second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GatewayReport {
    /// Which gateway.
    pub id: String,
    /// Base URLs that clients reach it by (`http://host:port`); empty means the
    /// host and port that the client asked entry on.
    pub base_urls: Vec<String>,
    /// Open viewer connections.
    pub connections: u64,
    /// Connections that it takes at most.
    pub connections_max: u64,
    /// Viewers by room are summed elsewhere; this is the number of rooms.
    pub rooms: u64,
    /// Deliveries per second over the last report interval.
    pub deliveries_per_s: f64,
    /// Bytes waiting in viewer queues.
    pub backlog_bytes: u64,
    /// It takes no new viewers.
    pub draining: bool,
}

/// A report and its age.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The newest report.
    pub report: GatewayReport,
    /// How old it is.
    pub age: Duration,
}
