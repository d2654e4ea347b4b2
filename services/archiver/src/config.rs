//! Settings of the archiver.

barrage_part::part! {
    /// The archiver, which copies messages from the bus to the store.
    @[derive(Eq)]
    pub struct ArchiverConfig {
        /// Maximum messages per transaction; each partition of the bus has transactions of its own.
        /// One disk sync covers many messages after a delay, and other writers wait a short time.
        batch_messages_max: usize = 500, between(1, 100_000);
        /// Interval between two looks at a silent bus, in milliseconds. Matters only for an engine
        /// that loses a wake-up.
        poll_interval_ms: u64 = 1_000, between(1, 600_000);
        /// Wait after the first failure of store or bus, in milliseconds. The wait doubles with each
        /// further failure.
        backoff_initial_ms: u64 = 100, between(1, 600_000);
        /// Longest wait after a failure, in milliseconds. The archive is at most this late when the
        /// store comes back.
        backoff_max_ms: u64 = 5_000, between(1, 3_600_000);
        /// Longest write, in milliseconds. A slower write counts as failed and is tried again. Above
        /// every lock that the store waits for.
        append_timeout_ms: u64 = 30_000, between(1, 3_600_000);
        /// Longest wait of a shutdown for messages that the bus still holds, in milliseconds. The next
        /// start archives the rest.
        drain_timeout_ms: u64 = 10_000, between(0, 3_600_000);
        /// Age at which archived messages are deleted, in hours; 0 keeps all. Records of gifts are
        /// never deleted.
        retention_hours: u64 = 720, between(0, 876_000);
        /// Interval between two searches for old messages and ended mutes, in seconds.
        retention_interval_secs: u64 = 600, between(1, 86_400);
        /// Rows per deletion. Archiving goes on between two deletions.
        retention_chunk_rows: usize = 500, between(1, 1_000);
    }
}
