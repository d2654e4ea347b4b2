//! What one viewer received.

/// Messages of one class that one viewer received. The room has every `rooms`th message of all, so
/// that the message with the number n has the place n / rooms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// By place: milliseconds since the start, plus 1; 0 for never.
    pub at_ms: Vec<u32>,
    /// Number of messages that the viewer received again.
    pub duplicates: u64,
}

impl Shown {
    /// Returns an empty record for the messages of one of `rooms` rooms.
    #[must_use]
    pub fn new(all: usize, rooms: usize) -> Self {
        Shown { at_ms: vec![0; all.div_ceil(rooms)], duplicates: 0 }
    }

    /// Records a message. Returns whether the message was new.
    pub fn record(&mut self, place: usize, now_ms: u32) -> bool {
        let Some(at_ms) = self.at_ms.get_mut(place) else { return false };
        let is_new = *at_ms == 0;
        if is_new {
            *at_ms = now_ms;
        } else {
            self.duplicates += 1;
        }
        is_new
    }
}

/// Record of one viewer; all times are milliseconds since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Number of the viewer's room.
    pub room: usize,
    /// Gifts that the viewer received.
    pub gifts: Shown,
    /// Chat that the viewer received.
    pub chats: Shown,
    /// Number of chat messages that batches reported as dropped.
    pub left_out: u64,
    /// Message of a close after which the viewer must not reconnect.
    pub closed: Option<String>,
    /// Times of the hellos, the first join included.
    pub hellos_ms: Vec<u32>,
    /// Times at which a connection ended and the viewer had none.
    pub breaks_ms: Vec<u32>,
    /// Longest time between two messages.
    pub silence_max_ms: u32,
    /// Events of the connection.
    pub log: Vec<(u32, String)>,
}

impl Seen {
    /// Returns how long after `from_ms` the viewer joined again; `None` when its connection did not end.
    #[must_use]
    pub fn back_after_ms(&self, from_ms: u32) -> Option<u32> {
        self.breaks_ms.iter().find(|at| **at >= from_ms)?;
        let hello = self.hellos_ms.iter().find(|at| **at >= from_ms);
        Some(hello.map_or(u32::MAX, |at| at - from_ms))
    }
}
