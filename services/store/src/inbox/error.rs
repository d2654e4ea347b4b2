//! Why a call of the inbox failed.

use barrage_protocol::Sequence;

/// Why a call of the inbox failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// The database could not be opened or migrated to the schema of this version.
    #[error("the inbox could not be opened")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A statement failed: the database is locked, full or unreachable. The call had no effect.
    #[error("the inbox did not answer")]
    Query(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another courier has moved the lane on. The call had no effect.
    #[error("lane {lane} is not at sequence {expected}: another courier has moved it on")]
    Fenced {
        /// Number of the lane.
        lane: u16,
        /// Position at which the caller believed the lane to be.
        expected: Sequence,
    },
    /// A batch is out of order, or larger than [`crate::BATCH_MAX`].
    #[error("the batch is not acceptable: {0}")]
    Unacceptable(&'static str),
    /// A stored value, named here, cannot be parsed by this version.
    #[error("a stored {0} is not readable")]
    Corrupt(&'static str),
}

impl InboxError {
    /// Returns whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, InboxError::Query(_))
    }
}

impl From<rusqlite::Error> for InboxError {
    fn from(error: rusqlite::Error) -> Self {
        InboxError::Query(error.into())
    }
}

impl From<sqlx::Error> for InboxError {
    fn from(error: sqlx::Error) -> Self {
        InboxError::Query(error.into())
    }
}
