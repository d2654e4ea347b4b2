//! One second of a run, reduced to what is plotted.

use serde::{Deserialize, Serialize};

use crate::interval::Interval;

/// The gateways of a fleet within a second, by their own load reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gateways {
    /// How many there are.
    pub count: u64,
    /// Those that drain.
    pub draining: u64,
    /// Viewers of the emptiest.
    pub connections_least: u64,
    /// Viewers of the fullest.
    pub connections_most: u64,
    /// Viewers a second that came to the one to which most came.
    pub joins_per_s_most: f64,
    /// CPU of all, in cores.
    pub cores: f64,
    /// Memory of all.
    pub memory_bytes: f64,
}

/// One second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// Which, from 0.
    pub second: u32,
    /// Viewers that should be there at its end.
    pub wanted: f64,
    /// Viewers that were.
    pub viewers: u64,
    /// Viewers that wanted in and were told when to come.
    pub waiting: u64,
    /// Viewers that moved to another gateway.
    pub moves: u64,
    /// Messages that reached viewers.
    pub deliveries: u64,
    /// Gifts of those.
    pub gifts: u64,
    /// Bytes that reached viewers.
    pub bytes: u64,
    /// Posts that were due.
    pub posts: u64,
    /// Posts over the room's display quota.
    pub held: u64,
    /// Posts refused.
    pub refused: u64,
    /// Posts without an answer.
    pub failed: u64,
    /// Median from intended send to viewer; absent when nothing came.
    pub p50_ms: Option<f64>,
    /// The 99th percentile.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
    /// The 99th percentile of gifts alone.
    pub gift_p99_ms: Option<f64>,
    /// The 99th percentile from intended send to the uplink's answer.
    pub post_p99_ms: Option<f64>,
    /// The 99th percentile from intended arrival to hello.
    pub join_p99_ms: Option<f64>,
    /// Viewers that came.
    pub joins: u64,
    /// Viewers that came back.
    pub reconnects: u64,
    /// Connections that did not come about.
    pub refusals: u64,
    /// Connections that ended without our doing.
    pub closes: u64,
    /// Chat left out of batches.
    pub left_out: u64,
    /// Chat skipped by repairs.
    pub skipped: u64,
    /// Gaps in viewers' chains.
    pub gaps: u64,
    /// How late the tester's own timers fired, the 99th percentile.
    pub tester_lag_p99_ms: Option<f64>,
    /// CPU of the tester, in cores.
    pub tester_cores: f64,
    /// CPU of the server, in cores.
    pub server_cores: Option<f64>,
    /// Memory of the server.
    pub server_memory_bytes: Option<f64>,
    /// The gateways; absent when the fleet was not asked.
    pub gateways: Option<Gateways>,
}

impl Second {
    /// Reduces an interval.
    #[must_use]
    pub fn new(second: u32, wanted: f64, interval: &Interval) -> Self {
        let all = interval.deliveries();
        Second {
            second,
            wanted,
            viewers: interval.viewers,
            waiting: interval.waiting,
            moves: interval.moves,
            deliveries: interval.delivered.total(),
            gifts: interval.delivered.gift,
            bytes: interval.bytes,
            posts: interval.posts.total(),
            held: interval.posts.held,
            refused: interval.posts.refused(),
            failed: interval.posts.failed(),
            p50_ms: all.quantile_ms(0.5),
            p99_ms: all.quantile_ms(0.99),
            max_ms: all.quantile_ms(1.0),
            gift_p99_ms: interval.gift.quantile_ms(0.99),
            post_p99_ms: interval.post.quantile_ms(0.99),
            join_p99_ms: interval.join.quantile_ms(0.99),
            joins: interval.joins,
            reconnects: interval.reconnects,
            refusals: interval.refusals.values().sum(),
            closes: interval.closes.values().sum(),
            left_out: interval.left_out,
            skipped: interval.skipped,
            gaps: interval.gaps,
            tester_lag_p99_ms: interval.lag.quantile_ms(0.99),
            tester_cores: 0.0,
            server_cores: None,
            server_memory_bytes: None,
            gateways: None,
        }
    }
}
