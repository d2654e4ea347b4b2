//! Why a shared quota cannot be set up.

/// An invalid configuration, or why Redis cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// The address of Redis is no valid `redis://` or `rediss://` URL.
    #[error("`url` must be redis://host:port or rediss://host:port")]
    Url(#[source] redis::RedisError),
    /// Redis did not answer an inspection; limits work without it.
    #[error("Redis does not answer")]
    Away(#[source] redis::RedisError),
    /// A certificate or key, named first, cannot be read or is missing.
    #[error("`{0}`: {1}")]
    Tls(&'static str, String),
    /// The deadline, up to which a decision waits for Redis, is out of range.
    #[error("`deadline_ms` must be from 1 to 500, but is {0}")]
    Deadline(u64),
    /// The list of servers for pages is empty or too long.
    #[error("`urls` must have 1 to {most} servers, but has {0}", most = crate::redis_pages::PAGE_SERVERS_MAX)]
    Servers(usize),
}
