use barrage_class::Counts;

/// Result of one flush of a viewer's queue to its socket.
pub(crate) struct Flushed {
    pub(crate) bytes: u64,
    /// Change of the bytes queued, for the gauge of all queues.
    pub(crate) queued_change: i64,
    /// Messages whose frames were written to their end.
    pub(crate) messages: Counts,
    /// An error when the socket has failed.
    pub(crate) result: std::io::Result<()>,
}
