//! Connections to the database, and the calls of the trait on them.

use std::time::Duration;

use async_trait::async_trait;
use barrage_inbox::{
    Changes, Conversation, ConversationId, ConversationNumber, Entry, Needs, User, UserNumber, plan,
};
use barrage_protocol::{Sequence, UserId};
use sqlx::PgPool;

use super::{ask, load, read, write};
use crate::config::PostgresConfig;
use crate::inbox::error::InboxError;
use crate::inbox::reads::{End, GroupMember, InboxReads, Terms, Wanted};
use crate::inbox::records::{Away, AwayRange, ItemRange, Membership, StoredItem};
use crate::inbox::store::{InboxStore, check};
use crate::migrations;
use crate::postgres::pool;

/// Table of the migrations: the archive may be in the same database, and has migrations of its own.
const MIGRATIONS_TABLE: &str = "_inbox_migrations";

/// An inbox in a PostgreSQL database; clones share its connections.
#[derive(Debug, Clone)]
pub struct PostgresInbox {
    pool: PgPool,
    call_timeout: Duration,
}

impl PostgresInbox {
    /// Connects and migrates. The database must exist.
    pub async fn open(config: &PostgresConfig) -> Result<Self, InboxError> {
        let mut migrator = migrations::postgres_inbox();
        migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
        let pool = pool::open(config, &migrator).await.map_err(InboxError::Open)?;
        Ok(PostgresInbox { pool, call_timeout: Duration::from_millis(config.call_timeout_ms) })
    }

    /// Bounds the time of a call with its wait for a connection.
    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, InboxError>> + Send,
    ) -> Result<T, InboxError> {
        let ended = tokio::time::timeout(self.call_timeout, call).await;
        ended.unwrap_or_else(|_| Err(pool::timed_out().into()))
    }

    async fn project_in_transaction(
        &self,
        lane: u16,
        after: Sequence,
        up_to: Sequence,
        entries: &[Entry],
    ) -> Result<Changes, InboxError> {
        let needs = Needs::of(entries);
        // In a transaction of its own, which holds no other lock: couriers of two lanes may create the same
        // users. A user without a version has no inbox.
        write::new_users(&self.pool, &needs).await?;
        let mut transaction = self.pool.begin().await?;
        write::move_mark(&mut transaction, lane, after, up_to).await?;
        let changes = plan(load::rows(&mut transaction, &needs).await?, entries);
        write::changes(&mut transaction, &changes).await?;
        transaction.commit().await?;
        Ok(changes)
    }
}

#[async_trait]
impl InboxStore for PostgresInbox {
    async fn mark(&self, lane: u16) -> Result<Sequence, InboxError> {
        self.bounded(read::mark(&self.pool, lane)).await
    }

    async fn project(
        &self,
        lane: u16,
        after: Sequence,
        up_to: Sequence,
        entries: &[Entry],
    ) -> Result<Changes, InboxError> {
        check(after, up_to, entries)?;
        self.bounded(Box::pin(self.project_in_transaction(lane, after, up_to, entries))).await
    }

    async fn away(&self, user: &UserId, range: AwayRange, limit: usize) -> Result<Option<Away>, InboxError> {
        self.bounded(Box::pin(read::away(&self.pool, user, range, limit))).await
    }

    async fn items(
        &self,
        conversation: &ConversationId,
        range: ItemRange,
        limit: usize,
    ) -> Result<Vec<StoredItem>, InboxError> {
        self.bounded(read::items(&self.pool, conversation, range, limit)).await
    }

    async fn present(&self, group: ConversationNumber) -> Result<Vec<UserId>, InboxError> {
        self.bounded(read::present(&self.pool, group)).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl InboxReads for PostgresInbox {
    async fn secret(&self) -> Result<[u8; 32], InboxError> {
        self.bounded(ask::secret(&self.pool)).await
    }

    async fn marks(&self) -> Result<Vec<(u16, Sequence)>, InboxError> {
        self.bounded(read::marks(&self.pool)).await
    }

    async fn user(&self, user: &UserId) -> Result<Option<User>, InboxError> {
        self.bounded(ask::user(&self.pool, user)).await
    }

    async fn terms(&self, from: &UserId, to: &UserId) -> Result<Terms, InboxError> {
        self.bounded(ask::terms(&self.pool, from, to)).await
    }

    async fn conversation(&self, id: &ConversationId) -> Result<Option<Conversation>, InboxError> {
        self.bounded(ask::conversation(&self.pool, id)).await
    }

    async fn membership(
        &self,
        user: &UserId,
        conversation: &ConversationId,
    ) -> Result<Option<Membership>, InboxError> {
        self.bounded(ask::membership(&self.pool, user, conversation)).await
    }

    async fn members(
        &self,
        group: &ConversationId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<GroupMember>, InboxError> {
        self.bounded(ask::members(&self.pool, group, after, limit)).await
    }

    async fn shown(
        &self,
        reader: UserNumber,
        wanted: &[Wanted],
        from: End,
        limit: usize,
    ) -> Result<Vec<StoredItem>, InboxError> {
        self.bounded(ask::shown(&self.pool, reader, wanted, from, limit)).await
    }
}
