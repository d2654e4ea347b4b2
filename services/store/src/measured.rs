//! A store whose calls are timed.

use std::sync::Arc;

use async_trait::async_trait;
use barrage_protocol::poll::Poll;
use barrage_protocol::post::History;
use barrage_protocol::{Digest, MessageId, RoomId, Sequence};

use crate::account_store::AccountStore;
use crate::deliveries::DeliveryStore;
use crate::error::StoreError;
use crate::metrics::{Call, StoreMetrics};
use crate::poll_store::PollStore;
use crate::records::archive::{ArchiveEntry, HistoryRange};
use crate::records::audit::{AuditFilter, AuditLine, AuditRecord};
use crate::records::gift::GiftRecord;
use crate::records::poll::{Cast, PollRecord, Vote};
use crate::records::room::Room;
use crate::store::Store;

/// Times the calls of another store. A call that its caller drops is not counted.
#[derive(Debug)]
pub struct MeasuredStore {
    store: Arc<dyn Store>,
    metrics: StoreMetrics,
}

impl MeasuredStore {
    /// Wraps a store, whose calls are measured.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, metrics: StoreMetrics) -> Self {
        MeasuredStore { store, metrics }
    }

    async fn timed<T>(&self, call: Call, answer: impl Future<Output = T> + Send) -> T {
        let began = barrage_clock::now();
        let answer = answer.await;
        self.metrics.duration(call).observe(began.elapsed().as_secs_f64());
        answer
    }
}

#[async_trait]
impl Store for MeasuredStore {
    async fn put_room(&self, room: &Room) -> Result<(), StoreError> {
        self.timed(Call::PutRoom, self.store.put_room(room)).await
    }

    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        self.timed(Call::Room, self.store.room(id)).await
    }

    async fn gifts(
        &self,
        room: &RoomId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<GiftRecord>, StoreError> {
        self.timed(Call::Gifts, self.store.gifts(room, after, limit)).await
    }

    async fn append(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        self.timed(Call::Append, self.store.append(partition, entries)).await
    }

    async fn archived_up_to(&self, partition: u16) -> Result<Sequence, StoreError> {
        self.timed(Call::ArchivedUpTo, self.store.archived_up_to(partition)).await
    }

    async fn history(&self, room: &RoomId, range: HistoryRange, limit: usize) -> Result<History, StoreError> {
        self.timed(Call::History, self.store.history(room, range, limit)).await
    }

    async fn history_by_offset(
        &self,
        room: &RoomId,
        from_ms: u64,
        to_ms: u64,
        limit: usize,
    ) -> Result<History, StoreError> {
        let answer = self.store.history_by_offset(room, from_ms, to_ms, limit);
        self.timed(Call::HistoryByOffset, answer).await
    }

    /// Not timed: the collection of media asks a few times a minute.
    async fn shows_medium(&self, digest: Digest) -> Result<bool, StoreError> {
        self.store.shows_medium(digest).await
    }

    async fn delete_messages(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.timed(Call::DeleteMessages, self.store.delete_messages(before_ms, limit)).await
    }

    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        self.timed(Call::AppendAudit, self.store.append_audit(records)).await
    }

    async fn audit(
        &self,
        filter: AuditFilter<'_>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        self.timed(Call::Audit, self.store.audit(filter, before, limit)).await
    }

    async fn delete_audit(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.timed(Call::DeleteAudit, self.store.delete_audit(before_ms, limit)).await
    }

    /// Calls of webhooks are not timed: their own metrics show them.
    fn deliveries(&self) -> &dyn DeliveryStore {
        self.store.deliveries()
    }

    fn poll_store(&self) -> &dyn PollStore {
        self
    }

    /// Calls of accounts are not timed: a login waits for its password's hash, and they are rare.
    fn account_store(&self) -> &dyn AccountStore {
        self.store.account_store()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.timed(Call::Ping, self.store.ping()).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[async_trait]
impl PollStore for MeasuredStore {
    async fn open_poll(&self, room: &RoomId, poll: &Poll) -> Result<PollRecord, StoreError> {
        self.timed(Call::OpenPoll, self.store.poll_store().open_poll(room, poll)).await
    }

    async fn cast_votes(&self, votes: &[Vote]) -> Result<Vec<Cast>, StoreError> {
        self.timed(Call::CastVotes, self.store.poll_store().cast_votes(votes)).await
    }

    async fn close_poll(
        &self,
        room: &RoomId,
        id: &MessageId,
        now_ms: u64,
    ) -> Result<Option<PollRecord>, StoreError> {
        self.timed(Call::ClosePoll, self.store.poll_store().close_poll(room, id, now_ms)).await
    }

    async fn poll(&self, room: &RoomId, id: &MessageId) -> Result<Option<PollRecord>, StoreError> {
        self.timed(Call::Poll, self.store.poll_store().poll(room, id)).await
    }

    async fn polls(&self, room: &RoomId, limit: usize) -> Result<Vec<PollRecord>, StoreError> {
        self.timed(Call::Poll, self.store.poll_store().polls(room, limit)).await
    }

    async fn single_votes(&self, room: &RoomId, id: &MessageId) -> Result<u64, StoreError> {
        self.timed(Call::Poll, self.store.poll_store().single_votes(room, id)).await
    }

    async fn sweep_votes(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.timed(Call::SweepVotes, self.store.poll_store().sweep_votes(before_ms, limit)).await
    }
}
