//! Why the store could not do it.

use barrage_protocol::Sequence;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database could not be opened or brought to this version's schema.
    #[error("the store could not be opened")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A statement failed: locked, full, or gone.
    #[error("the store did not answer")]
    Query(#[from] sqlx::Error),
    /// Another message of the room is kept under this position: the bus was reset while the
    /// store was not, or two buses write into one store.
    #[error(
        "the archive keeps another message of the room at sequence {0}; bus and store do not belong together"
    )]
    Conflict(Sequence),
    /// The message cannot be kept; sending it again would fail again.
    #[error("the message at sequence {sequence} cannot be kept: {reason}")]
    Unacceptable {
        /// Its position.
        sequence: Sequence,
        /// Why.
        reason: &'static str,
    },
    /// The database file is damaged or gone: the process cannot go on with it.
    #[error("{0}")]
    Unusable(String),
    /// A row holds what this version does not write.
    #[error("a stored {0} is not readable")]
    Corrupt(&'static str),
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Query(_))
    }
}
