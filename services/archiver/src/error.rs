//! Errors that stop the archiver. Other failures are retried.

use barrage_protocol::Sequence;
use barrage_store::StoreError;

/// A failure that only an operator can repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiverError {
    /// The store refuses a message permanently. Skipping the message would lose it.
    #[error("the store refuses a message of the bus")]
    Store(#[source] StoreError),
    /// The bus ends before the archive does: the bus was reset, or is another one. Its new messages
    /// would count as archived.
    #[error(
        "the bus ends at {tail} in partition {partition} but {archived} is archived; restore the bus or use a \
         new store"
    )]
    BusBehind {
        /// Number of the partition of the bus, from 0.
        partition: u16,
        /// Newest position of the bus in the partition.
        tail: Sequence,
        /// Position of the archive in the partition.
        archived: Sequence,
    },
    /// The bus stopped before the archiver did.
    #[error("the bus has stopped")]
    BusStopped,
}
