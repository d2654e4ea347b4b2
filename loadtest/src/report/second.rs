//! One second of a run, reduced to what is plotted.

use serde::{Deserialize, Serialize};

use crate::measure::interval::Interval;

/// Load reports of the gateways within a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gateways {
    /// Number of gateways in the registry.
    pub count: u64,
    /// Number of gateways that drain.
    pub draining: u64,
    /// Viewers of the emptiest gateway.
    pub connections_least: u64,
    /// Viewers of the fullest gateway.
    pub connections_most: u64,
    /// Greatest joins per second at one gateway.
    pub joins_per_s_most: f64,
    /// CPU of all gateways, in cores.
    pub cores: f64,
    /// Memory of all gateways, in bytes.
    pub memory_bytes: f64,
}

/// Figures of one second of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// Number of the second, from 0.
    pub second: u32,
    /// Intended viewers at its end.
    pub wanted: f64,
    /// Connected viewers at its end.
    pub viewers: u64,
    /// Viewers that waited for their turn to join.
    pub waiting: u64,
    /// Viewers that moved to another gateway.
    pub moves: u64,
    /// Messages delivered to viewers.
    pub deliveries: u64,
    /// Gifts among the delivered messages.
    pub gifts: u64,
    /// Bytes delivered to viewers.
    pub bytes: u64,
    /// Posts that were due.
    pub posts: u64,
    /// Posts held because the room was over its display quota.
    pub held: u64,
    /// Posts that the server refused.
    pub refused: u64,
    /// Posts without an answer.
    pub failed: u64,
    /// Median from intended send to viewer, in milliseconds; absent when nothing came.
    pub p50_ms: Option<f64>,
    /// 99th percentile from intended send to viewer, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Longest time from intended send to viewer, in milliseconds.
    pub max_ms: Option<f64>,
    /// 99th percentile of gifts alone, in milliseconds.
    pub gift_p99_ms: Option<f64>,
    /// 99th percentile from intended send to the uplink's answer, in milliseconds.
    pub post_p99_ms: Option<f64>,
    /// 99th percentile from intended join to hello, in milliseconds.
    pub join_p99_ms: Option<f64>,
    /// Viewers that joined in this second.
    pub joins: u64,
    /// Viewers that reconnected in this second.
    pub reconnects: u64,
    /// Connections that could not be opened.
    pub refusals: u64,
    /// Connections that ended unintentionally.
    pub closes: u64,
    /// Chat dropped from batches.
    pub left_out: u64,
    /// Chat skipped by repairs.
    pub skipped: u64,
    /// Gaps in the message chains of viewers.
    pub gaps: u64,
    /// 99th percentile of the load tester's own delay, in milliseconds.
    pub tester_lag_p99_ms: Option<f64>,
    /// CPU of the load tester, in cores.
    pub tester_cores: f64,
    /// CPU of the server, in cores.
    pub server_cores: Option<f64>,
    /// Resident memory of the server, in bytes.
    pub server_memory_bytes: Option<f64>,
    /// The gateways; absent when the fleet report was not read.
    pub gateways: Option<Gateways>,
}

impl Second {
    /// Reduces an interval to its figures.
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
