//! Why a shared quota cannot be set up.

/// A mistake in the configuration; Redis being away is none.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// The address of Redis.
    #[error("`url` must be redis://host:port, and no TLS")]
    Url(#[source] redis::RedisError),
    /// The deadline.
    #[error("`deadline_ms` must be from 1 to 500, but is {0}")]
    Deadline(u64),
}
