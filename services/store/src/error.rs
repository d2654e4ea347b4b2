//! Why a call of the store failed.

use barrage_protocol::Sequence;

/// Why a call of the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database could not be opened or migrated to the schema of this version.
    #[error("the store could not be opened")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A statement failed: the database is locked, full or unreachable.
    #[error("the store did not answer")]
    Query(#[from] sqlx::Error),
    /// The archive holds another message of the room at this position: the bus was reset and the
    /// store was not, or two buses write to one store.
    #[error(
        "the archive keeps another message of the room at sequence {0}; bus and store do not belong together"
    )]
    Conflict(Sequence),
    /// The message cannot be stored; another attempt would fail too.
    #[error("the message at sequence {sequence} cannot be kept: {reason}")]
    Unacceptable {
        /// Position of the message in its room's chain.
        sequence: Sequence,
        /// Rule that the message breaks, as a text for the log.
        reason: &'static str,
    },
    /// The database file is damaged or missing: the process cannot continue with it.
    #[error("{0}")]
    Unusable(String),
    /// A stored value, named here, cannot be parsed by this version.
    #[error("a stored {0} is not readable")]
    Corrupt(&'static str),
}

impl StoreError {
    /// Returns whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Query(_))
    }
}
