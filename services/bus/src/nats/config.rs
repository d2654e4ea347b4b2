//! Where NATS is and how it is used.

use std::path::PathBuf;
use std::time::Duration;

use barrage_secret::SecretUrl;
use serde::{Deserialize, Serialize};

/// What the stream of messages is kept on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatsStorage {
    /// Survives restarts of the servers.
    #[default]
    File,
    /// Lost when all servers that hold a replica end at once; gifts with it.
    Memory,
}

/// `[nats]`: the cluster's bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsConfig {
    /// Servers, as `nats://[user:password@]host:port`, or `tls://` to demand
    /// encryption. Default `nats://127.0.0.1:4222`. They may hold a password, the same
    /// for all: they are never logged.
    pub urls: Vec<SecretUrl>,
    /// Monitoring addresses of the same servers, as `http://host:8222`, for `barrage
    /// doctor` alone. Default none: whether writes are synced is then not checked.
    pub monitor_urls: Vec<SecretUrl>,
    /// Base URL of this process's admin API, told to the others so that `barrage why` asks all
    /// of them. Default: none, which means the admin listener's address, or this machine's
    /// address in its network where that listens on all.
    pub admin_url: Option<String>,
    /// Certificates to trust beside the system's, as a PEM file. Default none.
    pub tls_ca_file: Option<PathBuf>,
    /// This client's certificate, as a PEM file; needs `tls_key_file`. Default none.
    pub tls_cert_file: Option<PathBuf>,
    /// The key of `tls_cert_file`, as a PEM file. Default none.
    pub tls_key_file: Option<PathBuf>,
    /// First token of every subject, stream and bucket name, so that installations can
    /// share servers. Letters, digits, `_` and `-`. Default `barrage`.
    pub prefix: String,
    /// Declares stream and buckets at start, and changes them to what stands here.
    /// Default true; turn it off where an operator declares them and clients may not.
    pub declare: bool,
    /// Servers that hold each message before it counts as accepted, 1 to 5. Default 1,
    /// for a single server; 3 in production: with 1 a lost disk is a lost gift.
    pub replicas: usize,
    /// Streams that the rooms are spread over, 1 to 64, each with a leader and an append rate
    /// of its own. Default 1, which is enough for tens of thousands of accepted messages a
    /// second. It cannot be changed while there are messages: a room's chain is in one
    /// stream; see docs/guide/operate.md.
    pub partitions: u16,
    /// Position that the first message gets in streams that are declared anew. Default 1;
    /// when they take the place of older ones, the first that none of those has given, so
    /// that no position of a room repeats.
    pub first_sequence: u64,
    /// What messages are kept on. Default `file`; `memory` was measured to be no
    /// faster where it matters.
    pub storage: NatsStorage,
    /// Bytes that each stream holds at most; beyond, the oldest messages leave early,
    /// archived or not. Default 4 GiB: a day of 100 messages a second.
    pub stream_bytes_max: u64,
    /// Longest wait for one acknowledgement before the same message is sent again under
    /// the same id. Default 1500: longer than a loaded server's disk, shorter than a
    /// change of leader.
    pub ack_timeout_ms: u64,
    /// How long a publish is tried before it is answered as unavailable. Default 8000:
    /// a change of leader takes some 5 s.
    pub publish_deadline_ms: u64,
    /// Longest wait for any other answer. Default 2000.
    pub request_timeout_ms: u64,
    /// Longest wait for a connection. Default 5000.
    pub connect_timeout_ms: u64,
    /// How long servers are waited for at start, because they may be starting too.
    /// Default 30000.
    pub start_deadline_ms: u64,
    /// Silence after which the connection is probed; twice unanswered, it is given up.
    /// Default 10.
    pub ping_interval_secs: u64,
    /// Longest pause between two attempts to connect; each pause is random up to its
    /// bound. Default 2000.
    pub reconnect_pause_ms_max: u64,
    /// Stored messages that one repair reads at most when they are not in memory;
    /// beyond, the range is cut short and says where. Default 20000: seven minutes of
    /// a hot room.
    pub scan_messages_max: usize,
    /// While messages come faster than 500 a second, the connection is read this many
    /// microseconds apart at most, so that not every one of them takes the core from whoever
    /// writes to viewers. 0: each message is taken as it comes. Default 5000 in a process
    /// that is a gateway alone, 0 in others, because a publish waits for it, too.
    pub gather_us_max: Option<u64>,
}

impl Default for NatsConfig {
    fn default() -> Self {
        NatsConfig {
            urls: vec!["nats://127.0.0.1:4222".into()],
            monitor_urls: Vec::new(),
            admin_url: None,
            tls_ca_file: None,
            tls_cert_file: None,
            tls_key_file: None,
            prefix: "barrage".into(),
            declare: true,
            replicas: 1,
            partitions: 1,
            first_sequence: 1,
            storage: NatsStorage::File,
            stream_bytes_max: 4 << 30,
            ack_timeout_ms: 1_500,
            publish_deadline_ms: 8_000,
            request_timeout_ms: 2_000,
            connect_timeout_ms: 5_000,
            start_deadline_ms: 30_000,
            ping_interval_secs: 10,
            reconnect_pause_ms_max: 2_000,
            scan_messages_max: 20_000,
            gather_us_max: None,
        }
    }
}

impl NatsConfig {
    pub(crate) fn ack_timeout(&self) -> Duration {
        Duration::from_millis(self.ack_timeout_ms)
    }

    pub(crate) fn publish_deadline(&self) -> Duration {
        Duration::from_millis(self.publish_deadline_ms)
    }

    pub(crate) fn start_deadline(&self) -> Duration {
        Duration::from_millis(self.start_deadline_ms)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}
