//! Why a call of the bus failed.

use crate::settings::error::ChangeError;

/// Why a call of the bus failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The log cannot be written or read, or the queue before it is full. The same call may
    /// succeed later.
    #[error("the message log is not available: {0}")]
    Unavailable(String),
    /// The same sender used this id for another message.
    #[error("this message id was used for another message")]
    Conflict,
    /// A body, a key or the number of drafts of one call is over its bound.
    #[error("the drafts are too large")]
    TooLarge,
    /// The drafts of one call belong to several topics; the bus publishes to one topic per call.
    #[error("drafts of several topics cannot be published together")]
    SeveralTopics,
    /// The configured maximum number of the named things exists already.
    #[error("no room for another {0}")]
    Full(&'static str),
    /// The change does not fit the settings as they are.
    #[error(transparent)]
    Refused(ChangeError),
}

impl BusError {
    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, BusError::Unavailable(_))
    }
}
