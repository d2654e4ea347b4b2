//! Settings of the archiver.

use serde::{Deserialize, Serialize};

/// `[archiver]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArchiverConfig {
    /// Messages per transaction at most; each partition of the bus has its own. Default 500: one disk sync for many
    /// messages when behind, and a write short enough for others to wait for.
    pub batch_messages_max: usize,
    /// How often the bus is looked at when it reports nothing, in milliseconds.
    /// Default 1,000: only for an engine that loses a wake-up.
    pub poll_interval_ms: u64,
    /// Wait after the first failure of store or bus, in milliseconds; it doubles
    /// with each further one. Default 100.
    pub backoff_initial_ms: u64,
    /// Longest such wait, in milliseconds. Default 5,000: the archive is at most
    /// that late when the store comes back.
    pub backoff_max_ms: u64,
    /// A write that takes longer counts as failed and is tried again, in
    /// milliseconds. Default 30,000: beyond any lock that the store waits for.
    pub append_timeout_ms: u64,
    /// How long a shutdown waits for what the bus still holds, in milliseconds.
    /// Default 10,000; what is left then is archived at the next start.
    pub drain_timeout_ms: u64,
    /// Archived messages older than this are deleted, in hours; 0 keeps all.
    /// Default 720 (30 days). The gift ledger is never deleted.
    pub retention_hours: u64,
    /// How often old messages and ended mutes are looked for, in seconds.
    /// Default 600.
    pub retention_interval_secs: u64,
    /// Rows per deletion, 1 to 1,000; archiving goes on between two. Default 500.
    pub retention_chunk_rows: usize,
}

impl Default for ArchiverConfig {
    fn default() -> Self {
        ArchiverConfig {
            batch_messages_max: 500,
            poll_interval_ms: 1_000,
            backoff_initial_ms: 100,
            backoff_max_ms: 5_000,
            append_timeout_ms: 30_000,
            drain_timeout_ms: 10_000,
            retention_hours: 720,
            retention_interval_secs: 600,
            retention_chunk_rows: 500,
        }
    }
}
