//! Who knows which media messages show, and which users were erased.

use async_trait::async_trait;
use barrage_protocol::{Digest, UserId};

/// Knows which media messages show. The tables of rooms and of the inbox do.
#[async_trait]
pub trait Uses: Send + Sync {
    /// Returns whether a message shows a medium: one of a room's history, a letter or an item of a group.
    ///
    /// # Errors
    /// When a table cannot be read; the medium stays then.
    async fn is_used(&self, digest: Digest) -> Result<bool, UsesError>;

    /// Returns whether the inbox of a user was erased.
    ///
    /// # Errors
    /// When a table cannot be read; the user's avatar stays then.
    async fn is_erased(&self, user: &UserId) -> Result<bool, UsesError>;
}

/// Error of a table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the messages cannot be read: {0}")]
pub struct UsesError(Box<dyn std::error::Error + Send + Sync>);

impl UsesError {
    /// Wraps the failure of a table.
    pub fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        UsesError(Box::new(error))
    }
}
