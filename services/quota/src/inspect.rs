//! Facts about Redis for an operator (`barrage doctor`).

use std::time::Duration;

use redis::AsyncConnectionConfig;

use crate::config::RedisQuotaConfig;
use crate::error::QuotaError;
use crate::redis_counts;

/// Longest wait for the connection, and for each answer. The library's half second is for calls that a sender waits for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Facts about a Redis server: its version, and whether it may evict counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisInfo {
    /// Version of the server; empty when it reports none.
    pub version: String,
    /// Maximum memory in bytes; 0 for no maximum.
    pub memory_max_bytes: u64,
    /// Eviction policy at the maximum, such as `noeviction`.
    pub eviction: String,
    /// Time of the server's clock since the Unix epoch.
    pub clock: Duration,
}

/// Reads the facts by `INFO`; changes nothing in Redis.
pub async fn inspect(config: &RedisQuotaConfig) -> Result<RedisInfo, QuotaError> {
    let patient = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = redis_counts::client(&config.address())?
        .get_multiplexed_async_connection_with_config(&patient)
        .await
        .map_err(QuotaError::Away)?;
    let info: String = redis::cmd("INFO")
        .arg("server")
        .arg("memory")
        .query_async(&mut connection)
        .await
        .map_err(QuotaError::Away)?;
    let (secs, micros): (u64, u32) =
        redis::cmd("TIME").query_async(&mut connection).await.map_err(QuotaError::Away)?;
    let value = |key: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    };
    Ok(RedisInfo {
        version: value("redis_version"),
        memory_max_bytes: value("maxmemory").parse().unwrap_or(0),
        eviction: value("maxmemory_policy"),
        clock: Duration::from_secs(secs) + Duration::from_micros(micros.into()),
    })
}
