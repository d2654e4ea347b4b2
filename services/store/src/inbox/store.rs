//! The trait that both engines of the inbox implement.

use async_trait::async_trait;
use barrage_inbox::{Changes, ConversationId, ConversationNumber, Entry, UserNumber};
use barrage_protocol::{Sequence, UserId};

use super::error::InboxError;
use super::records::{Away, AwayRange, ItemRange, StoredItem};
use super::recount::Recount;
use super::retention::Oldest;

/// Maximum number of events in one batch.
pub const BATCH_MAX: usize = 1_000;
/// Maximum number of rows of each kind in one [`Away`].
pub const AWAY_ROWS_MAX: usize = 1_000;

/// The tables of the inbox. One transaction a call: it is durable when the call returns, or it has no effect.
#[async_trait]
pub trait InboxStore: Send + Sync + std::fmt::Debug {
    /// Returns the position up to which a lane is in the tables; zero for a new lane.
    async fn mark(&self, lane: u16) -> Result<Sequence, InboxError>;

    /// Takes a batch of a lane: decides about its events, writes their rows, and moves the lane's position
    /// from `after` to `up_to`. Fails as [`InboxError::Fenced`] when the lane is elsewhere. Entries are in the
    /// order of the lane, behind `after` and up to `up_to`; events that cannot be read are not among them.
    async fn project(
        &self,
        lane: u16,
        after: Sequence,
        up_to: Sequence,
        entries: &[Entry],
    ) -> Result<Changes, InboxError>;

    /// Returns what a user's inbox has got after a version, in one snapshot: at most `limit` rows of each
    /// kind, the newest first. `None` when the user has no inbox. Version 0 returns everything.
    async fn away(&self, user: &UserId, range: AwayRange, limit: usize) -> Result<Option<Away>, InboxError>;

    /// Returns items of a conversation by position, at most `limit`, oldest first. The caller checks what the
    /// reader may read.
    async fn items(
        &self,
        conversation: &ConversationId,
        range: ItemRange,
        limit: usize,
    ) -> Result<Vec<StoredItem>, InboxError>;

    /// Returns the users who are in a group now, at most [`barrage_inbox::MEMBERS_MAX`], in no order.
    async fn present(&self, group: ConversationNumber) -> Result<Vec<UserId>, InboxError>;

    /// Recounts the unread numbers of the first user whose number is not below `from`. `None` behind the last user.
    async fn recount(&self, from: UserNumber) -> Result<Option<Recount>, InboxError>;

    /// Returns conversations in the order of their numbers, behind one, with the times of their oldest items.
    async fn oldest(&self, after: ConversationNumber, limit: usize) -> Result<Vec<Oldest>, InboxError>;

    /// Removes the oldest items of a conversation that were accepted before a Unix time in milliseconds, at most
    /// [`crate::TRIM_MAX`], and moves the read places of those who have not read them. Returns the number of items.
    /// Fails as [`InboxError::Fenced`] when the conversation's lane is not at `at`.
    async fn trim(
        &self,
        lane: u16,
        at: Sequence,
        conversation: ConversationNumber,
        before_ms: u64,
    ) -> Result<u64, InboxError>;

    /// Removes reports from before a Unix time in milliseconds. Returns their number.
    async fn forget_reports(&self, before_ms: u64) -> Result<u64, InboxError>;

    /// Finishes calls in flight and closes. Later calls fail.
    async fn close(&self);
}

/// Checks the order and size of a batch.
pub(super) fn check(after: Sequence, up_to: Sequence, entries: &[Entry]) -> Result<(), InboxError> {
    if entries.len() > BATCH_MAX {
        return Err(InboxError::Unacceptable("it has more than 1,000 events"));
    }
    let mut last = after;
    for entry in entries {
        if entry.sequence <= last {
            return Err(InboxError::Unacceptable("its events are not in the order of the lane"));
        }
        last = entry.sequence;
    }
    if up_to < last || up_to <= after || up_to > Sequence::MAX {
        return Err(InboxError::Unacceptable("its events are not before its end"));
    }
    Ok(())
}
