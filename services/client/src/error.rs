//! What can go wrong.

use barrage_protocol::code::Refusal;

/// Why a connect failed; the viewer tries the next endpoint, or again later.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server said no.
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The network, or a server that does not speak the protocol.
    #[error("{0}")]
    Failed(String),
}

impl ConnectError {
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        ConnectError::Failed(error.to_string())
    }
}

/// Why a send failed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The server said no, and will again; or the wait that it named is longer than
    /// the deadline: `retry_after_ms` says how long.
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// The deadline passed; whether the message was taken is not known. Sending it
    /// again under the same id is safe.
    #[error("no answer within the deadline: {0}")]
    Deadline(String),
    /// No uplink is configured, or a URL is not one.
    #[error("{0}")]
    Config(String),
}
