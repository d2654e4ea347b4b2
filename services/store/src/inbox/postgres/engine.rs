//! Connections to the database, and the calls of the trait on them.

use std::time::Duration;

use async_trait::async_trait;
use barrage_inbox::{
    Changes, Conversation, ConversationId, ConversationNumber, Entry, Needs, User, UserNumber, plan,
};
use barrage_protocol::{Digest, Sequence, UserId};
use sqlx::PgPool;

use super::{ask, audit, erase, load, push, read, reports, trim, write};
use crate::config::PostgresConfig;
use crate::inbox::error::InboxError;
use crate::inbox::push::{calls, lowered};
use crate::inbox::reads::{End, GroupMember, InboxReads, Terms, Wanted};
use crate::inbox::records::{Away, AwayRange, ItemRange, Membership, StoredItem};
use crate::inbox::recount::Recount;
use crate::inbox::reports::{NewReport, ReportRecord};
use crate::inbox::retention::Oldest;
use crate::inbox::store::{InboxStore, check};
use crate::migrations;
use crate::postgres::pool;

/// Table of the migrations: the archive may be in the same database, and has migrations of its own.
const MIGRATIONS_TABLE: &str = "_inbox_migrations";

/// An inbox in a PostgreSQL database; clones share its connections.
#[derive(Debug, Clone)]
pub struct PostgresInbox {
    pub(super) pool: PgPool,
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

    /// Connects and changes nothing. `None` when the database has no inbox.
    pub async fn look(config: &PostgresConfig) -> Result<Option<Self>, InboxError> {
        let pool = pool::look(config).await.map_err(InboxError::Open)?;
        let store = PostgresInbox { pool, call_timeout: Duration::from_millis(config.call_timeout_ms) };
        let table = sqlx::query_scalar::<_, bool>("SELECT TO_REGCLASS('inbox_secret') IS NOT NULL");
        let has_tables = store.bounded(async { Ok(table.fetch_one(&store.pool).await?) }).await?;
        Ok(has_tables.then_some(store))
    }

    /// Bounds the time of a call with its wait for a connection.
    pub(super) async fn bounded<T>(
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
        push::queue::enqueue(&mut transaction, &calls(&changes)).await?;
        push::badges::lower(&mut transaction, &lowered(entries)).await?;
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

    async fn recount(&self, from: UserNumber) -> Result<Option<Recount>, InboxError> {
        self.bounded(audit::recount(&self.pool, from)).await
    }

    async fn oldest(&self, after: ConversationNumber, limit: usize) -> Result<Vec<Oldest>, InboxError> {
        self.bounded(trim::oldest(&self.pool, after, limit)).await
    }

    async fn trim(
        &self,
        lane: u16,
        at: Sequence,
        conversation: ConversationNumber,
        before_ms: u64,
    ) -> Result<u64, InboxError> {
        self.bounded(Box::pin(trim::trim(&self.pool, lane, at, conversation, before_ms))).await
    }

    async fn forget_reports(&self, before_ms: u64) -> Result<u64, InboxError> {
        self.bounded(trim::forget_reports(&self.pool, before_ms)).await
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

    async fn report(&self, report: &NewReport) -> Result<(u64, bool), InboxError> {
        self.bounded(reports::add(&self.pool, report)).await
    }

    async fn reports(
        &self,
        is_open: Option<bool>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ReportRecord>, InboxError> {
        self.bounded(reports::list(&self.pool, is_open, before, limit)).await
    }

    async fn close_report(&self, id: u64, by: &str, at_ms: u64, note: &str) -> Result<bool, InboxError> {
        self.bounded(reports::close(&self.pool, id, by, at_ms, note)).await
    }

    async fn shows_medium(&self, digest: Digest) -> Result<bool, InboxError> {
        self.bounded(ask::shows_medium(&self.pool, digest)).await
    }

    async fn erase(&self, user: &UserId, limit: usize) -> Result<u64, InboxError> {
        self.bounded(erase::erase(&self.pool, user, limit)).await
    }

    async fn rename(&self, user: &UserId, id: &UserId) -> Result<bool, InboxError> {
        self.bounded(erase::rename(&self.pool, user, id)).await
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
