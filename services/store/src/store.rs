//! The trait that every engine implements.

use async_trait::async_trait;
use barrage_protocol::post::History;
use barrage_protocol::{RoomId, Sequence, UserId};

use crate::{
    ArchiveEntry, AuditLine, AuditRecord, GiftRecord, GiftSum, HistoryRange, Mute, Room, StoreError,
};

/// Business records. Every call is one transaction: it happened durably, or
/// not at all. Every `limit` is lowered to [`crate::HISTORY_LIMIT_MAX`] and
/// raised to 1.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Creates the room or replaces what is known of it. A new
    /// `stream_started_at_ms` begins a new stream; messages archived before keep
    /// their offsets.
    async fn put_room(&self, room: &Room) -> Result<(), StoreError>;

    /// The room, if it exists.
    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError>;

    /// Rooms in the order of their ids, from after `after`.
    async fn rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Vec<Room>, StoreError>;

    /// Marks the room closed; `false` when there is no such room.
    async fn close_room(&self, id: &RoomId) -> Result<bool, StoreError>;

    /// Mutes, or replaces the end of a mute.
    async fn mute(&self, mute: &Mute) -> Result<(), StoreError>;

    /// Lifts a mute; `false` when there was none.
    async fn unmute(&self, room: &RoomId, user: &UserId) -> Result<bool, StoreError>;

    /// When the user may speak again, in Unix milliseconds; `None` when now.
    async fn muted_until(&self, room: &RoomId, user: &UserId, now_ms: u64)
    -> Result<Option<u64>, StoreError>;

    /// Mutes that hold at `now_ms`, in the order of the users' ids, from after
    /// `after`.
    async fn active_mutes(
        &self,
        room: &RoomId,
        now_ms: u64,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Mute>, StoreError>;

    /// Deletes up to `limit` mutes that ended before `now_ms`; returns how many.
    async fn delete_ended_mutes(&self, now_ms: u64, limit: usize) -> Result<u64, StoreError>;

    /// Records gifts that have no archived message; those whose room and sequence
    /// are in the ledger already are left as they are. Returns how many were new.
    async fn record_gifts(&self, gifts: &[GiftRecord]) -> Result<u64, StoreError>;

    /// The room's ledger in order, from after `after`.
    async fn gifts(
        &self,
        room: &RoomId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<GiftRecord>, StoreError>;

    /// What was paid in the room, or by one user there: one sum per currency, at
    /// most [`crate::HISTORY_LIMIT_MAX`] of them, the platform's coin first.
    async fn gift_sums(&self, room: &RoomId, user: Option<&UserId>) -> Result<Vec<GiftSum>, StoreError>;

    /// Who paid most in one currency (`None`: the platform's coin), greatest
    /// first.
    async fn gift_ranking(
        &self,
        room: &RoomId,
        currency: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(UserId, GiftSum)>, StoreError>;

    /// Keeps the messages, all of one partition of the bus, with their effects and
    /// moves that partition's high-water position, in one transaction. Messages
    /// already kept are left as they are. Returns how many were new.
    async fn append(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError>;

    /// The greatest position ever appended of a partition; retention does not lower
    /// it.
    async fn archived_up_to(&self, partition: u16) -> Result<Sequence, StoreError>;

    /// A page of the room's history, oldest first, without what was recalled or
    /// meant for one user. `more` speaks of the direction asked.
    async fn history(&self, room: &RoomId, range: HistoryRange, limit: usize) -> Result<History, StoreError>;

    /// What was said between two offsets of the room's latest stream, in
    /// milliseconds, `to_ms` exclusive; by offset. For the next page ask from the
    /// last offset and leave out what is known.
    async fn history_by_offset(
        &self,
        room: &RoomId,
        from_ms: u64,
        to_ms: u64,
        limit: usize,
    ) -> Result<History, StoreError>;

    /// Hides a message of this room from history; `false` when it keeps none
    /// there. A gift's ledger row stays.
    async fn recall(&self, room: &RoomId, sequence: Sequence) -> Result<bool, StoreError>;

    /// Deletes up to `limit` archived messages accepted before `before_ms`,
    /// oldest first; returns how many. Call until it returns less than `limit`.
    /// The gift ledger is not touched.
    async fn delete_messages(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError>;

    /// Adds to the audit log.
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError>;

    /// A page of the audit log, newest first, of one room or of all; `before` is the
    /// last page's last id.
    async fn audit(
        &self,
        room: Option<&RoomId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, StoreError>;

    /// Deletes up to `limit` lines from before `before_ms`, oldest first; returns
    /// how many.
    async fn delete_audit(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError>;

    /// Whether the database can be read and, if it is a file, written; for readiness checks.
    /// It writes a few bytes.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Finishes what is under way and closes; later calls fail.
    async fn close(&self);
}
