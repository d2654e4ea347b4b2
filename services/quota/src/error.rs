//! Why a shared quota cannot be set up.

/// A mistake in the configuration, or why Redis cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// The address of Redis.
    #[error("`url` must be redis://host:port, and no TLS")]
    Url(#[source] redis::RedisError),
    /// It did not answer when it was looked at; limits work without it.
    #[error("it does not answer")]
    Away(#[source] redis::RedisError),
    /// The deadline.
    #[error("`deadline_ms` must be from 1 to 500, but is {0}")]
    Deadline(u64),
}
