//! One second of a run, reduced to what is plotted.

use serde::{Deserialize, Serialize};

use crate::measure::interval::Interval;

/// Load reports of the gateways within a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gateways {
    /// Number of gateways that the fleet report lists.
    pub count: u64,
    /// Number of gateways among them that drain.
    pub draining: u64,
    /// Connections of the gateway that has the fewest viewers.
    pub connections_least: u64,
    /// Connections of the gateway that has the most viewers.
    pub connections_most: u64,
    /// Greatest joins per second at one gateway.
    pub joins_per_s_most: f64,
    /// CPU use of all gateways together, in cores.
    pub cores: f64,
    /// Resident memory of all gateways together, in bytes.
    pub memory_bytes: f64,
}

/// Figures of one second of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// Number of the second since the start, from 0.
    pub second: u32,
    /// Viewers that the scenario intends at the end of the second.
    pub wanted: f64,
    /// Viewers that are connected at the end of the second.
    pub viewers: u64,
    /// Viewers that waited for their turn to join.
    pub waiting: u64,
    /// Viewers that moved to another gateway in the second.
    pub moves: u64,
    /// Messages delivered to viewers in the second; each viewer counts.
    pub deliveries: u64,
    /// Gifts among the messages delivered in the second.
    pub gifts: u64,
    /// WebSocket frames that the viewers read in the second.
    pub frames: u64,
    /// Bytes that the viewers read in the second.
    pub bytes: u64,
    /// Posts whose intended send time was in the second.
    pub posts: u64,
    /// Posts held because the room was over its display quota.
    pub held: u64,
    /// Posts that the server refused in the second.
    pub refused: u64,
    /// Posts that got no answer, counted in the second of the failure.
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
    /// Viewers that received their first hello in the second.
    pub joins: u64,
    /// Viewers that reconnected in the second with a resume.
    pub reconnects: u64,
    /// Connections that could not be opened in the second.
    pub refusals: u64,
    /// Connections that ended unintentionally in the second.
    pub closes: u64,
    /// Chat messages that batches reported as dropped in the second.
    pub left_out: u64,
    /// Chat messages that repairs reported as skipped in the second.
    pub skipped: u64,
    /// Gaps in the message chains of viewers.
    pub gaps: u64,
    /// 99th percentile of the load tester's own delay, in milliseconds.
    pub tester_lag_p99_ms: Option<f64>,
    /// CPU of the load tester, in cores.
    pub tester_cores: f64,
    /// CPU use of the server in cores; absent without its metrics.
    pub server_cores: Option<f64>,
    /// Resident memory of the server, in bytes.
    pub server_memory_bytes: Option<f64>,
    /// The gateways; absent when the fleet report was not read.
    pub gateways: Option<Gateways>,
}

impl Second {
    /// Reduces the counts and latencies of an interval to the figures of a second.
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
            frames: interval.frames,
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
