//! Connections to the SQLite file, and the engine's primitives on them.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use barrage_protocol::{RoomId, UserId};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::archive;
use super::dialect::DIALECT;
use super::file::StoreFile;
use super::polls;
use crate::config::SqliteConfig;
use crate::error::StoreError;
use crate::migrations;
use crate::records::archive::ArchiveEntry;
use crate::records::audit::AuditRecord;
use crate::records::poll::{Cast, Vote};
use crate::sql::engine::{Dialect, Engine, Statement, Value, query};
use crate::sql::page::int;

const INSERT_AUDIT: &str =
    "INSERT INTO audit (at_ms, room, user, actor, action, detail) VALUES ($1, $2, $3, $4, $5, $6)";

/// A store in one SQLite file; clones share its connections.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    /// Connections for reading; they refuse to write.
    readers: SqlitePool,
    /// Pool of exactly one connection: SQLite has one writer at a time.
    writer: SqlitePool,
    file: StoreFile,
}

impl SqliteStore {
    /// Opens the file, creates it when it is absent, and migrates it. The folder must exist.
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
        // Processes that share the file migrate it one after the other.
        let migrating = lock(path).await?;
        let writer = pool(1)
            .connect_with(options.clone().create_if_missing(true))
            .await
            .map_err(|error| StoreError::Open(error.into()))?;
        migrations::sqlite().run(&writer).await.map_err(migrations::failed)?;
        drop(migrating);
        let readers = pool(config.readers.max(1))
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(|error| StoreError::Open(error.into()))?;
        file.check(&readers).await?;
        Ok(SqliteStore { readers, writer, file })
    }

    /// Reads a row, and writes a number that nothing reads, so that a read-only disk is detected.
    async fn read_and_write(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM archive_positions").execute(&self.readers).await?;
        // Writes the first page even when the number stays the same.
        sqlx::query("PRAGMA user_version = 1").execute(&self.writer).await?;
        Ok(())
    }

    /// Begins a transaction that holds the write lock from its start. A transaction that began with
    /// a read could be refused the lock when another process has written since.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn write_in_transaction(&self, statements: &[Statement<'_>]) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let mut changed = 0;
        for statement in statements {
            changed = query!(statement).execute(&mut *transaction).await?.rows_affected();
        }
        transaction.commit().await?;
        Ok(changed)
    }

    async fn cast_in_transaction(&self, votes: &[Vote]) -> Result<Vec<Cast>, StoreError> {
        let mut transaction = self.begin().await?;
        let answers = polls::cast(&mut transaction, votes).await?;
        transaction.commit().await?;
        Ok(answers)
    }

    async fn append_in_transaction(
        &self,
        partition: u16,
        entries: &[ArchiveEntry],
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let new = archive::append(&mut transaction, partition, entries).await?;
        transaction.commit().await?;
        Ok(new)
    }
}

/// Locks the creation and migration of the file; waits for the process that holds the lock.
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

fn audit_insert(record: &AuditRecord) -> Statement<'_> {
    Statement::new(
        INSERT_AUDIT,
        [
            Value::Int(int(record.at_ms)),
            Value::OptionalText(record.room.as_ref().map(RoomId::as_str)),
            Value::OptionalText(record.user.as_ref().map(UserId::as_str)),
            Value::text(&record.actor),
            Value::text(&record.action),
            Value::Text(record.detail.to_string().into()),
        ],
    )
}

impl Engine for SqliteStore {
    type Row = SqliteRow;

    const DIALECT: Dialect = DIALECT;

    fn storable(text: &str) -> Cow<'_, str> {
        Cow::Borrowed(text)
    }

    async fn read(&self, statement: Statement<'_>) -> Result<Vec<SqliteRow>, StoreError> {
        let found = query!(&statement).fetch_all(&self.readers).await;
        self.file.noted(found.map_err(StoreError::from))
    }

    async fn write(&self, statements: &[Statement<'_>]) -> Result<u64, StoreError> {
        self.file.noted(self.write_in_transaction(statements).await)
    }

    async fn append_batch(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        self.file.noted(self.append_in_transaction(partition, entries).await)
    }

    async fn insert_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let statements: Vec<_> = records.iter().map(audit_insert).collect();
        self.write(&statements).await.map(drop)
    }

    async fn cast_batch(&self, votes: &[Vote]) -> Result<Vec<Cast>, StoreError> {
        self.file.noted(self.cast_in_transaction(votes).await)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.file.is_usable()?;
        self.file.noted(self.read_and_write().await)
    }

    async fn shut_down(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
