//! Settings of the SQLite engine.

use serde::{Deserialize, Serialize};

/// How the SQLite file is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqliteConfig {
    /// Connections for reading. Default 4: history pages are short and come
    /// from cache; more only compete for the same disk. Writes have one
    /// connection of their own, because SQLite takes one writer at a time.
    pub readers: u32,
    /// How long a statement waits for a lock that another process holds, in
    /// milliseconds. Default 5,000: longer than a checkpoint takes.
    pub busy_timeout_ms: u64,
    /// How long a caller waits for a free connection, in milliseconds; then the
    /// call fails as retryable. Default 10,000: above the busy timeout, so that
    /// one stalled write does not fail those behind it.
    pub acquire_timeout_ms: u64,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        SqliteConfig { readers: 4, busy_timeout_ms: 5_000, acquire_timeout_ms: 10_000 }
    }
}
