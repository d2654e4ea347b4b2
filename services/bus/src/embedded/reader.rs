//! Reads of the log for the archiver.

use std::path::Path;
use std::sync::Arc;

use barrage_protocol::{Message, Sequence};
use rusqlite::{Connection, OpenFlags, params};

use super::file::LogFile;
use super::row;

/// Reads on a connection of its own, so that the archiver does not wait for commits.
pub(crate) struct JournalReader(
    Connection,
    #[expect(dead_code, reason = "closed after the connection")] Arc<LogFile>,
);

/// Returns the newest position that the log at `path` has given or reserved.
pub(crate) fn newest(path: &Path) -> rusqlite::Result<Sequence> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let newest: i64 = connection.query_row(
        "SELECT max(coalesce((SELECT max(last) FROM topics), 0), \
         coalesce((SELECT value FROM meta WHERE key = 'reserved'), 0))",
        [],
        |row| row.get(0),
    )?;
    Ok(Sequence(newest.cast_unsigned()))
}

impl JournalReader {
    pub(crate) fn open(path: &Path, file: Arc<LogFile>) -> rusqlite::Result<Self> {
        Ok(JournalReader(row::connect(path)?, file))
    }

    /// Reads up to `limit` messages of all rooms after a position.
    pub(crate) fn room_messages(&self, after: Sequence, limit: usize) -> rusqlite::Result<Vec<Arc<Message>>> {
        let mut statement = self.0.prepare_cached(&format!(
            "SELECT {} FROM messages WHERE sequence > ?1 AND direct = 0 ORDER BY sequence LIMIT ?2",
            row::MESSAGE
        ))?;
        let rows = statement.query_map(params![after.0.cast_signed(), limit.cast_signed()], |row| {
            row::message(row).map(Arc::new)
        })?;
        rows.collect()
    }
}
