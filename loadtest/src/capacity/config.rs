//! How a capacity is searched.

/// Limits and sizes of the search.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityConfig {
    /// Room that is watched.
    pub room: String,
    /// Searches of each axis; they differ by what the machine does beside.
    pub repeats: u32,
    /// How long a load is held.
    pub hold_secs: f64,
    /// Viewers at most: what the tester's descriptors allow.
    pub viewers_max: u32,
    /// Viewers of the room in the searches of deliveries and bytes.
    pub room_viewers: u32,
    /// How fast they come before the load begins.
    pub ramp_joins_per_s: f64,
    /// Deliveries may take so long, the 99th percentile.
    pub p99_ms: u32,
    /// Joins may take so long, the 99th percentile.
    pub join_p99_ms: u32,
    /// Chat that may be left out, in percent.
    pub chat_loss_percent: f64,
    /// The tester's own lateness beyond which a trial says nothing.
    pub tester_lag_p99_ms_max: f64,
    /// The search ends when the load that broke is this part above the one that held.
    pub precision: f64,
    /// Trials of one search at most.
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
