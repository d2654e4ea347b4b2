//! Opens the file, and runs the calls of the trait on its two connections.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use barrage_inbox::{
    Changes, Conversation, ConversationId, ConversationNumber, Entry, Needs, User, UserNumber, plan,
};
use barrage_protocol::{Digest, Sequence, UserId};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::worker::Worker;
use super::{ask, audit, erase, load, push, read, reports, trim, write};
use crate::inbox::error::InboxError;
use crate::inbox::push::{calls, lowered};
use crate::inbox::reads::{End, GroupMember, InboxReads, Terms, Wanted};
use crate::inbox::records::{Away, AwayRange, ItemRange, Membership, StoredItem};
use crate::inbox::recount::Recount;
use crate::inbox::reports::{NewReport, ReportRecord};
use crate::inbox::retention::Oldest;
use crate::inbox::store::{InboxStore, check};

/// Files of `migrations/inbox_sqlite` in their order. `user_version` of the file counts those that it has.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/inbox_sqlite/0001_initial.sql"),
    include_str!("../../../migrations/inbox_sqlite/0002_secret.sql"),
    include_str!("../../../migrations/inbox_sqlite/0003_reports.sql"),
    include_str!("../../../migrations/inbox_sqlite/0004_media.sql"),
    include_str!("../../../migrations/inbox_sqlite/0005_push.sql"),
    include_str!("../../../migrations/inbox_sqlite/0006_badges.sql"),
];
/// Statements that a connection keeps prepared: all that the calls have.
const STATEMENTS_MAX: usize = 96;
/// Longest wait for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An inbox in one SQLite file; clones share its two connections.
#[derive(Debug, Clone)]
pub struct SqliteInbox {
    pub(super) writer: Worker,
    pub(super) reader: Worker,
}

impl SqliteInbox {
    /// Opens the file, creates it when it is absent, and migrates it. The folder must exist.
    pub async fn open(path: &Path) -> Result<Self, InboxError> {
        let path = path.to_owned();
        let open = move || -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
            // SQLite gives its companion files the same mode.
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
            let mut writer = connect(&path)?;
            migrate(&mut writer)?;
            let reader = connect(&path)?;
            reader.pragma_update(None, "query_only", "ON")?;
            Ok(SqliteInbox {
                writer: Worker::start("inbox-writer", writer)?,
                reader: Worker::start("inbox-reader", reader)?,
            })
        };
        let opened = tokio::task::spawn_blocking(open).await;
        opened.map_err(|error| InboxError::Open(error.into()))?.map_err(InboxError::Open)
    }
}

impl SqliteInbox {
    /// Opens the file for reading, and changes nothing. `None` when it is absent. A file of another version is an
    /// error.
    pub async fn look(path: &Path) -> Result<Option<Self>, InboxError> {
        if !path.exists() {
            return Ok(None);
        }
        let path = path.to_owned();
        let open = move || -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
            let look = || -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
                let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                connection.busy_timeout(BUSY_TIMEOUT)?;
                let version: u16 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
                if usize::from(version) != MIGRATIONS.len() {
                    return Err(format!("the file has version {version}, not {}", MIGRATIONS.len()).into());
                }
                Ok(connection)
            };
            let (writer, reader) = (look()?, look()?);
            Ok(SqliteInbox {
                writer: Worker::start("inbox-writer", writer)?,
                reader: Worker::start("inbox-reader", reader)?,
            })
        };
        let opened = tokio::task::spawn_blocking(open).await;
        opened.map_err(|error| InboxError::Open(error.into()))?.map(Some).map_err(InboxError::Open)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What the mark says is durable: the lane may forget it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    // The lock is taken before the version is read: two processes may open the file at once.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u16 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if usize::from(version) > MIGRATIONS.len() {
        let reason = format!(
            "the inbox has version {version}, which a newer barrage made; this one reads {}: start the newer one, or \
             restore a backup from before its start",
            MIGRATIONS.len()
        );
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_MISMATCH);
        return Err(rusqlite::Error::SqliteFailure(code, Some(reason)));
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(version.into()) {
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
    }
    transaction.commit()
}

/// Takes a batch in one transaction that holds the write lock from its start.
fn project(
    connection: &mut Connection,
    lane: u16,
    after: Sequence,
    up_to: Sequence,
    entries: &[Entry],
) -> Result<Changes, InboxError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    write::move_mark(&transaction, lane, after, up_to)?;
    let changes = plan_in(&transaction, entries)?;
    write::changes(&transaction, &changes)?;
    push::queue::enqueue(&transaction, &calls(&changes))?;
    push::badges::lower(&transaction, &lowered(entries))?;
    transaction.commit()?;
    Ok(changes)
}

fn plan_in(transaction: &Transaction<'_>, entries: &[Entry]) -> Result<Changes, InboxError> {
    let needs = Needs::of(entries);
    write::new_users(transaction, &needs)?;
    Ok(plan(load::rows(transaction, &needs)?, entries))
}

#[async_trait]
impl InboxStore for SqliteInbox {
    async fn mark(&self, lane: u16) -> Result<Sequence, InboxError> {
        self.reader.call(move |connection| read::mark(connection, lane)).await
    }

    async fn project(
        &self,
        lane: u16,
        after: Sequence,
        up_to: Sequence,
        entries: &[Entry],
    ) -> Result<Changes, InboxError> {
        check(after, up_to, entries)?;
        let entries = entries.to_vec();
        self.writer.call(move |connection| project(connection, lane, after, up_to, &entries)).await
    }

    async fn away(&self, user: &UserId, range: AwayRange, limit: usize) -> Result<Option<Away>, InboxError> {
        let user = user.clone();
        self.reader.call(move |connection| read::away(connection, &user, range, limit)).await
    }

    async fn items(
        &self,
        conversation: &ConversationId,
        range: ItemRange,
        limit: usize,
    ) -> Result<Vec<StoredItem>, InboxError> {
        let conversation = conversation.clone();
        self.reader.call(move |connection| read::items(connection, &conversation, range, limit)).await
    }

    async fn present(&self, group: ConversationNumber) -> Result<Vec<UserId>, InboxError> {
        self.reader.call(move |connection| read::present(connection, group)).await
    }

    async fn recount(&self, from: UserNumber) -> Result<Option<Recount>, InboxError> {
        self.reader.call(move |connection| audit::recount(connection, from)).await
    }

    async fn oldest(&self, after: ConversationNumber, limit: usize) -> Result<Vec<Oldest>, InboxError> {
        self.reader.call(move |connection| trim::oldest(connection, after, limit)).await
    }

    async fn trim(
        &self,
        lane: u16,
        at: Sequence,
        conversation: ConversationNumber,
        before_ms: u64,
    ) -> Result<u64, InboxError> {
        self.writer.call(move |connection| trim::trim(connection, lane, at, conversation, before_ms)).await
    }

    async fn forget_reports(&self, before_ms: u64) -> Result<u64, InboxError> {
        self.writer.call(move |connection| trim::forget_reports(connection, before_ms)).await
    }

    async fn close(&self) {
        // The threads take calls in their order: an empty one ends after all before it. A closed thread
        // has none.
        drop(self.writer.call(|_| Ok(())).await);
        drop(self.reader.call(|_| Ok(())).await);
    }
}

#[async_trait]
impl InboxReads for SqliteInbox {
    async fn secret(&self) -> Result<[u8; 32], InboxError> {
        self.reader.call(|connection| ask::secret(connection)).await
    }

    async fn marks(&self) -> Result<Vec<(u16, Sequence)>, InboxError> {
        self.reader.call(|connection| read::marks(connection)).await
    }

    async fn user(&self, user: &UserId) -> Result<Option<User>, InboxError> {
        let user = user.clone();
        self.reader.call(move |connection| ask::user(connection, &user)).await
    }

    async fn terms(&self, from: &UserId, to: &UserId) -> Result<Terms, InboxError> {
        let (from, to) = (from.clone(), to.clone());
        self.reader.call(move |connection| ask::terms(connection, &from, &to)).await
    }

    async fn conversation(&self, id: &ConversationId) -> Result<Option<Conversation>, InboxError> {
        let id = id.clone();
        self.reader.call(move |connection| ask::conversation(connection, &id)).await
    }

    async fn membership(
        &self,
        user: &UserId,
        conversation: &ConversationId,
    ) -> Result<Option<Membership>, InboxError> {
        let (user, id) = (user.clone(), conversation.clone());
        self.reader.call(move |connection| ask::membership(connection, &user, &id)).await
    }

    async fn members(
        &self,
        group: &ConversationId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<GroupMember>, InboxError> {
        let (group, after) = (group.clone(), after.cloned());
        self.reader.call(move |connection| ask::members(connection, &group, after.as_ref(), limit)).await
    }

    async fn report(&self, report: &NewReport) -> Result<(u64, bool), InboxError> {
        let report = report.clone();
        self.writer.call(move |connection| reports::add(connection, &report)).await
    }

    async fn reports(
        &self,
        is_open: Option<bool>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ReportRecord>, InboxError> {
        self.reader.call(move |connection| reports::list(connection, is_open, before, limit)).await
    }

    async fn close_report(&self, id: u64, by: &str, at_ms: u64, note: &str) -> Result<bool, InboxError> {
        let (by, note) = (by.to_owned(), note.to_owned());
        self.writer.call(move |connection| reports::close(connection, id, &by, at_ms, &note)).await
    }

    async fn shows_medium(&self, digest: Digest) -> Result<bool, InboxError> {
        self.reader.call(move |connection| ask::shows_medium(connection, digest)).await
    }

    async fn erase(&self, user: &UserId, limit: usize) -> Result<u64, InboxError> {
        let user = user.clone();
        self.writer.call(move |connection| erase::erase(connection, &user, limit)).await
    }

    async fn rename(&self, user: &UserId, id: &UserId) -> Result<bool, InboxError> {
        let (user, id) = (user.clone(), id.clone());
        self.writer.call(move |connection| erase::rename(connection, &user, &id)).await
    }

    async fn shown(
        &self,
        reader: UserNumber,
        wanted: &[Wanted],
        from: End,
        limit: usize,
    ) -> Result<Vec<StoredItem>, InboxError> {
        let wanted = wanted.to_vec();
        self.reader.call(move |connection| ask::shown(connection, reader, &wanted, from, limit)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_file_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/inbox_sqlite");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), MIGRATIONS.len());
    }
}
