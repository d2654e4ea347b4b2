//! Failures of calls of the admin API, which have exit codes of their own.

/// Reason why a call of the admin API failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// The process answered 404; the text is its message.
    #[error("{0}")]
    NotFound(String),
    /// The process refused with another status from 400 to 499; the text is its message.
    #[error("{0}")]
    Refused(String),
    /// The process did not answer, or cannot serve the call now.
    #[error("{0}")]
    Unreachable(String),
    /// The call failed for another reason.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}
