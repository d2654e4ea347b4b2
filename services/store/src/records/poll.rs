//! Polls, their votes and their results.

use barrage_protocol::poll::{Poll, PollView};
use barrage_protocol::{MessageId, RoomId, UserId};

/// One vote of a user, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Room of the poll.
    pub room: RoomId,
    /// Id of the poll.
    pub poll: MessageId,
    /// User who votes, once in each poll.
    pub voter: UserId,
    /// Number of the option, from 1. The caller has checked that the poll has it.
    pub option: u8,
}

/// Fate of one vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// The vote counts, and is durable.
    Counted,
    /// The user had voted before, for this option.
    Already(u8),
    /// The poll is closed: the vote does not count.
    Closed,
    /// The store has no such poll.
    Unknown,
}

/// A poll as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollRecord {
    /// The poll as viewers see it.
    pub poll: Poll,
    /// Votes by option, in the order of the options.
    pub votes: Vec<u64>,
    /// End of the voting in Unix milliseconds; `None` while the poll runs.
    pub closed_at_ms: Option<u64>,
}

impl PollRecord {
    /// Returns the form in which clients get the poll.
    #[must_use]
    pub fn into_view(self) -> PollView {
        PollView { poll: self.poll, votes: self.votes, closed_ms: self.closed_at_ms }
    }
}
