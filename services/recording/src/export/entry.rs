//! One entry of an export: an item with the position that the archive has of it.

use crate::item::Item;

/// An item to write, with facts that the formats have room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Content, sender and offset into the stream.
    pub item: Item,
    /// Unix time in milliseconds at which the server accepted the message.
    pub at_ms: u64,
    /// Position of the message in its room, which becomes the row id.
    pub sequence: u64,
    /// Id of the sender; empty when it is not known.
    pub user: String,
}

impl Entry {
    /// Returns the hash of the sender's id that the site's format has: FNV-1a of 32 bits.
    #[must_use]
    pub fn user_hash(&self) -> u32 {
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
        self.user.bytes().fold(2_166_136_261, step)
    }
}
