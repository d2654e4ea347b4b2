//! Pages that instances share for a short time.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// A page that another instance has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPage {
    /// The page, as it was stored.
    pub page: Bytes,
    /// Time for which it may still be shown.
    pub left: Duration,
}

/// Keeps pages for all instances, each for a second at most. A store that does not answer costs its callers
/// a few milliseconds and no error: they make the page themselves.
#[async_trait]
pub trait Pages: Send + Sync {
    /// Returns the page under a key; `None` where there is none, or where the store does not answer.
    async fn get(&self, key: &str) -> Option<SharedPage>;

    /// Stores a page for a time of at least a millisecond.
    async fn put(&self, key: &str, page: Bytes, left: Duration);

    /// Removes a page, so that no instance takes it from now on.
    async fn remove(&self, key: &str);
}
