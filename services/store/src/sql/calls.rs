//! The calls of a store on top of an engine's primitives: written once for both engines.

use async_trait::async_trait;
use barrage_protocol::post::History;
use barrage_protocol::{Digest, RoomId, Sequence, UserId};

use super::engine::{Engine, Statement, Value};
use super::page::{int, rows};
use super::row;
use crate::account_store::AccountStore;
use crate::deliveries::DeliveryStore;
use crate::error::StoreError;
use crate::poll_store::PollStore;
use crate::records::archive::{ArchiveEntry, HistoryRange};
use crate::records::audit::{AuditFilter, AuditLine, AuditRecord};
use crate::records::gift::GiftRecord;
use crate::records::room::Room;
use crate::store::Store;

const PUT_ROOM: &str = "
    INSERT INTO rooms (id, title, created_at_ms, stream_started_at_ms, closed) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title,
        created_at_ms = excluded.created_at_ms,
        stream_started_at_ms = excluded.stream_started_at_ms,
        closed = excluded.closed";
const PUT_STREAM: &str = "INSERT INTO streams (room, started_at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const ROOM: &str = "SELECT * FROM rooms WHERE id = $1";
/// Everything that these rows hide is older than they are, and is deleted as well.
const DELETE_HIDDEN: &str = "DELETE FROM hidden WHERE at_ms < $1";
const ARCHIVED_UP_TO: &str = "SELECT sequence FROM archive_positions WHERE partition = $1";

#[async_trait]
impl<E: Engine + DeliveryStore> Store for E {
    async fn put_room(&self, room: &Room) -> Result<(), StoreError> {
        let (id, started) = (Value::text(room.id.as_str()), Value::Int(int(room.stream_started_at_ms)));
        let (title, created) = (Value::Text(E::storable(&room.title)), Value::Int(int(room.created_at_ms)));
        let put_room =
            Statement::new(PUT_ROOM, [id.clone(), title, created, started.clone(), Value::Flag(room.closed)]);
        self.write(&[put_room, Statement::new(PUT_STREAM, [id, started])]).await.map(drop)
    }

    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        let found = self.read(Statement::new(ROOM, [Value::text(id.as_str())])).await?;
        found.first().map(row::room).transpose()
    }

    async fn gifts(
        &self,
        room: &RoomId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<GiftRecord>, StoreError> {
        let values = [Value::text(room.as_str()), Value::Int(int(after.0)), Value::Int(rows(limit))];
        let found = self.read(Statement::new(E::DIALECT.gifts, values)).await?;
        found.iter().map(row::gift).collect()
    }

    async fn append(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        if entries.is_empty() { Ok(0) } else { self.append_batch(partition, entries).await }
    }

    async fn archived_up_to(&self, partition: u16) -> Result<Sequence, StoreError> {
        let found = self.read(Statement::new(ARCHIVED_UP_TO, [Value::Int(partition.into())])).await?;
        found.first().map_or(Ok(Sequence::ZERO), |found| Ok(Sequence(row::uint(found, "sequence")?)))
    }

    async fn history(&self, room: &RoomId, range: HistoryRange, limit: usize) -> Result<History, StoreError> {
        let (sql, position, is_newest_first) = match range {
            HistoryRange::After(sequence) => (E::DIALECT.history_after, int(sequence.0), false),
            HistoryRange::Before(sequence) => (E::DIALECT.history_before, int(sequence.0), true),
            HistoryRange::Latest => (E::DIALECT.history_before, i64::MAX, true),
            HistoryRange::MediaBefore(sequence) => (E::DIALECT.history_media, int(sequence.0), true),
        };
        let values = [Value::text(room.as_str()), Value::Int(position), one_more(limit)];
        let found = self.read(Statement::new(sql, values)).await?;
        let mut history = row::history(&found, limit)?;
        if is_newest_first {
            history.messages.reverse();
        }
        Ok(history)
    }

    async fn history_by_offset(
        &self,
        room: &RoomId,
        from_ms: u64,
        to_ms: u64,
        limit: usize,
    ) -> Result<History, StoreError> {
        let (from, to) = (Value::Int(int(from_ms)), Value::Int(int(to_ms)));
        let values = [Value::text(room.as_str()), from, to, one_more(limit)];
        let found = self.read(Statement::new(E::DIALECT.history_by_offset, values)).await?;
        row::history(&found, limit)
    }

    async fn shows_medium(&self, digest: Digest) -> Result<bool, StoreError> {
        let values = [Value::Text(digest.to_string().into())];
        Ok(!self.read(Statement::new(E::DIALECT.shows_medium, values)).await?.is_empty())
    }

    async fn delete_messages(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        let values = [Value::Int(int(before_ms)), Value::Int(rows(limit))];
        let delete = Statement::new(E::DIALECT.delete_messages, values);
        let deleted = self.write(&[delete]).await?;
        if deleted < u64::try_from(limit).unwrap_or(u64::MAX) {
            self.write(&[Statement::new(DELETE_HIDDEN, [Value::Int(int(before_ms))])]).await?;
        }
        Ok(deleted)
    }

    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        if records.is_empty() { Ok(()) } else { self.insert_audit(records).await }
    }

    async fn audit(
        &self,
        filter: AuditFilter<'_>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        let (before, limit) = (Value::Int(before.map_or(i64::MAX, int)), Value::Int(rows(limit)));
        let user = Value::OptionalText(filter.user.map(UserId::as_str));
        let (actor, action) = (Value::OptionalText(filter.actor), Value::OptionalText(filter.action));
        let statement = match filter.room {
            Some(room) => {
                let room = Value::text(room.as_str());
                Statement::new(E::DIALECT.audit_of_room, [room, before, limit, user, actor, action])
            }
            None => Statement::new(E::DIALECT.audit, [before, limit, user, actor, action]),
        };
        self.read(statement).await?.iter().map(row::audit_line).collect()
    }

    async fn delete_audit(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        let values = [Value::Int(int(before_ms)), Value::Int(rows(limit))];
        self.write(&[Statement::new(E::DIALECT.delete_audit, values)]).await
    }

    fn deliveries(&self) -> &dyn DeliveryStore {
        self
    }

    fn account_store(&self) -> &dyn AccountStore {
        self
    }

    fn poll_store(&self) -> &dyn PollStore {
        self
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.probe().await
    }

    async fn close(&self) {
        self.shut_down().await;
    }
}

/// One row more than the page, which shows whether there are more.
fn one_more(limit: usize) -> Value<'static> {
    Value::Int(rows(limit).saturating_add(1))
}
