//! Settings of the shared quota.

use std::path::PathBuf;
use std::time::Duration;

use barrage_flow::{BreakerConfig, LeaseConfig};
use barrage_secret::SecretUrl;

/// One Redis server, and the files for an encrypted connection to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address<'a> {
    pub(crate) url: &'a SecretUrl,
    pub(crate) tls_ca_file: Option<&'a PathBuf>,
    pub(crate) tls_cert_file: Option<&'a PathBuf>,
    pub(crate) tls_key_file: Option<&'a PathBuf>,
}

barrage_part::part! {
    /// Limits counted in Redis, for all instances together. Without this table each process counts
    /// for itself.
    pub struct RedisQuotaConfig {
        /// Redis, as `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS with a
        /// check of the host's name. All instances that share limits name the same server. Logs never
        /// contain the password.
        url: SecretUrl = "redis://127.0.0.1:6379".into();
        /// Certificates to trust instead of those of the system, as a PEM file.
        tls_ca_file: Option<PathBuf> = None;
        /// Certificate of this client, as a PEM file; requires `tls_key_file`.
        tls_cert_file: Option<PathBuf> = None;
        /// Key of `tls_cert_file`, as a PEM file.
        tls_key_file: Option<PathBuf> = None;
        /// Longest wait of a request for Redis, in milliseconds; then this instance decides by its share
        /// of the limit. Twenty times a call inside one data centre, and too short for a sender to
        /// notice.
        deadline_ms: u64 = 20, between(1, 500);
        /// Keys with a lease or a remembered refusal, and as many shares beside them; about 120 MB when
        /// full. At the bound the older half is forgotten: leases lapse, and the next decision asks
        /// Redis. No limit is exceeded.
        keys_max: usize = 200_000, between(1, 1 << 30);
        /// Locks that the keys are spread over.
        shards: usize = 32, between(1, 1_024);
        /// Size of the leases.
        lease: LeaseConfig = LeaseConfig::default();
        /// Circuit breaker before Redis. The window and the pauses are short, because a lease lasts half
        /// a second, and a wrong share is worse than one request that waits for the deadline.
        breaker: BreakerConfig = BreakerConfig {
            window_ms: 1_000,
            calls_min: 5,
            pause_ms: 200,
            pause_ms_max: 2_000,
            ..BreakerConfig::default()
        };
    }
}

impl RedisQuotaConfig {
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    pub(crate) fn address(&self) -> Address<'_> {
        Address {
            url: &self.url,
            tls_ca_file: self.tls_ca_file.as_ref(),
            tls_cert_file: self.tls_cert_file.as_ref(),
            tls_key_file: self.tls_key_file.as_ref(),
        }
    }
}

barrage_part::part! {
    /// Redis servers that uplinks share first pages of histories through, each for a second at most: a room's
    /// page is read from the store once for all uplinks. They need no persistence and no replicas. Without
    /// this table each uplink reads a page for itself, once a second.
    pub struct RedisPagesConfig {
        /// Servers, as in `redis.url`, 1 to 16. All uplinks name the same ones, in any order. Consistent
        /// hashing places each room on one of them, so that few rooms move when a server comes or goes.
        urls: Vec<SecretUrl> = vec!["redis://127.0.0.1:6379".into()];
        /// Points of each server on the ring. More spread the rooms more evenly.
        virtual_nodes: u32 = 1_024, between(1, 16_384);
        /// Certificates to trust instead of those of the system, as a PEM file.
        tls_ca_file: Option<PathBuf> = None;
        /// Certificate of this client, as a PEM file; requires `tls_key_file`.
        tls_cert_file: Option<PathBuf> = None;
        /// Key of `tls_cert_file`, as a PEM file.
        tls_key_file: Option<PathBuf> = None;
        /// Longest wait for a server, in milliseconds; then the uplink reads the store.
        deadline_ms: u64 = 20, between(1, 500);
        /// Circuit breaker before each server: while it is open, the uplink reads the store at once. A room
        /// makes a call a second, so that the window is longer than that of limits.
        breaker: BreakerConfig = BreakerConfig {
            calls_min: 5,
            pause_ms: 200,
            pause_ms_max: 2_000,
            ..BreakerConfig::default()
        };
    }
}

impl RedisPagesConfig {
    pub(crate) fn address<'a>(&'a self, url: &'a SecretUrl) -> Address<'a> {
        Address {
            url,
            tls_ca_file: self.tls_ca_file.as_ref(),
            tls_cert_file: self.tls_cert_file.as_ref(),
            tls_key_file: self.tls_key_file.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors_and_absent_keys_have_defaults() {
        assert!(toml::from_str::<RedisQuotaConfig>("address = 'x'").is_err());
        let read: RedisQuotaConfig = toml::from_str("[lease]\nlength_ms = 100").unwrap();
        assert_eq!(read.lease, LeaseConfig { length_ms: 100, ..LeaseConfig::default() });
        assert_eq!(read.breaker, RedisQuotaConfig::default().breaker);
    }
}
