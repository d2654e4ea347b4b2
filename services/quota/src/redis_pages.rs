//! Pages that uplinks share through a ring of Redis servers.

use std::time::Duration;

use async_trait::async_trait;
use barrage_counters::{Pages, SharedPage};
use barrage_flow::Ring;
use barrage_guarded::{BreakerMetrics, Guarded};
use bytes::Bytes;
use redis::RedisError;
use redis::aio::ConnectionManager;
use tokio::time::Instant;

use crate::config::RedisPagesConfig;
use crate::error::QuotaError;
use crate::redis_counts;

/// Maximum number of servers that share pages; each has a breaker with a name of its own in metrics.
pub const PAGE_SERVERS_MAX: usize = BREAKERS.len();
/// Names of the breakers, by the place of the server in the configuration.
const BREAKERS: [&str; 16] = [
    "pages-1", "pages-2", "pages-3", "pages-4", "pages-5", "pages-6", "pages-7", "pages-8", "pages-9",
    "pages-10", "pages-11", "pages-12", "pages-13", "pages-14", "pages-15", "pages-16",
];

/// Pages on a ring of Redis servers, one server for each key, with an expiry of Redis' own clock.
///
/// A server that is away costs a caller the deadline at most, and nothing while its breaker is open. Its keys
/// do not move to another server meanwhile: the uplinks read them from the store.
pub struct RedisPages {
    ring: Ring,
    servers: Vec<PageServer>,
}

struct PageServer {
    connection: ConnectionManager,
    guarded: Guarded,
}

impl RedisPages {
    /// Connects in the background; each server may be unreachable. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// For no server or more than 16, an invalid URL, and certificates that cannot be read.
    pub fn new(config: &RedisPagesConfig, breakers: &BreakerMetrics) -> Result<Self, QuotaError> {
        if !(1..=PAGE_SERVERS_MAX).contains(&config.urls.len()) {
            return Err(QuotaError::Servers(config.urls.len()));
        }
        let deadline = Duration::from_millis(config.deadline_ms);
        let mut servers = Vec::with_capacity(config.urls.len());
        for (url, name) in config.urls.iter().zip(BREAKERS) {
            let connection = redis_counts::connection(&config.address(url), deadline)?;
            redis_counts::connect_ahead(&connection);
            let guarded = Guarded::new(name, config.breaker.clone(), deadline, breakers);
            servers.push(PageServer { connection, guarded });
        }
        let names = config.urls.iter().map(|url| server_name(url.expose()));
        Ok(RedisPages { ring: Ring::new(names, config.virtual_nodes), servers })
    }

    fn server(&self, key: &str) -> Option<&PageServer> {
        self.servers.get(self.ring.server_of(key)?)
    }
}

impl PageServer {
    /// Makes a call; `None` where the server does not answer. The breaker logs that, once for each outage.
    async fn call<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
        let answer = self.guarded.call(call).await;
        answer.inspect_err(|error| tracing::debug!(%error, "Redis does not share pages")).ok()
    }
}

#[async_trait]
impl Pages for RedisPages {
    async fn get(&self, key: &str) -> Option<SharedPage> {
        let server = self.server(key)?;
        let (mut connection, name) = (server.connection.clone(), redis_key(key));
        // The time is read first: of a page that is stored in between it is too short, never too long.
        let mut read = redis::pipe();
        read.pttl(&name).get(&name);
        let (left_ms, page): (i64, Option<Vec<u8>>) = server.call(read.query_async(&mut connection)).await?;
        let left = u64::try_from(left_ms).ok().filter(|left_ms| *left_ms > 0)?;
        Some(SharedPage { page: page?.into(), left: Duration::from_millis(left) })
    }

    async fn put(&self, key: &str, page: Bytes, left: Duration) {
        let Some(server) = self.server(key) else { return };
        let (mut connection, name) = (server.connection.clone(), redis_key(key));
        // The end is a moment of Redis' clock, and not a time from when Redis comes to the command: a command
        // that waited in a server that hung would show the page again.
        let (asked, time) = (Instant::now(), redis::cmd("TIME"));
        let answer = server.call(time.query_async::<(u64, u64)>(&mut connection)).await;
        let Some((secs, micros)) = answer else { return };
        let left_ms = u64::try_from(left.saturating_sub(asked.elapsed()).as_millis()).unwrap_or(u64::MAX);
        if left_ms == 0 {
            return;
        }
        let until_ms = secs.saturating_mul(1_000).saturating_add(micros / 1_000).saturating_add(left_ms);
        let mut put = redis::pipe();
        put.atomic().cmd("SET").arg(&name).arg(&page[..]).cmd("PEXPIREAT").arg(&name).arg(until_ms);
        server.call(put.exec_async(&mut connection)).await;
    }

    async fn remove(&self, key: &str) {
        let Some(server) = self.server(key) else { return };
        let mut connection = server.connection.clone();
        server.call(redis::cmd("DEL").arg(redis_key(key)).exec_async(&mut connection)).await;
    }
}

fn redis_key(key: &str) -> String {
    format!("barrage:page:{{{key}}}")
}

/// Returns host, port and database of a URL: a changed password moves no key.
fn server_name(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.rsplit_once('@').map_or(rest, |(_, server)| server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_its_password() {
        assert_eq!(server_name("rediss://me:p@ss@host:7/2"), "host:7/2");
        assert_eq!(server_name("redis://host"), "host");
    }

    #[tokio::test]
    async fn a_ring_without_servers_or_with_too_many_is_refused() {
        let breakers = BreakerMetrics::new(&prometheus::Registry::new()).unwrap();
        for count in [0, 17] {
            let config = RedisPagesConfig { urls: vec!["redis://host".into(); count], ..Default::default() };
            let error = RedisPages::new(&config, &breakers).err().unwrap();
            assert!(error.to_string().contains(&format!("has {count}")), "{error}");
        }
    }
}
