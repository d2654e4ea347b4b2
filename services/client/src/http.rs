//! The HTTP connections of one process: viewers share them, because a pool for each
//! of thousands would keep thousands of sockets to entry open for nothing.

use std::time::Duration;

/// An unused connection is closed after this; viewers ask entry seldom.
const IDLE: Duration = Duration::from_secs(10);
/// Unused connections kept to one host.
const IDLE_MAX: usize = 8;
/// For a TCP connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections for entry, the race, event streams and polls; clones share them.
/// They belong to the runtime that they were first used on.
#[derive(Debug, Clone)]
pub struct HttpPool(pub(crate) reqwest::Client);

impl HttpPool {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Self {
        let builder = reqwest::Client::builder()
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .connect_timeout(CONNECT_TIMEOUT);
        HttpPool(builder.build().expect("without TLS there is nothing that could be missing"))
    }
}

impl Default for HttpPool {
    fn default() -> Self {
        HttpPool::new()
    }
}
