//! A room as the business knows it.

use barrage_protocol::RoomId;

/// One room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its id.
    pub id: RoomId,
    /// What a page shows above the player.
    pub title: String,
    /// Unix time of its creation, in milliseconds.
    pub created_at_ms: u64,
    /// Unix time at which its present stream began, in milliseconds: offsets of
    /// archived messages count from here.
    pub stream_started_at_ms: u64,
    /// Whether it takes no messages any more.
    pub closed: bool,
}
