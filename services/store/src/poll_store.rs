//! The trait of polls, which both engines implement beside [`crate::Store`].

use async_trait::async_trait;
use barrage_protocol::poll::Poll;
use barrage_protocol::{MessageId, RoomId};

use crate::error::StoreError;
use crate::records::poll::{Cast, PollRecord, Vote};

/// Polls with one vote a user. Every call is one transaction, as in [`crate::Store`].
///
/// A vote that was answered as counted is in the result of its poll, whichever processes took votes
/// and closed the poll: a close waits for the casts that have begun, and later casts find it closed.
#[async_trait]
pub trait PollStore: Send + Sync {
    /// Stores a poll and returns it. A poll of the same room and id stays as it is, and is returned.
    /// Deletes the room's oldest polls beyond [`POLLS_PER_ROOM_MAX`] whose votes are swept.
    async fn open_poll(&self, room: &RoomId, poll: &Poll) -> Result<PollRecord, StoreError>;

    /// Counts each user's first vote in each poll. The answers are in the order of the votes.
    async fn cast_votes(&self, votes: &[Vote]) -> Result<Vec<Cast>, StoreError>;

    /// Closes a poll and returns its result; `None` when there is no such poll. The result of a poll
    /// that is closed already stays.
    async fn close_poll(
        &self,
        room: &RoomId,
        id: &MessageId,
        now_ms: u64,
    ) -> Result<Option<PollRecord>, StoreError>;

    /// Returns a poll with its votes so far; `None` when there is no such poll.
    async fn poll(&self, room: &RoomId, id: &MessageId) -> Result<Option<PollRecord>, StoreError>;

    /// Returns the last polls of a room, newest first.
    async fn polls(&self, room: &RoomId, limit: usize) -> Result<Vec<PollRecord>, StoreError>;

    /// Counts the single votes of a poll, to compare them with its sums; they are equal until the
    /// votes are swept.
    async fn single_votes(&self, room: &RoomId, id: &MessageId) -> Result<u64, StoreError>;

    /// Deletes up to `limit` single votes of one poll that was closed before `before_ms`; returns
    /// their number. Nobody can find out later who voted for what. The sums stay.
    async fn sweep_votes(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError>;
}

/// Polls of a room that the store keeps; the oldest beyond it are deleted.
pub const POLLS_PER_ROOM_MAX: usize = 100;
