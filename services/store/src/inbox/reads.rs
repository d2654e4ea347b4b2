//! Reads for uplinks: who may write to whom, members, and items as one reader sees them.

use async_trait::async_trait;
use barrage_inbox::{
    Conversation, ConversationId, ConversationNumber, Folder, Position, Role, User, UserNumber, WritePolicy,
};
use barrage_protocol::{Digest, Sequence, UserId};

use super::error::InboxError;
use super::push::PushStore;
use super::records::{Membership, StoredItem};
use super::reports::{NewReport, ReportRecord};
use super::store::InboxStore;

/// Maximum conversations whose items one call reads.
pub const WANTED_MAX: usize = 100;

/// Reads of the inbox that uplinks make beside those of [`InboxStore`] and [`PushStore`].
#[async_trait]
pub trait InboxReads: InboxStore + PushStore {
    /// Returns the secret of this inbox, which signs cursors. It was drawn when the tables were made, and
    /// other tables have another one.
    async fn secret(&self) -> Result<[u8; 32], InboxError>;

    /// Returns a user's row; `None` when the user has no inbox.
    async fn user(&self, user: &UserId) -> Result<Option<User>, InboxError>;

    /// Returns what the tables say about letters from one user to another.
    async fn terms(&self, from: &UserId, to: &UserId) -> Result<Terms, InboxError>;

    /// Returns a conversation; `None` when it does not exist.
    async fn conversation(&self, id: &ConversationId) -> Result<Option<Conversation>, InboxError>;

    /// Returns a user's row in a conversation; `None` for a user who never was in it.
    async fn membership(
        &self,
        user: &UserId,
        conversation: &ConversationId,
    ) -> Result<Option<Membership>, InboxError>;

    /// Returns members of a group in the order of their ids, behind `after`, at most `limit`. Those who have
    /// left are not among them; applicants and banned users are.
    async fn members(
        &self,
        group: &ConversationId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<GroupMember>, InboxError>;

    /// Returns how far the inbox has taken each lane that it knows, by lane.
    async fn marks(&self) -> Result<Vec<(u16, Sequence)>, InboxError>;

    /// Keeps a report, unless the reporter has an open one about the user in the conversation. Returns the id and
    /// whether it is new.
    async fn report(&self, report: &NewReport) -> Result<(u64, bool), InboxError>;

    /// Returns reports, the newest first: those with a smaller id than `before`, open or closed ones alone.
    async fn reports(
        &self,
        is_open: Option<bool>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ReportRecord>, InboxError>;

    /// Closes an open report. Returns whether it was open.
    async fn close_report(&self, id: u64, by: &str, at_ms: u64, note: &str) -> Result<bool, InboxError>;

    /// Returns whether an item that is neither recalled nor erased has a medium.
    async fn shows_medium(&self, digest: Digest) -> Result<bool, InboxError>;

    /// Removes the bodies of at most `limit` items that a user sent, which keep their positions and counts. Returns
    /// the number of items.
    async fn erase(&self, user: &UserId, limit: usize) -> Result<u64, InboxError>;

    /// Gives a user's row another id, if no row has that id. Returns whether it did; false for a user without a row,
    /// too.
    async fn rename(&self, user: &UserId, id: &UserId) -> Result<bool, InboxError>;

    /// Returns items of conversations that the reader has not hidden, at most `limit` of each, oldest first.
    /// At most [`WANTED_MAX`] conversations; further ones are left out.
    async fn shown(
        &self,
        reader: UserNumber,
        wanted: &[Wanted],
        from: End,
        limit: usize,
    ) -> Result<Vec<StoredItem>, InboxError>;
}

/// What the tables say about letters from one user to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// One of the two blocks the other.
    pub is_blocked: bool,
    /// Rule of the receiver.
    pub policy: WritePolicy,
    /// Folder of the receiver that shows the conversation; `None` before the first letter.
    pub folder: Option<Folder>,
    /// Letters that the sender has sent to the receiver.
    pub sent: u64,
}

/// A user in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// User in the group.
    pub user: UserId,
    /// Number of the user in the tables.
    pub number: UserNumber,
    /// Role of the user.
    pub role: Role,
}

/// Part of a conversation's items that a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Conversation of the items.
    pub conversation: ConversationNumber,
    /// The items are behind this position.
    pub after: Position,
    /// The items are before this position.
    pub before: Position,
}

/// End of a range that is read first, when the range has more items than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The oldest items of the range.
    Oldest,
    /// The newest items of the range.
    Newest,
}
