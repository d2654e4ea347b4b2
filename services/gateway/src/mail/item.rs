//! A frame of mail for one connection.

use std::sync::Arc;

use barrage_bus::UserHash;

use super::letter::Letter;

/// A frame for one connection, on its way to the connection's shard.
#[derive(Debug, Clone)]
pub(crate) struct MailItem {
    /// Address of the viewer on the shard.
    pub(crate) address: usize,
    /// User of the frame: the connection may be another user's by now.
    pub(crate) user: UserHash,
    pub(crate) letter: Arc<Letter>,
}
