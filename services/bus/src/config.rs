//! What the bus keeps, and for how long.

use serde::{Deserialize, Serialize};

/// `[bus]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// How long a message can be repaired or resumed over. Default 1800: longer
    /// than a tunnel, a lift or a restart of the player.
    pub retention_secs: u64,
    /// Chat messages kept per room for repair; the oldest leave first and are
    /// answered as skipped. Default 1000: 20 s of a hot room, and nobody reads more.
    pub chat_per_room_max: usize,
    /// Gifts and signals kept per room for repair; beyond, repairs over the oldest
    /// are answered `gone` (the store still has them). Default 20000.
    pub precious_per_room_max: usize,
    /// How long an id is remembered. Default 120: a client's retry horizon.
    pub dedup_secs: u64,
    /// Ids remembered per room; beyond, the oldest are forgotten early. Default 200000.
    pub dedup_per_room_max: usize,
    /// How long the log on disk keeps messages for the archiver. Default 86400.
    pub log_secs: u64,
    /// Rooms at most; beyond, creating one is refused. Default 20000.
    pub rooms_max: usize,
    /// Publishes waiting for the log; beyond, they are refused with a time to come
    /// back. Default 8192.
    pub queue_max: usize,
    /// Events a subscriber may lag behind before it has to repair. Default 4096.
    pub subscriber_lag_max: usize,
    /// Mutes and kicks in force at most; beyond, new ones are refused. Default 100000.
    pub restrictions_max: usize,
    /// Users whose tokens are revoked at most; beyond, a further one is refused. Tokens of all
    /// users can still be revoked at once, which empties the list. Default 100000.
    pub revocations_max: usize,
}

impl Default for BusConfig {
    fn default() -> Self {
        BusConfig {
            retention_secs: 1_800,
            chat_per_room_max: 1_000,
            precious_per_room_max: 20_000,
            dedup_secs: 120,
            dedup_per_room_max: 200_000,
            log_secs: 86_400,
            rooms_max: 20_000,
            queue_max: 8_192,
            subscriber_lag_max: 4_096,
            restrictions_max: 100_000,
            revocations_max: 100_000,
        }
    }
}
