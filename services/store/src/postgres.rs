//! The PostgreSQL engine: one database for a cluster, many processes.
//!
//! A commit is as durable as the server's `synchronous_commit` makes it; the
//! default, `on`, survives the loss of power. Connections that a restart of the
//! server broke are found by a ping before they are used, and replaced.

mod archive;
mod audits;
mod gifts;
mod mutes;
mod rooms;
mod value;

use std::io;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use barrage_protocol::post::History;
use barrage_protocol::{RoomId, Sequence, UserId};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use crate::{
    ArchiveEntry, AuditLine, AuditRecord, GiftRecord, GiftSum, HistoryRange, Mute, PostgresConfig, Room,
    Store, StoreError,
};

/// How long a connection that comes back may take to answer a ping, which also
/// undoes what its caller left unfinished; then it is closed. It is behind the
/// caller's back, so that it need not be short, but it holds a place in the pool.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

/// A store in a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
    call_timeout: Duration,
}

impl PostgresStore {
    /// Connects and migrates the database, which must exist. Several processes may
    /// do so at once: they migrate one after the other.
    pub async fn open(config: &PostgresConfig) -> Result<Self, StoreError> {
        let open = |error: sqlx::Error| StoreError::Open(error.into());
        let options =
            PgConnectOptions::from_str(config.url.expose()).map_err(open)?.application_name("barrage");
        let acquire_timeout = Duration::from_millis(config.acquire_timeout_ms);
        migrate(options.clone(), acquire_timeout).await?;
        // The server gives up when the caller has: what a vanished process locked is free
        // again, and an abandoned statement costs nothing more.
        let options = options.options([
            ("statement_timeout", config.call_timeout_ms),
            ("idle_in_transaction_session_timeout", config.call_timeout_ms),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(config.connections.max(1))
            .acquire_timeout(acquire_timeout)
            .after_release(|connection, _| Box::pin(settle(connection)))
            .connect_with(options)
            .await
            .map_err(open)?;
        Ok(PostgresStore { pool, call_timeout: Duration::from_millis(config.call_timeout_ms) })
    }

    /// A call that is not answered in time fails as retryable. Its connection is
    /// not trusted with another before it has answered a ping.
    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        tokio::time::timeout(self.call_timeout, call).await.unwrap_or_else(|_| Err(timed_out().into()))
    }
}

/// What an operator should know of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its version.
    pub version: String,
    /// Whether it writes to the disk what it says it wrote.
    pub fsync: bool,
    /// Whether it does so before it answers.
    pub synchronous_commit: bool,
    /// Newest migration of the database; 0 when it has none.
    pub migration: i64,
    /// Newest migration of this program.
    pub migration_known: i64,
}

/// Asks the server about itself; changes nothing.
pub async fn look(config: &PostgresConfig) -> Result<Seen, StoreError> {
    let open = |error: sqlx::Error| StoreError::Open(error.into());
    let options =
        PgConnectOptions::from_str(config.url.expose()).map_err(open)?.application_name("barrage doctor");
    let mut connection = PgConnection::connect_with(&options).await.map_err(open)?;
    let setting = "SELECT current_setting('server_version'), current_setting('fsync'), \
                   current_setting('synchronous_commit')";
    let (version, fsync, commit): (String, String, String) =
        sqlx::query_as(setting).fetch_one(&mut connection).await?;
    let migration = match sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut connection)
        .await?
    {
        false => 0,
        true => {
            sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success")
                .fetch_one(&mut connection)
                .await?
        }
    };
    connection.close().await?;
    let migration_known = crate::migrations::postgres().iter().map(|known| known.version).max().unwrap_or(0);
    let (fsync, synchronous_commit) = (fsync == "on", commit != "off");
    Ok(Seen { version, fsync, synchronous_commit, migration, migration_known })
}

/// On a connection of its own, without limits on the statements: a migration
/// takes as long as there are data to rewrite.
async fn migrate(options: PgConnectOptions, connect_timeout: Duration) -> Result<(), StoreError> {
    let connection = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(connect_timeout)
        .connect_with(options)
        .await
        .map_err(|error| StoreError::Open(error.into()))?;
    let migrated = crate::migrations::postgres().run(&connection).await;
    connection.close().await;
    migrated.map_err(|error| StoreError::Open(error.into()))
}

async fn settle(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let answer = tokio::time::timeout(RELEASE_WAIT, connection.ping()).await;
    answer.unwrap_or_else(|_| Err(timed_out())).map(|()| true)
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into())
}

#[async_trait]
impl Store for PostgresStore {
    async fn put_room(&self, room: &Room) -> Result<(), StoreError> {
        self.bounded(rooms::put(self, room)).await
    }

    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        self.bounded(rooms::get(self, id)).await
    }

    async fn rooms(&self, after: Option<&RoomId>, limit: usize) -> Result<Vec<Room>, StoreError> {
        self.bounded(rooms::list(self, after, limit)).await
    }

    async fn close_room(&self, id: &RoomId) -> Result<bool, StoreError> {
        self.bounded(rooms::close(self, id)).await
    }

    async fn mute(&self, mute: &Mute) -> Result<(), StoreError> {
        self.bounded(mutes::put(self, mute)).await
    }

    async fn unmute(&self, room: &RoomId, user: &UserId) -> Result<bool, StoreError> {
        self.bounded(mutes::remove(self, room, user)).await
    }

    async fn muted_until(
        &self,
        room: &RoomId,
        user: &UserId,
        now_ms: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.bounded(mutes::until(self, room, user, now_ms)).await
    }

    async fn active_mutes(
        &self,
        room: &RoomId,
        now_ms: u64,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<Mute>, StoreError> {
        self.bounded(mutes::active(self, room, now_ms, after, limit)).await
    }

    async fn delete_ended_mutes(&self, now_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.bounded(mutes::delete_ended(self, now_ms, limit)).await
    }

    async fn record_gifts(&self, gifts: &[GiftRecord]) -> Result<u64, StoreError> {
        self.bounded(gifts::record(self, gifts)).await
    }

    async fn gifts(
        &self,
        room: &RoomId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<GiftRecord>, StoreError> {
        self.bounded(gifts::list(self, room, after, limit)).await
    }

    async fn gift_sums(&self, room: &RoomId, user: Option<&UserId>) -> Result<Vec<GiftSum>, StoreError> {
        self.bounded(gifts::sums(self, room, user)).await
    }

    async fn gift_ranking(
        &self,
        room: &RoomId,
        currency: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(UserId, GiftSum)>, StoreError> {
        self.bounded(gifts::ranking(self, room, currency, limit)).await
    }

    async fn append(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        self.bounded(archive::append(self, partition, entries)).await
    }

    async fn archived_up_to(&self, partition: u16) -> Result<Sequence, StoreError> {
        self.bounded(archive::up_to(self, partition)).await
    }

    async fn history(&self, room: &RoomId, range: HistoryRange, limit: usize) -> Result<History, StoreError> {
        self.bounded(archive::history(self, room, range, limit)).await
    }

    async fn history_by_offset(
        &self,
        room: &RoomId,
        from_ms: u64,
        to_ms: u64,
        limit: usize,
    ) -> Result<History, StoreError> {
        self.bounded(archive::history_by_offset(self, room, from_ms, to_ms, limit)).await
    }

    async fn recall(&self, room: &RoomId, sequence: Sequence) -> Result<bool, StoreError> {
        self.bounded(archive::recall(self, room, sequence)).await
    }

    async fn delete_messages(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.bounded(archive::delete(self, before_ms, limit)).await
    }

    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        self.bounded(audits::append(self, records)).await
    }

    async fn audit(
        &self,
        room: Option<&RoomId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        self.bounded(audits::page(self, room, before, limit)).await
    }

    async fn delete_audit(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.bounded(audits::delete(self, before_ms, limit)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.bounded(async {
            sqlx::query("SELECT 1").execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
