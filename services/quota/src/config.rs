//! Configuration of the shared quota.

use std::path::PathBuf;
use std::time::Duration;

use barrage_flow::{BreakerConfig, LeaseConfig};
use barrage_secret::SecretUrl;
use serde::{Deserialize, Serialize};

/// `[quota]` of a cluster: where the counts are kept, and how long one waits for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisQuotaConfig {
    /// Redis, as `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS
    /// with the host's name checked. Default
    /// `redis://127.0.0.1:6379`. All instances that share limits name the same one. It
    /// may hold a password: it is never logged.
    pub url: SecretUrl,
    /// Certificates to trust instead of the system's, as a PEM file. Default none.
    pub tls_ca_file: Option<PathBuf>,
    /// This client's certificate, as a PEM file; needs `tls_key_file`. Default none.
    pub tls_cert_file: Option<PathBuf>,
    /// The key of `tls_cert_file`, as a PEM file. Default none.
    pub tls_key_file: Option<PathBuf>,
    /// Longest wait of a request for Redis; then it is decided by this instance's share
    /// of the limit. Default 20: twenty times a call inside one data centre, and not felt
    /// by a sender. At most 500.
    pub deadline_ms: u64,
    /// Keys with a lease or a remembered refusal, and as many shares beside them. Default
    /// 200000, some 120 MB when full. At the bound the older half is forgotten: their
    /// leases lapse and their next decision asks Redis; no limit is broken by it.
    pub keys_max: usize,
    /// Locks that the keys are spread over. Default 32.
    pub shards: usize,
    /// How much is taken at once.
    pub lease: LeaseConfig,
    /// When Redis counts as away. Its window is short (1 s) and its pauses are too
    /// (200 ms to 2 s), because a lease lasts half a second and a wrong share is worse
    /// than one request in a pause that waits for the deadline.
    pub breaker: BreakerConfig,
}

impl Default for RedisQuotaConfig {
    fn default() -> Self {
        RedisQuotaConfig {
            url: "redis://127.0.0.1:6379".into(),
            tls_ca_file: None,
            tls_cert_file: None,
            tls_key_file: None,
            deadline_ms: 20,
            keys_max: 200_000,
            shards: 32,
            lease: LeaseConfig::default(),
            breaker: BreakerConfig {
                window_ms: 1_000,
                calls_min: 5,
                pause_ms: 200,
                pause_ms_max: 2_000,
                ..BreakerConfig::default()
            },
        }
    }
}

impl RedisQuotaConfig {
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_and_the_rest_stays_default() {
        assert!(toml::from_str::<RedisQuotaConfig>("address = 'x'").is_err());
        let read: RedisQuotaConfig = toml::from_str("[lease]\nlength_ms = 100").unwrap();
        assert_eq!(read.lease, LeaseConfig { length_ms: 100, ..LeaseConfig::default() });
        assert_eq!(read.breaker, RedisQuotaConfig::default().breaker);
    }
}
