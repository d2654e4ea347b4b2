//! What an operator should know about Redis.

use crate::config::RedisQuotaConfig;
use crate::error::QuotaError;
use crate::keeper;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its version.
    pub version: String,
    /// Memory that it may use, in bytes; 0 for all that there is.
    pub memory_max_bytes: u64,
    /// What it does when that is full.
    pub eviction: String,
}

/// Asks Redis about itself; changes nothing.
pub async fn look(config: &RedisQuotaConfig) -> Result<Seen, QuotaError> {
    let mut connection =
        keeper::client(config)?.get_multiplexed_async_connection().await.map_err(QuotaError::Away)?;
    let info: String = redis::cmd("INFO")
        .arg("server")
        .arg("memory")
        .query_async(&mut connection)
        .await
        .map_err(QuotaError::Away)?;
    let value = |key: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    };
    Ok(Seen {
        version: value("redis_version"),
        memory_max_bytes: value("maxmemory").parse().unwrap_or(0),
        eviction: value("maxmemory_policy"),
    })
}
