//! Who may not speak in a room, and until when.

use barrage_protocol::{RoomId, UserId};

/// One mute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
    /// Unix time in milliseconds from which the user may speak again.
    pub until_ms: u64,
}
