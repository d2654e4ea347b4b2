//! Which stream of its room a message belongs to. Pure.

use std::collections::HashMap;

use barrage_protocol::{Message, RoomId};

/// When the streams of a batch's rooms began. A room is learnt once per batch.
#[derive(Debug, Default)]
pub(crate) struct StreamStarts {
    by_room: HashMap<RoomId, RoomStarts>,
}

/// What is known of one room.
#[derive(Debug, Default)]
pub(crate) struct RoomStarts {
    /// Known starts in Unix milliseconds, newest first; older ones than these do
    /// not matter to an archiver that is at most this many streams behind.
    pub(crate) known: Vec<u64>,
    /// The stream of the room's newest archived message, for messages of a room
    /// that nobody has put, and for those from before its first known stream.
    pub(crate) fallback: Option<u64>,
}

impl StreamStarts {
    /// Whether the room was learnt.
    pub(crate) fn knows(&self, room: &RoomId) -> bool {
        self.by_room.contains_key(room)
    }

    /// What is known of the room, to be filled in.
    pub(crate) fn room(&mut self, room: &RoomId) -> &mut RoomStarts {
        self.by_room.entry(room.clone()).or_default()
    }

    /// Start of the message's stream: the last one at or before it, else that of
    /// the message before it, else its own time.
    pub(crate) fn start_of(&mut self, message: &Message) -> u64 {
        let room = self.room(&message.room);
        if let Some(start) = room.known.iter().find(|start| **start <= message.at_ms) {
            return *start;
        }
        *room.fallback.get_or_insert(message.at_ms)
    }
}
