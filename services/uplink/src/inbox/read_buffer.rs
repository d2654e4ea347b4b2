//! Reads that wait for others of their conversation: the greatest position counts.

use std::collections::HashMap;
use std::time::Instant;

use barrage_inbox::{ConversationId, Place, Position};
use barrage_protocol::UserId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Reader and conversation of a read.
pub(super) type Key = (UserId, ConversationId);

/// Reads that wait, at most a bounded number.
pub(super) struct ReadBuffer {
    waiting: Mutex<HashMap<Key, Waiting>>,
    max: usize,
    /// Notified by each new read.
    pub(super) arrived: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    position: Position,
    due: Instant,
}

/// Whether a read waits with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merged {
    Yes,
    /// The buffer is full: the read must be written at once.
    No,
}

impl ReadBuffer {
    /// Makes an empty buffer for a number of reads.
    pub(super) fn new(max: usize) -> Self {
        ReadBuffer { waiting: Mutex::default(), max, arrived: Notify::new() }
    }

    /// Adds a read. One that waits already keeps its time.
    pub(super) fn add(&self, key: Key, position: Position, due: Instant) -> Merged {
        let mut waiting = self.waiting.lock();
        if let Some(known) = waiting.get_mut(&key) {
            known.position = known.position.max(position);
            return Merged::Yes;
        }
        if waiting.len() >= self.max {
            return Merged::No;
        }
        waiting.insert(key, Waiting { position, due });
        drop(waiting);
        self.arrived.notify_one();
        Merged::Yes
    }

    /// Takes what is due; everything without a time.
    pub(super) fn take(&self, now: Option<Instant>) -> Vec<Place> {
        let mut waiting = self.waiting.lock();
        let is_due = |_: &Key, read: &mut Waiting| now.is_none_or(|now| read.due <= now);
        let due = waiting.extract_if(is_due).map(|((user, conversation), read)| Place {
            user,
            conversation,
            position: read.position,
        });
        due.collect()
    }

    /// Returns whether no read waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(user: &str) -> Key {
        (UserId::parse(user).unwrap(), ConversationId::parse("g.x").unwrap())
    }

    #[test]
    fn greatest_position_counts_and_a_full_buffer_takes_no_more() {
        let (buffer, now) = (ReadBuffer::new(2), barrage_clock::now());
        let later = now + Duration::from_secs(1);
        for (position, due) in [(5, now), (9, later), (3, later)] {
            assert_eq!(buffer.add(key("a"), Position(position), due), Merged::Yes);
        }
        assert_eq!(buffer.add(key("b"), Position(1), later), Merged::Yes);
        assert_eq!(buffer.add(key("c"), Position(1), now), Merged::No);
        assert_eq!(buffer.add(key("b"), Position(2), now), Merged::Yes);
        let due = buffer.take(Some(now));
        assert_eq!(due.iter().map(|place| place.position.0).collect::<Vec<_>>(), [9]);
        assert_eq!(buffer.take(None).len(), 1);
        assert!(buffer.is_empty());
    }
}
