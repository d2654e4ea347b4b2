//! The law of unread: a number is the difference of two counters, and nothing counts it up or down.
//!
//! `unread = (head.count - read.count) - (own_count - own_read)`: the countable items after the place that
//! the member has read, without the member's own.

use serde::{Deserialize, Serialize};

/// Position of an item in its conversation: dense, from 1. 0 is the place before the first item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

/// Version of a user's inbox. Each batch that changes the inbox raises it by 1, so that it has no gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

/// A place in a conversation: the position of an item, and the countable items up to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Position of the item.
    pub position: Position,
    /// Countable items up to this position, the item included.
    pub count: u64,
}

/// A place that a member reads up to, with what the member had sent by then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadMark {
    /// Place in the conversation.
    pub at: Mark,
    /// Countable items of the member up to that place.
    pub own: u64,
}

/// Counters of one member of one conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Place up to which the member has read.
    pub read: Mark,
    /// Countable items that the member has sent.
    pub own_count: u64,
    /// Countable items that the member had sent up to `read`.
    pub own_read: u64,
}

impl Counters {
    /// Returns the counters of a member who has read everything up to `head`.
    #[must_use]
    pub fn at_head(head: Mark, own_count: u64) -> Self {
        Counters { read: head, own_count, own_read: own_count }
    }

    /// Returns the number of unread items before `head`.
    #[must_use]
    pub fn unread(&self, head: Mark) -> u64 {
        let after_read = head.count.saturating_sub(self.read.count);
        after_read.saturating_sub(self.own_count.saturating_sub(self.own_read))
    }

    /// Moves the read place forward. A place before the present one changes nothing. Returns whether
    /// the place moved.
    pub fn read_to(&mut self, mark: ReadMark) -> bool {
        if mark.at.position <= self.read.position {
            return false;
        }
        self.read = mark.at;
        self.own_read = mark.own;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(position: u64, count: u64) -> Mark {
        Mark { position: Position(position), count }
    }

    #[test]
    fn own_items_are_never_unread_and_sending_does_not_read() {
        // Positions: 1 other, 2 own, 3 a recall (not countable), 4 other, 5 own.
        let mut counters = Counters { own_count: 2, ..Counters::default() };
        assert_eq!(counters.unread(mark(5, 4)), 2);
        assert!(counters.read_to(ReadMark { at: mark(2, 2), own: 1 }));
        assert_eq!(counters.unread(mark(5, 4)), 1);
        assert!(counters.read_to(ReadMark { at: mark(5, 4), own: 2 }));
        assert_eq!(counters.unread(mark(5, 4)), 0);
    }

    #[test]
    fn read_place_never_moves_back() {
        let mut counters = Counters::at_head(mark(5, 4), 2);
        assert!(!counters.read_to(ReadMark { at: mark(1, 1), own: 0 }));
        assert_eq!(counters, Counters::at_head(mark(5, 4), 2));
    }
}
