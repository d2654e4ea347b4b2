//! A room's business record.

use barrage_protocol::RoomId;

/// A room's business record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Id of the room.
    pub id: RoomId,
    /// Title that pages show.
    pub title: String,
    /// Creation in Unix milliseconds.
    pub created_at_ms: u64,
    /// Start of the current stream, Unix milliseconds: offsets of archived messages count from here.
    pub stream_started_at_ms: u64,
    /// The room accepts no more messages.
    pub closed: bool,
}
