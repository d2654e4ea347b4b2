//! The primitives that each engine implements, and the statements that differ between them.

use std::borrow::Cow;

use crate::error::StoreError;
use crate::records::archive::ArchiveEntry;
use crate::records::audit::AuditRecord;
use crate::records::poll::{Cast, Vote};
use crate::sql::row::Columns;

/// A bound value of a statement, of a type that both drivers take.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Int(i64),
    Text(Cow<'a, str>),
    OptionalText(Option<&'a str>),
    Flag(bool),
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

/// A statement with its values, numbered `$1` and up in both engines.
#[derive(Debug, Clone)]
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value<'a>>,
}

impl<'a> Statement<'a> {
    pub(crate) fn new(sql: &'static str, values: impl Into<Vec<Value<'a>>>) -> Self {
        Statement { sql, values: values.into() }
    }
}

/// Makes a query of a statement, for the engine whose executor then takes it.
macro_rules! query {
    ($statement:expr) => {{
        let statement: &$crate::sql::engine::Statement<'_> = $statement;
        let mut query = sqlx::query(statement.sql);
        for value in &statement.values {
            query = match value {
                $crate::sql::engine::Value::Int(value) => query.bind(*value),
                $crate::sql::engine::Value::Text(value) => query.bind(value.as_ref()),
                $crate::sql::engine::Value::OptionalText(value) => query.bind(*value),
                $crate::sql::engine::Value::Flag(value) => query.bind(*value),
            };
        }
        query
    }};
}
pub(crate) use query;

/// Statements whose text differs between the engines. Each names its values in order.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Ledger rows of a room in order: room, after, limit.
    pub(crate) gifts: &'static str,
    /// History after a position, oldest first: room, after, limit.
    pub(crate) history_after: &'static str,
    /// History before a position, newest first: room, before, limit.
    pub(crate) history_before: &'static str,
    /// Messages with a medium before a position, newest first: room, before, limit.
    pub(crate) history_media: &'static str,
    /// History of the latest stream by offset: room, from, to, limit.
    pub(crate) history_by_offset: &'static str,
    /// A message that the history shows and that has a medium: digest.
    pub(crate) shows_medium: &'static str,
    /// Deletes messages from before a time, oldest first: before, limit.
    pub(crate) delete_messages: &'static str,
    /// Audit lines of all rooms, newest first: before, limit, user, actor, action.
    pub(crate) audit: &'static str,
    /// Audit lines of one room, newest first: room, before, limit, user, actor, action.
    pub(crate) audit_of_room: &'static str,
    /// Deletes audit lines from before a time, oldest first: before, limit.
    pub(crate) delete_audit: &'static str,
}

/// A database engine. Every primitive is one transaction.
pub(crate) trait Engine: Send + Sync + std::fmt::Debug {
    /// Row type of the engine's driver, parsed by [`super::row`].
    type Row: Columns + Send + Sync;

    /// The engine's text of the statements that differ.
    const DIALECT: Dialect;

    /// Replaces characters that the engine cannot store.
    fn storable(text: &str) -> Cow<'_, str>;

    /// Reads all rows of a query; the statement itself limits their number.
    fn read(
        &self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;

    /// Executes statements in one transaction; returns the rows that the last one changed.
    fn write(&self, statements: &[Statement<'_>]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Implements [`crate::Store::append`] with this database; returns the number of new messages.
    fn append_batch(
        &self,
        partition: u16,
        entries: &[ArchiveEntry],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Implements [`crate::Store::append_audit`] with this database; stores all records or none.
    fn insert_audit(&self, records: &[AuditRecord]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Implements [`crate::PollStore::cast_votes`] with this database; counts all votes or none.
    fn cast_batch(&self, votes: &[Vote]) -> impl Future<Output = Result<Vec<Cast>, StoreError>> + Send;

    /// Implements [`crate::Store::ping`] with this database; fails when the database cannot be used.
    fn probe(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Implements [`crate::Store::close`] with this database; waits for connections in use.
    fn shut_down(&self) -> impl Future<Output = ()> + Send;
}
