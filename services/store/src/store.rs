//! The trait that both engines, SQLite and PostgreSQL, implement.

use async_trait::async_trait;
use barrage_protocol::post::History;
use barrage_protocol::{Digest, RoomId, Sequence};

use crate::account_store::AccountStore;
use crate::deliveries::DeliveryStore;
use crate::error::StoreError;
use crate::poll_store::PollStore;
use crate::records::archive::{ArchiveEntry, HistoryRange};
use crate::records::audit::{AuditFilter, AuditLine, AuditRecord};
use crate::records::gift::GiftRecord;
use crate::records::room::Room;

/// Business records. Every call is one transaction: it is durable when it returns, or it has no
/// effect. Every `limit` is clamped to 1 up to [`crate::HISTORY_LIMIT_MAX`].
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Creates or replaces a room. A new `stream_started_at_ms` begins a new stream; messages that
    /// were archived before keep their offsets.
    async fn put_room(&self, room: &Room) -> Result<(), StoreError>;

    /// Returns a room; `None` when it does not exist.
    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError>;

    /// Returns the gift ledger of a room in order, from after `after`.
    async fn gifts(
        &self,
        room: &RoomId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<GiftRecord>, StoreError>;

    /// Archives messages of one partition of the bus with their effects, and advances the
    /// partition's position, in one transaction. Messages and gifts that are stored already stay as
    /// they are. Returns the number of new messages.
    async fn append(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError>;

    /// Returns the greatest position of a partition that was ever appended. Retention does not lower
    /// it.
    async fn archived_up_to(&self, partition: u16) -> Result<Sequence, StoreError>;

    /// Returns a page of a room's history, oldest first, without messages that were recalled, purged or
    /// cleared, and without messages for single users. [`History::more`] refers to the direction of `range`.
    async fn history(&self, room: &RoomId, range: HistoryRange, limit: usize) -> Result<History, StoreError>;

    /// Returns messages between two offsets of the room's latest stream in milliseconds, `to_ms`
    /// excluded, in the order of offsets. The next page begins at the last offset, and repeats the
    /// messages at that offset.
    async fn history_by_offset(
        &self,
        room: &RoomId,
        from_ms: u64,
        to_ms: u64,
        limit: usize,
    ) -> Result<History, StoreError>;

    /// Returns whether a message that is neither recalled nor purged shows a medium.
    async fn shows_medium(&self, digest: Digest) -> Result<bool, StoreError>;

    /// Deletes up to `limit` messages that were accepted before `before_ms`, oldest first, and
    /// returns their number. Callers repeat it until it returns less than `limit`. The gift ledger
    /// stays.
    async fn delete_messages(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError>;

    /// Appends records to the audit log in their order, all or none.
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError>;

    /// Returns a page of the audit lines that meet `filter`, newest first. `before` is the last id of
    /// the previous page.
    async fn audit(
        &self,
        filter: AuditFilter<'_>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, StoreError>;

    /// Deletes up to `limit` audit lines from before `before_ms`, oldest first, and returns their
    /// number.
    async fn delete_audit(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError>;

    /// Returns the deliveries of webhooks, which are in the same database.
    fn deliveries(&self) -> &dyn DeliveryStore;

    /// Returns the polls, which are in the same database.
    fn poll_store(&self) -> &dyn PollStore;

    /// Returns the accounts of people, which are in the same database.
    fn account_store(&self) -> &dyn AccountStore;

    /// Returns whether the database can be read and, if it is a file, written, for readiness checks.
    /// Writes a few bytes.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Finishes calls in flight and closes. Later calls fail.
    async fn close(&self);
}
