//! Connections to PostgreSQL, and the engine's primitives on them.

use std::borrow::Cow;
use std::time::Duration;

use barrage_protocol::{RoomId, UserId};
use sqlx::PgPool;
use sqlx::postgres::PgRow;

use super::archive;
use super::dialect::{self, DIALECT};
use super::{polls, pool};
use crate::config::PostgresConfig;
use crate::error::StoreError;
use crate::migrations;
use crate::records::archive::ArchiveEntry;
use crate::records::audit::AuditRecord;
use crate::records::poll::{Cast, Vote};
use crate::sql::engine::{Dialect, Engine, Statement, query};
use crate::sql::page::int;

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
        let pool = pool::open(config, &migrations::postgres()).await.map_err(StoreError::Open)?;
        Ok(PostgresStore { pool, call_timeout: Duration::from_millis(config.call_timeout_ms) })
    }

    /// Fails a call that is not answered in time, as retryable. Its connection is not used for
    /// another call before it has answered a ping.
    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        tokio::time::timeout(self.call_timeout, call).await.unwrap_or_else(|_| Err(pool::timed_out().into()))
    }
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
