//! Assigns messages to the streams of their rooms. Pure.

use std::collections::HashMap;

use barrage_protocol::{Message, RoomId};

/// Starts of the streams of a batch's rooms. A room is read once per batch.
#[derive(Debug, Default)]
pub(crate) struct StreamStarts {
    by_room: HashMap<RoomId, RoomStarts>,
}

/// Starts of the streams of one room.
#[derive(Debug, Default)]
pub(crate) struct RoomStarts {
    /// Starts in Unix milliseconds, newest first. Their number is limited: an archiver that lags
    /// behind by more streams assigns older messages to `fallback`.
    pub(crate) known: Vec<u64>,
    /// Stream of the room's newest archived message, for messages of a room without a record, and
    /// for those from before its first known stream.
    pub(crate) fallback: Option<u64>,
}

impl StreamStarts {
    /// Returns whether the room was read; a batch reads each room once.
    pub(crate) fn has(&self, room: &RoomId) -> bool {
        self.by_room.contains_key(room)
    }

    /// Returns the starts of a room, to be filled in.
    pub(crate) fn room(&mut self, room: &RoomId) -> &mut RoomStarts {
        self.by_room.entry(room.clone()).or_default()
    }

    /// Returns the start of a message's stream: the last start at or before the message, else the
    /// start of the message before it, else the message's own time.
    pub(crate) fn start_of(&mut self, message: &Message) -> u64 {
        let room = self.room(&message.room);
        if let Some(start) = room.known.iter().find(|start| **start <= message.at_ms) {
            return *start;
        }
        *room.fallback.get_or_insert(message.at_ms)
    }
}
