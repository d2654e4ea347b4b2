//! The SQLite engine: one file, one process.
//!
//! Writes pass one connection, so they are serialised by waiting in line rather
//! than by failing as busy; readers have their own and never wait for a writer,
//! thanks to the write-ahead log. `synchronous = FULL` makes a commit survive
//! the loss of power, not only of the process.

mod archive;
mod audits;
mod gifts;
mod mutes;
mod rooms;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use barrage_protocol::post::History;
use barrage_protocol::{RoomId, Sequence, UserId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::{
    ArchiveEntry, AuditLine, AuditRecord, GiftRecord, GiftSum, HistoryRange, Mute, Room, SqliteConfig, Store,
    StoreError,
};

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    /// Any of these may read; they refuse to write.
    readers: SqlitePool,
    /// Exactly one connection.
    writer: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, creates it if there is none, and migrates it. The folder
    /// must exist.
    pub async fn open(path: &Path, config: &SqliteConfig) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_millis(config.busy_timeout_ms));
        let pool = |connections: u32| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        };
        // Processes that share the file bring it to this version one after the other.
        let migrating = lock(path).await?;
        let writer = pool(1)
            .connect_with(options.clone().create_if_missing(true))
            .await
            .map_err(|error| StoreError::Open(error.into()))?;
        crate::migrations::sqlite().run(&writer).await.map_err(|error| StoreError::Open(error.into()))?;
        drop(migrating);
        let readers = pool(config.readers.max(1))
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(|error| StoreError::Open(error.into()))?;
        Ok(SqliteStore { readers, writer })
    }

    /// A transaction that holds the write lock from its start: one that began
    /// with a read could be refused the lock when another process wrote since.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Held while the file is made or migrated; waits for whoever holds it.
async fn lock(path: &Path) -> Result<std::fs::File, StoreError> {
    let path = path.with_extension("lock");
    let lock = move || {
        let file = std::fs::File::create(path)?;
        file.lock()?;
        Ok(file)
    };
    let locked: std::io::Result<_> =
        tokio::task::spawn_blocking(lock).await.map_err(std::io::Error::other).flatten();
    locked.map_err(|error| StoreError::Open(error.into()))
}

#[async_trait]
impl Store for SqliteStore {
    async fn put_room(&self, room: &Room) -> Result<(), StoreError> {
        rooms::put(self, room).await
    }

    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        rooms::get(self, id).await
    }

    async fn rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Vec<Room>, StoreError> {
        rooms::list(self, after, limit).await
    }

    async fn close_room(&self, id: &RoomId) -> Result<bool, StoreError> {
        rooms::close(self, id).await
    }

    async fn mute(&self, mute: &Mute) -> Result<(), StoreError> {
        mutes::put(self, mute).await
    }

    async fn unmute(&self, room: &RoomId, user: &UserId) -> Result<bool, StoreError> {
        mutes::remove(self, room, user).await
    }

    async fn muted_until(
        &self,
        room: &RoomId,
        user: &UserId,
        now_ms: u64,
    ) -> Result<Option<u64>, StoreError> {
        mutes::until(self, room, user, now_ms).await
    }

    async fn active_mutes(
        &self,
        room: &RoomId,
        now_ms: u64,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Mute>, StoreError> {
        mutes::active(self, room, now_ms, after, limit).await
    }

    async fn delete_ended_mutes(&self, now_ms: u64, limit: usize) -> Result<u64, StoreError> {
        mutes::delete_ended(self, now_ms, limit).await
    }

    async fn record_gifts(&self, gifts: &[GiftRecord]) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let new = gifts::insert(&mut transaction, gifts.iter()).await?;
        transaction.commit().await?;
        Ok(new)
    }

    async fn gifts(
        &self,
        room: &RoomId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<GiftRecord>, StoreError> {
        gifts::list(self, room, after, limit).await
    }

    async fn gift_sums(&self, room: &RoomId, user: Option<&UserId>) -> Result<Vec<GiftSum>, StoreError> {
        gifts::sums(self, room, user).await
    }

    async fn gift_ranking(
        &self,
        room: &RoomId,
        currency: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(UserId, GiftSum)>, StoreError> {
        gifts::ranking(self, room, currency, limit).await
    }

    async fn append(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        archive::append(self, partition, entries).await
    }

    async fn archived_up_to(&self, partition: u16) -> Result<Sequence, StoreError> {
        archive::up_to(self, partition).await
    }

    async fn history(&self, room: &RoomId, range: HistoryRange, limit: usize) -> Result<History, StoreError> {
        archive::history(self, room, range, limit).await
    }

    async fn history_by_offset(
        &self,
        room: &RoomId,
        from_ms: u64,
        to_ms: u64,
        limit: usize,
    ) -> Result<History, StoreError> {
        archive::history_by_offset(self, room, from_ms, to_ms, limit).await
    }

    async fn recall(&self, room: &RoomId, sequence: Sequence) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let found = archive::recall(&mut transaction, room, sequence).await?;
        transaction.commit().await?;
        Ok(found)
    }

    async fn delete_messages(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        archive::delete(self, before_ms, limit).await
    }

    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        audits::append(self, records).await
    }

    async fn audit(
        &self,
        room: Option<&RoomId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        audits::page(self, room, before, limit).await
    }

    async fn delete_audit(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        audits::delete(self, before_ms, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
