/// Outcome of one batch on one shard.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Viewers that the batch was due to: the sum of the next three.
    pub(crate) viewers: u64,
    /// Viewers whose sockets took the whole batch.
    pub(crate) written: u64,
    /// Viewers for which the batch or its rest is queued.
    pub(crate) queued: u64,
    /// Viewers whose sockets have failed.
    pub(crate) gone: u64,
    /// Writes to sockets, successful or not.
    pub(crate) writes: u64,
    /// Bytes that the sockets took.
    pub(crate) bytes: u64,
    /// Change of the bytes queued.
    pub(crate) queued_bytes: i64,
    /// Chat messages dropped from queues.
    pub(crate) dropped_chat: u64,
    /// Queued viewers whose queue had no room for the batch's gifts and signals.
    pub(crate) overflowed: u64,
}
