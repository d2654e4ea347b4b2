//! Settings of the store's engines.

use std::path::PathBuf;

use barrage_secret::SecretUrl;

barrage_part::part! {
    /// The store as a SQLite file.
    @[derive(Eq)]
    pub struct SqliteConfig {
        /// The file. Without it, `store.sqlite` in the data directory. Processes of one machine may
        /// share a file.
        file: Option<PathBuf> = None;
        /// Connections for reading. Pages of history are short and come from cache, so more
        /// connections only compete for the disk. Writes have one connection of their own.
        readers: u32 = 4, between(1, 1_000);
        /// Longest wait of a statement for a lock of another process, in milliseconds. Longer than a
        /// checkpoint takes.
        busy_timeout_ms: u64 = 5_000, between(1, 600_000);
        /// Longest wait of a call for a free connection, in milliseconds; then the call fails as
        /// retryable. Above `busy_timeout_ms`, so that one stalled write does not fail the next ones.
        acquire_timeout_ms: u64 = 10_000, between(1, 600_000);
    }
}

barrage_part::part! {
    /// The store in PostgreSQL. Without this table the store is a SQLite file.
    @[derive(Eq)]
    pub struct PostgresConfig {
        /// Database, as `postgres://user[:password]@host[:port]/database[?sslmode=verify-full]`. The
        /// database must exist, and the user must be allowed to create tables. Without `sslmode`, the
        /// connection is encrypted if the server can, and the server is not verified. Logs never
        /// contain the password.
        url: SecretUrl = "postgres://barrage@127.0.0.1/barrage".into();
        /// Connections of this process. One archives, the others serve short reads. All processes
        /// together must stay below `max_connections` of the server (100 by default).
        connections: u32 = 8, between(1, 1_000);
        /// Longest wait of a call for a connection, in milliseconds; then the call fails as retryable.
        /// Longer than a restart of the server.
        acquire_timeout_ms: u64 = 5_000, between(1, 600_000);
        /// Longest call with its wait for a connection, in milliseconds; then the call fails as
        /// retryable and the server cancels the statement. Locks of a stopped process are released
        /// after this time.
        call_timeout_ms: u64 = 10_000, between(1, 600_000);
    }
}
