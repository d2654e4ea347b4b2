//! Why a shared quota cannot be set up.

/// A mistake in the configuration, or why Redis cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// The address of Redis.
    #[error("`url` must be redis://host:port or rediss://host:port")]
    Url(#[source] redis::RedisError),
    /// It did not answer when it was looked at; limits work without it.
    #[error("it does not answer")]
    Away(#[source] redis::RedisError),
    /// A certificate or key cannot be read, or one of them is missing.
    #[error("`{0}`: {1}")]
    Tls(&'static str, String),
    /// The deadline.
    #[error("`deadline_ms` must be from 1 to 500, but is {0}")]
    Deadline(u64),
}
