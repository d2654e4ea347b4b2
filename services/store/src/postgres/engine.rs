//! Connections to PostgreSQL, and the engine's primitives on them.

use std::borrow::Cow;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use barrage_protocol::{RoomId, UserId};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{Connection, PgConnection, PgPool};

use super::archive;
use super::dialect::{self, DIALECT};
use super::polls;
use crate::config::PostgresConfig;
use crate::error::StoreError;
use crate::migrations;
use crate::records::archive::ArchiveEntry;
use crate::records::audit::AuditRecord;
use crate::records::poll::{Cast, Vote};
use crate::sql::engine::{Dialect, Engine, Statement, query};
use crate::sql::page::int;

/// Longest wait for the ping of a connection that returns to the pool. The ping also rolls back
/// an unfinished transaction of its caller. No caller waits for it, but the connection occupies a slot
/// of the pool.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

/// A store in a PostgreSQL database; clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
    call_timeout: Duration,
}

impl PostgresStore {
    /// Connects to an existing database and migrates it. Several processes may do so at once: they
    /// migrate one after the other.
    pub async fn open(config: &PostgresConfig) -> Result<Self, StoreError> {
        let open = |error: sqlx::Error| StoreError::Open(error.into());
        let options =
            PgConnectOptions::from_str(config.url.expose()).map_err(open)?.application_name("barrage");
        let acquire_timeout = Duration::from_millis(config.acquire_timeout_ms);
        migrate(options.clone(), acquire_timeout).await?;
        // The server gives up together with the caller: locks of a vanished process are released,
        // and an abandoned statement costs nothing more.
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

    /// Fails a call that is not answered in time, as retryable. Its connection is not used for
    /// another call before it has answered a ping.
    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        tokio::time::timeout(self.call_timeout, call).await.unwrap_or_else(|_| Err(timed_out().into()))
    }
}

/// Migrates on a connection of its own, without limits on the statements: a migration takes as long
/// as there are data to rewrite.
async fn migrate(options: PgConnectOptions, connect_timeout: Duration) -> Result<(), StoreError> {
    let connection = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(connect_timeout)
        .connect_with(options)
        .await
        .map_err(|error| StoreError::Open(error.into()))?;
    let migrated = migrations::postgres().run(&connection).await;
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

impl Engine for PostgresStore {
    type Row = PgRow;

    const DIALECT: Dialect = DIALECT;

    fn storable(text: &str) -> Cow<'_, str> {
        dialect::storable(text)
    }

    async fn read(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, StoreError> {
        self.bounded(async { Ok(query!(&statement).fetch_all(&self.pool).await?) }).await
    }

    async fn write(&self, statements: &[Statement<'_>]) -> Result<u64, StoreError> {
        self.bounded(async {
            let mut transaction = self.pool.begin().await?;
            let mut changed = 0;
            for statement in statements {
                changed = query!(statement).execute(&mut *transaction).await?.rows_affected();
            }
            transaction.commit().await?;
            Ok(changed)
        })
        .await
    }

    async fn append_batch(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        self.bounded(archive::append(&self.pool, partition, entries)).await
    }

    async fn insert_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let all = |of: fn(&AuditRecord) -> Option<&str>| records.iter().map(of).collect::<Vec<_>>();
        let insert = sqlx::query(
            "INSERT INTO audit (at_ms, room, user_id, actor, action, detail)
             SELECT at_ms, room, user_id, actor, action, detail
             FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
                WITH ORDINALITY AS line (at_ms, room, user_id, actor, action, detail, place)
             ORDER BY place",
        )
        .bind(records.iter().map(|record| int(record.at_ms)).collect::<Vec<_>>())
        .bind(all(|record| record.room.as_ref().map(RoomId::as_str)))
        .bind(all(|record| record.user.as_ref().map(UserId::as_str)))
        .bind(records.iter().map(|record| Self::storable(&record.actor)).collect::<Vec<_>>())
        .bind(records.iter().map(|record| Self::storable(&record.action)).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.detail.to_string()).collect::<Vec<_>>());
        self.bounded(async { Ok(insert.execute(&self.pool).await.map(drop)?) }).await
    }

    async fn cast_batch(&self, votes: &[Vote]) -> Result<Vec<Cast>, StoreError> {
        self.bounded(polls::cast(&self.pool, votes)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.bounded(async { Ok(sqlx::query("SELECT 1").execute(&self.pool).await.map(drop)?) }).await
    }

    async fn shut_down(&self) {
        self.pool.close().await;
    }
}
