//! Viewers of a room over all gateways, summed in Redis. A gateway that says nothing
//! more is left out of the sums soon.

use std::time::Duration;

use async_trait::async_trait;
use barrage_flow::Online;
use barrage_protocol::RoomId;
use redis::aio::ConnectionManager;
use redis::{RedisError, Script};

use crate::config::RedisQuotaConfig;
use crate::error::QuotaError;
use crate::keeper;

/// A count that is not told again lapses after this.
const LIFE: Duration = Duration::from_secs(10);
/// Longest wait for Redis; nobody but the next report waits for it.
const DEADLINE: Duration = Duration::from_secs(1);
/// Rooms in one round trip.
const ROOMS_MAX: usize = 500;

/// Sums in Redis.
pub struct RedisOnline {
    connection: ConnectionManager,
    script: Script,
}

impl RedisOnline {
    /// Connects in the background; Redis may be away. Must be called within a Tokio
    /// runtime.
    pub fn new(config: &RedisQuotaConfig) -> Result<Self, QuotaError> {
        let connection = keeper::connection(config, DEADLINE)?;
        Ok(RedisOnline { connection, script: Script::new(include_str!("lua/online.lua")) })
    }

    async fn exchange_some(&self, gateway: &str, viewers: &[(RoomId, u64)]) -> Result<Vec<u64>, RedisError> {
        let mut connection = self.connection.clone();
        // The script is there after this, whatever Redis has forgotten.
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
            match self.exchange_some(gateway, some).await {
                Ok(some) => sums.extend(some),
                Err(error) => {
                    tracing::debug!(%error, "viewers are not summed now");
                    return None;
                }
            }
        }
        Some(sums)
    }
}
