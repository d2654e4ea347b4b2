//! Why the archiver stopped; everything else it waits out.

use barrage_protocol::Sequence;
use barrage_store::StoreError;

/// What only a person can mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiverError {
    /// The store refuses a message for good. Skipping it would lose it.
    #[error("the store refuses what the bus holds")]
    Store(#[source] StoreError),
    /// The bus ends before the archive does: it was reset, or is another one.
    /// Its new messages would be taken for archived ones.
    #[error(
        "the bus ends at {tail} in partition {partition} but {archived} is archived; restore the bus or use a \
         new store"
    )]
    BusBehind {
        /// Where, from 0.
        partition: u16,
        /// The bus's newest position.
        tail: Sequence,
        /// The archive's.
        archived: Sequence,
    },
    /// The bus stopped while it was needed.
    #[error("the bus has stopped")]
    BusStopped,
}
