//! Limits of the accept loop, and its certificate.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// `[http]`: limits of every listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// From the first byte of a request (or from the accept) to the end of its
    /// header. Default 5: a slow-header client holds a descriptor no longer.
    pub header_secs: u64,
    /// From the header's end to the body's end. Default 10.
    pub body_secs: u64,
    /// How long a kept-alive connection may idle between requests. Default 120.
    pub idle_secs: u64,
    /// Largest header block in bytes; more is 431. Default 16384 (8192 is the least).
    pub header_bytes_max: usize,
    /// Open connections of all listeners, long ones included; beyond, a new one
    /// gets 503 with `Retry-After` and is closed. Default 18000: a process may
    /// have 20,000 descriptors, and some are needed for files and servers.
    pub connections_max: usize,
    /// Proxies whose `X-Forwarded-For` is believed; the right-most address outside
    /// of these networks is the client. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of pages on other hosts that may connect, post and read
    /// (`https://live.example`); `*` allows all. Default: none, which leaves the
    /// pages of the server's own host, and callers that are no browsers.
    pub allowed_origins: Vec<String>,
    /// The public listeners speak TLS with this chain of certificates (PEM). Default: none,
    /// for behind a proxy that speaks it. What renews the files need not restart anything:
    /// they are looked at every minute.
    pub tls_cert_file: Option<PathBuf>,
    /// The key of the first of them (PEM).
    pub tls_key_file: Option<PathBuf>,
    /// After a shutdown, how long running requests may finish. Default 5.
    pub shutdown_secs: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig {
            header_secs: 5,
            body_secs: 10,
            idle_secs: 120,
            header_bytes_max: 16 * 1024,
            connections_max: 18_000,
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            tls_cert_file: None,
            tls_key_file: None,
            shutdown_secs: 5,
        }
    }
}
