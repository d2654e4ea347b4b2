//! Settings of the engines.

use std::path::PathBuf;

use barrage_secret::SecretUrl;
use serde::{Deserialize, Serialize};

/// How the SQLite file is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqliteConfig {
    /// The file. Default: `store.sqlite` in the data directory. Processes of one machine
    /// may share one.
    pub file: Option<PathBuf>,
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
        SqliteConfig { file: None, readers: 4, busy_timeout_ms: 5_000, acquire_timeout_ms: 10_000 }
    }
}

/// How the PostgreSQL database is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresConfig {
    /// The database, as
    /// `postgres://user[:password]@host[:port]/database[?sslmode=verify-full]`. Default
    /// `postgres://barrage@127.0.0.1/barrage`. The database must exist and the user must
    /// own it or may create tables there. Without `sslmode` the connection is encrypted
    /// if the server can, and the server is not verified. It may hold a password: it is
    /// never logged.
    pub url: SecretUrl,
    /// Connections of this process. Default 8: one archives, the others serve short
    /// reads; all processes together must stay under the server's `max_connections`
    /// (100 as it comes). At the bound callers wait in line.
    pub connections: u32,
    /// How long a caller waits for a free connection, and for a new one while the
    /// server is away, in milliseconds; then the call fails as retryable. Default
    /// 5,000: a server that only restarts is back by then.
    pub acquire_timeout_ms: u64,
    /// How long a call may take, with the wait for a connection, in milliseconds; then
    /// it fails as retryable and the server gives its statement up. Default 10,000:
    /// above a full batch on a slow disk. What a stopped process has locked is free
    /// again after this time, too.
    pub call_timeout_ms: u64,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        PostgresConfig {
            url: "postgres://barrage@127.0.0.1/barrage".into(),
            connections: 8,
            acquire_timeout_ms: 5_000,
            call_timeout_ms: 10_000,
        }
    }
}
