//! The newest committed messages of all rooms, in memory.
//!
//! The archiver follows the log within a moment. Without this, it would read each message from the log's file
//! and parse it again, on a thread that may block.

use std::collections::VecDeque;
use std::sync::Arc;

use barrage_protocol::{Message, Sequence};
use parking_lot::Mutex;

use crate::topic_log::Kept;

/// Messages that are kept at most: a fifth of a second of 20,000 messages a second. Older ones are read from the
/// file.
const MESSAGES_MAX: usize = 4_096;
/// Bytes of bodies that are kept at most. Older messages are read from the file.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Age at which a message is forgotten. The archiver reads it within 50 ms when the store works.
const AGE_MAX_MS: u64 = 5_000;

/// Messages of rooms without a gap, up to the newest one.
#[derive(Debug)]
pub(crate) struct Recent(Mutex<Ring>);

#[derive(Debug)]
struct Ring {
    /// All messages of rooms that were committed after this position are here.
    after: Sequence,
    messages: VecDeque<Kept>,
    body_bytes: usize,
}

impl Recent {
    /// Starts without messages. `newest` is the greatest position that the file may hold.
    pub(crate) fn after(newest: Sequence) -> Self {
        Recent(Mutex::new(Ring { after: newest, messages: VecDeque::new(), body_bytes: 0 }))
    }

    /// Adds committed messages of rooms, in the order of their positions. Forgets the oldest ones beyond the bounds.
    pub(crate) fn add(&self, messages: impl Iterator<Item = Kept>) {
        let mut ring = self.0.lock();
        for kept in messages {
            ring.body_bytes += kept.message.body.len();
            ring.messages.push_back(kept);
        }
        while ring.messages.len() > MESSAGES_MAX || ring.body_bytes > BODY_BYTES_MAX {
            ring.forget_oldest();
        }
    }

    /// Returns up to `limit` messages after a position; `None` when older ones than these are asked for.
    pub(crate) fn read(&self, after: Sequence, limit: usize) -> Option<Vec<Arc<Message>>> {
        let ring = self.0.lock();
        if after < ring.after {
            return None;
        }
        let from = ring.messages.partition_point(|kept| kept.message.sequence <= after);
        Some(ring.messages.iter().skip(from).take(limit).map(|kept| Arc::clone(&kept.message)).collect())
    }

    /// Forgets old messages and gives their memory back. `now_ms` is of the clock that the messages have.
    pub(crate) fn expire(&self, now_ms: u64) {
        let mut ring = self.0.lock();
        let kept_from_ms = now_ms.saturating_sub(AGE_MAX_MS);
        while ring.messages.front().is_some_and(|kept| kept.kept_at_ms < kept_from_ms) {
            ring.forget_oldest();
        }
        let kept = 2 * ring.messages.len();
        ring.messages.shrink_to(kept);
    }
}

impl Ring {
    fn forget_oldest(&mut self) {
        if let Some(Kept { message, .. }) = self.messages.pop_front() {
            self.body_bytes -= message.body.len();
            self.after = message.sequence;
        }
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Class;

    use super::*;

    fn kept(sequence: u64, body: usize, kept_at_ms: u64) -> Kept {
        let message = Message {
            room: "r".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence::ZERO,
            class: Class::Chat,
            sender: None,
            id: None,
            to: None,
            at_ms: 1,
            trace: None,
            body: vec![b' '; body].into(),
        };
        Kept { kept_at_ms, message: Arc::new(message) }
    }

    fn read(recent: &Recent, after: u64, limit: usize) -> Option<Vec<u64>> {
        let messages = recent.read(Sequence(after), limit)?;
        Some(messages.iter().map(|message| message.sequence.0).collect())
    }

    #[test]
    fn messages_are_read_after_a_position_and_older_ones_are_left_to_the_file() {
        let recent = Recent::after(Sequence(10));
        assert_eq!(read(&recent, 9, 5), None);
        assert_eq!(read(&recent, 10, 5), Some(vec![]));
        recent.add([kept(11, 1, 0), kept(13, 1, 0), kept(14, 1, 0)].into_iter());
        assert_eq!(read(&recent, 10, 2), Some(vec![11, 13]));
        assert_eq!(read(&recent, 12, 9), Some(vec![13, 14]));
        assert_eq!(read(&recent, 14, 9), Some(vec![]));
        assert_eq!(read(&recent, 9, 9), None);
    }

    #[test]
    fn messages_beyond_the_bounds_are_left_to_the_file() {
        let recent = Recent::after(Sequence::ZERO);
        let count = MESSAGES_MAX as u64;
        recent.add((1..=count + 2).map(|sequence| kept(sequence, 1, 0)));
        assert_eq!(read(&recent, 1, 1), None);
        assert_eq!(read(&recent, 2, usize::MAX).unwrap().len(), MESSAGES_MAX);
        recent.add([kept(count + 3, BODY_BYTES_MAX, 0)].into_iter());
        assert_eq!(read(&recent, count + 1, 9), None);
        assert_eq!(read(&recent, count + 2, 9), Some(vec![count + 3]));
        recent.add([kept(count + 4, BODY_BYTES_MAX + 1, 0)].into_iter());
        assert_eq!(read(&recent, count + 3, 9), None);
        assert_eq!(read(&recent, count + 4, 9), Some(vec![]));
        assert_eq!(recent.0.lock().body_bytes, 0);
    }

    #[test]
    fn old_messages_are_forgotten_with_their_memory() {
        let recent = Recent::after(Sequence::ZERO);
        recent.add((1..=1_000).map(|sequence| kept(sequence, 1, sequence)));
        recent.expire(AGE_MAX_MS + 1_000);
        assert_eq!((read(&recent, 998, 9), read(&recent, 999, 9)), (None, Some(vec![1_000])));
        assert!(recent.0.lock().messages.capacity() < 100);
    }
}
