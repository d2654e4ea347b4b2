//! Viewers of a room over all gateways, summed in Redis. The sums soon leave out a gateway that falls
//! silent.

use std::time::Duration;

use async_trait::async_trait;
use barrage_counters::Online;
use barrage_protocol::RoomId;
use redis::aio::ConnectionManager;
use redis::{RedisError, Script};
use tokio::time::Instant;

use crate::config::RedisQuotaConfig;
use crate::error::QuotaError;
use crate::metrics::RedisMetrics;
use crate::redis_counts;

/// Time after which a count lapses unless it is stored again.
const LIFE: Duration = Duration::from_secs(10);
/// Longest wait for Redis; only the next exchange waits for it.
const DEADLINE: Duration = Duration::from_secs(1);
/// Maximum number of rooms in one round trip.
const ROOMS_MAX: usize = 500;

/// Online sums in Redis; one round trip exchanges up to 500 rooms.
pub struct RedisOnline {
    connection: ConnectionManager,
    script: Script,
    metrics: RedisMetrics,
}

impl RedisOnline {
    /// Connects in the background; Redis may be unreachable. Must be called within a Tokio runtime.
    pub fn new(config: &RedisQuotaConfig, metrics: RedisMetrics) -> Result<Self, QuotaError> {
        let connection = redis_counts::connection(&config.address(), DEADLINE)?;
        Ok(RedisOnline { connection, script: Script::new(include_str!("lua/online.lua")), metrics })
    }

    async fn exchange_some(&self, gateway: &str, viewers: &[(RoomId, u64)]) -> Result<Vec<u64>, RedisError> {
        let mut connection = self.connection.clone();
        // Redis may have lost the script.
        self.script.load_async(&mut connection).await?;
        let mut calls = redis::pipe();
        for (room, count) in viewers {
            let mut call = self.script.key(format!("barrage:online:{{{room}}}"));
            call.arg(gateway).arg(count).arg(LIFE.as_millis() as u64);
            calls.invoke_script(&call);
        }
        calls.query_async(&mut connection).await
    }
}

#[async_trait]
impl Online for RedisOnline {
    async fn exchange(&self, gateway: &str, viewers: &[(RoomId, u64)]) -> Option<Vec<u64>> {
        let mut sums = Vec::with_capacity(viewers.len());
        for some in viewers.chunks(ROOMS_MAX) {
            let began = Instant::now();
            let sums_of_some = self.exchange_some(gateway, some).await;
            self.metrics.called(began.elapsed());
            match sums_of_some {
                Ok(some) => sums.extend(some),
                Err(error) => {
                    tracing::debug!(%error, "viewers could not be summed over all gateways");
                    return None;
                }
            }
        }
        Some(sums)
    }
}
