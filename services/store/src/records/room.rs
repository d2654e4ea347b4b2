//! A room's business record: title, times and whether it is closed.

use barrage_protocol::RoomId;

/// A room's business record, which [`crate::Store::put_room`] replaces as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Id of the room; a second record with it replaces the first.
    pub id: RoomId,
    /// Title that pages show; two rooms may have the same one.
    pub title: String,
    /// Time at which the room was created, in Unix milliseconds.
    pub created_at_ms: u64,
    /// Start of the current stream, Unix milliseconds: offsets of archived messages count from here.
    pub stream_started_at_ms: u64,
    /// The room accepts no more messages; its history stays.
    pub closed: bool,
}
