//! Settings of the search.

/// Limits and sizes of the search.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityConfig {
    /// Room that the viewers watch.
    pub room: String,
    /// Searches of each axis. They differ by other load on the machine.
    pub repeats: u32,
    /// Time for which a load is held, in seconds.
    pub hold_secs: f64,
    /// Most viewers: what the load tester's descriptors allow.
    pub viewers_max: u32,
    /// Viewers of the room in the searches of deliveries and bytes.
    pub room_viewers: u32,
    /// Joins per second before the load begins.
    pub ramp_joins_per_s: f64,
    /// Greatest 99th percentile of the delivery latency, in milliseconds.
    pub p99_ms: u32,
    /// Greatest 99th percentile of the join latency, in milliseconds.
    pub join_p99_ms: u32,
    /// Chat that may be dropped, in percent.
    pub chat_loss_percent: f64,
    /// Greatest delay of the load tester's own timers, in milliseconds; above it a trial is
    /// invalid.
    pub tester_lag_p99_ms_max: f64,
    /// The search ends when the load that broke is at most this share above the one that held.
    pub precision: f64,
    /// Most trials of one search.
    pub trials_max: u32,
}

impl Default for CapacityConfig {
    fn default() -> Self {
        CapacityConfig {
            room: "demo".into(),
            repeats: 3,
            hold_secs: 8.0,
            viewers_max: 16_000,
            room_viewers: 1_000,
            ramp_joins_per_s: 1_000.0,
            p99_ms: 500,
            join_p99_ms: 1_000,
            chat_loss_percent: 0.1,
            tester_lag_p99_ms_max: 100.0,
            precision: 0.1,
            trials_max: 20,
        }
    }
}
