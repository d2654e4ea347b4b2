//! Errors of connects and sends, with the server's refusal where there is one.

use barrage_protocol::code::Refusal;

/// Cause of a failed connect. The viewer tries the next endpoint, or retries later.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server refused the request; the refusal carries code and message.
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// No answer arrived within the configured timeout.
    #[error("no answer within the timeout")]
    Timeout,
    /// A network failure, or an answer that is not of the protocol.
    #[error("{0}")]
    Failed(String),
}

impl ConnectError {
    pub(crate) fn failed(error: impl std::error::Error + 'static) -> Self {
        ConnectError::Failed(barrage_tls::reason(&error))
    }
}

/// Cause for which the sender gave a post up.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The server refused for good, or named a wait beyond the deadline (`retry_after_ms`).
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// The deadline passed, and the server may have accepted the message or not. A retry with the same id
    /// is safe.
    #[error("no answer within the deadline: {0}")]
    Deadline(String),
    /// The configuration has no uplink, or an invalid URL.
    #[error("{0}")]
    Config(String),
}
