//! The SQLite engine: one file, one process.
//!
//! Writes pass one connection, so they are serialised by waiting in line rather
//! than by failing as busy; readers have their own and never wait for a writer,
//! thanks to the write-ahead log. `synchronous = FULL` makes a commit survive
//! the loss of power, not only of the process.

mod archive;
mod audits;
mod file;
mod gifts;
mod mutes;
mod rooms;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use barrage_protocol::post::History;
use barrage_protocol::{RoomId, Sequence, UserId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use self::file::StoreFile;
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
    file: StoreFile,
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
        let file = StoreFile::open(path).map_err(|error| StoreError::Open(error.into()))?;
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
        file.check(&readers).await?;
        Ok(SqliteStore { readers, writer, file })
    }

    /// Reads a row, and writes a number that nothing reads, so that a read-only disk shows.
    async fn probe(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM archive_positions").execute(&self.readers).await?;
        // Writes the first page, also when the number stays the same.
        sqlx::query("PRAGMA user_version = 1").execute(&self.writer).await?;
        Ok(())
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
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
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
        self.file.noted(rooms::put(self, room).await)
    }

    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        self.file.noted(rooms::get(self, id).await)
    }

    async fn rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Vec<Room>, StoreError> {
        self.file.noted(rooms::list(self, after, limit).await)
    }

    async fn close_room(&self, id: &RoomId) -> Result<bool, StoreError> {
        self.file.noted(rooms::close(self, id).await)
    }

    async fn mute(&self, mute: &Mute) -> Result<(), StoreError> {
        self.file.noted(mutes::put(self, mute).await)
    }

    async fn unmute(&self, room: &RoomId, user: &UserId) -> Result<bool, StoreError> {
        self.file.noted(mutes::remove(self, room, user).await)
    }

    async fn muted_until(
        &self,
        room: &RoomId,
        user: &UserId,
        now_ms: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.file.noted(mutes::until(self, room, user, now_ms).await)
    }

    async fn active_mutes(
        &self,
        room: &RoomId,
        now_ms: u64,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Mute>, StoreError> {
        self.file.noted(mutes::active(self, room, now_ms, after, limit).await)
    }

    async fn delete_ended_mutes(&self, now_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.file.noted(mutes::delete_ended(self, now_ms, limit).await)
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
        self.file.noted(gifts::list(self, room, after, limit).await)
    }

    async fn gift_sums(&self, room: &RoomId, user: Option<&UserId>) -> Result<Vec<GiftSum>, StoreError> {
        self.file.noted(gifts::sums(self, room, user).await)
    }

    async fn gift_ranking(
        &self,
        room: &RoomId,
        currency: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(UserId, GiftSum)>, StoreError> {
        self.file.noted(gifts::ranking(self, room, currency, limit).await)
    }

    async fn append(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        self.file.noted(archive::append(self, partition, entries).await)
    }

    async fn archived_up_to(&self, partition: u16) -> Result<Sequence, StoreError> {
        self.file.noted(archive::up_to(self, partition).await)
    }

    async fn history(&self, room: &RoomId, range: HistoryRange, limit: usize) -> Result<History, StoreError> {
        self.file.noted(archive::history(self, room, range, limit).await)
    }

    async fn history_by_offset(
        &self,
        room: &RoomId,
        from_ms: u64,
        to_ms: u64,
        limit: usize,
    ) -> Result<History, StoreError> {
        self.file.noted(archive::history_by_offset(self, room, from_ms, to_ms, limit).await)
    }

    async fn recall(&self, room: &RoomId, sequence: Sequence) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let found = archive::recall(&mut transaction, room, sequence).await?;
        transaction.commit().await?;
        Ok(found)
    }

    async fn delete_messages(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.file.noted(archive::delete(self, before_ms, limit).await)
    }

    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        self.file.noted(audits::append(self, records).await)
    }

    async fn audit(
        &self,
        room: Option<&RoomId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        self.file.noted(audits::page(self, room, before, limit).await)
    }

    async fn delete_audit(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.file.noted(audits::delete(self, before_ms, limit).await)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.file.is_usable()?;
        self.file.noted(self.probe().await)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
