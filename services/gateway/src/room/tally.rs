/// Outcome of one batch on one shard.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Viewers that the batch was due to: the sum of the next three.
    pub(crate) viewers: u64,
    /// Viewers whose sockets took the whole batch.
    pub(crate) written: u64,
    /// Viewers for which the batch or its rest is queued.
    pub(crate) queued: u64,
    /// Viewers whose sockets have failed, or whose queue cannot hold the rest of the frame.
    pub(crate) gone: u64,
    /// Attempts to write to a socket; at most one for each viewer.
    pub(crate) writes: u64,
    /// Bytes that the sockets took at once; queued rests are not counted.
    pub(crate) bytes: u64,
    /// Change of the bytes queued, for the gauge of all queues.
    pub(crate) queued_bytes: i64,
    /// Viewers among the written and queued ones that see nothing and got no chat.
    pub(crate) hidden: u64,
    /// Viewers among the hidden ones whose sockets took the whole batch.
    pub(crate) hidden_written: u64,
    /// Chat messages dropped from queues that exceeded the soft bound.
    pub(crate) dropped_chat: u64,
    /// Queued viewers whose queue had no room for the batch's gifts and signals.
    pub(crate) overflowed: u64,
}
