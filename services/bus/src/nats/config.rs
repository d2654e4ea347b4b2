//! Settings of the NATS client.

use std::path::PathBuf;
use std::time::Duration;

use barrage_part::{Kind, Setting};
use barrage_secret::SecretUrl;
use serde::{Deserialize, Serialize};

/// Storage of the streams of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatsStorage {
    /// On disk; survives restarts of the servers.
    #[default]
    File,
    /// In memory; lost, gifts included, when all servers with a replica stop.
    Memory,
}

impl Setting for NatsStorage {
    const KIND: Kind = Kind::Choice(&["file", "memory"]);
}

barrage_part::part! {
    /// Messages, settings and the registry on NATS JetStream. Without this table they are in the
    /// process and its data directory.
    @[derive(Eq)]
    pub struct NatsConfig {
        /// Servers, as `nats://[user:password@]host:port`, or `tls://` to require encryption. All use
        /// the same password. Logs never contain the password.
        urls: Vec<SecretUrl> = vec!["nats://127.0.0.1:4222".into()];
        /// Monitoring addresses of the same servers, as `http://host:8222`. `barrage doctor` checks
        /// there whether the servers sync each write.
        monitor_urls: Vec<SecretUrl> = Vec::new();
        /// Base URL of the admin API of this process, for `barrage why` on other machines. Without it,
        /// the address of the admin listener, or the address of this machine in its network.
        admin_url: Option<String> = None;
        /// Certificates to trust besides those of the system, as a PEM file.
        tls_ca_file: Option<PathBuf> = None;
        /// Certificate of this client, as a PEM file; requires `tls_key_file`.
        tls_cert_file: Option<PathBuf> = None;
        /// Key of `tls_cert_file`, as a PEM file.
        tls_key_file: Option<PathBuf> = None;
        /// First token of every subject, stream and bucket name, so that installations can share
        /// servers. Letters, digits, `_` and `-`.
        prefix: String = "barrage".into();
        /// Whether a process declares streams and buckets at start, and changes them to these
        /// settings. Turn this off where an operator declares them and clients may not.
        declare: bool = true;
        /// Servers that hold each message before it is accepted. 3 in production: with 1, a lost disk
        /// is a lost gift.
        replicas: usize = 1, between(1, 5);
        /// Streams that the rooms are spread over, each with a leader and an append rate of its own.
        /// One stream carries tens of thousands of messages a second. This is the number at the first
        /// start; `barrage bus partitions set` changes it while people write. See docs/guide/operate.md.
        partitions: u16 = 1, between(1, 64);
        /// Sequence of the first message in newly declared streams. When streams replace older ones,
        /// the first sequence that the older ones have not assigned, so that none repeats.
        first_sequence: u64 = 1, between(1, (1 << 53) - 1);
        /// Storage of messages. `memory` was not faster in measurements, and loses messages when all
        /// servers stop.
        storage: NatsStorage = NatsStorage::File;
        /// Maximum bytes per stream. Beyond, the oldest messages are deleted, archived or not. The
        /// default is a day of 100 messages a second. Where letters are on, all lanes together reserve as
        /// much once more; a full lane refuses letters and deletes none.
        stream_bytes_max: u64 = 4 << 30, between(1 << 20, 1 << 50);
        /// Longest wait for an acknowledgement, in milliseconds; then the message is sent again with
        /// the same id. Longer than the disk of a loaded server, shorter than a change of leader.
        ack_timeout_ms: u64 = 1_500, between(1, 600_000);
        /// Longest publish with all attempts, in milliseconds; then the answer is `unavailable`. A
        /// change of leader takes about 5 s.
        publish_deadline_ms: u64 = 8_000, between(1, 600_000);
        /// Longest wait for any other answer, in milliseconds.
        request_timeout_ms: u64 = 2_000, between(1, 600_000);
        /// Longest wait for a connection, in milliseconds.
        connect_timeout_ms: u64 = 5_000, between(1, 600_000);
        /// Longest wait for servers at start, in milliseconds, because they may be starting too.
        start_deadline_ms: u64 = 30_000, between(0, 3_600_000);
        /// Silence after which the client probes the connection, in seconds. Two unanswered probes end
        /// the connection.
        ping_interval_secs: u64 = 10, between(1, 3_600);
        /// Longest pause between two attempts to connect, in milliseconds. Each pause is random up to
        /// its bound.
        reconnect_pause_ms_max: u64 = 2_000, between(1, 600_000);
        /// Stored messages that one repair reads when they are not in memory. Beyond, the answer is cut
        /// short and names where it ends. The default is seven minutes of a hot room.
        scan_messages_max: usize = 20_000, between(1, 100_000_000);
        /// Longest interval between two reads of the connection, in microseconds, while messages arrive
        /// fast; the measured cost of a wake decides below it. Reads in bulk leave the core to the
        /// fan-out. A publish waits as long. Without it, 5000 in a process that is a gateway alone, and
        /// 0 in others.
        gather_us_max: Option<u64> = None, between(0, 100_000);
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
