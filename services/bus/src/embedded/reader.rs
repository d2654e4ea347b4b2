//! Reads of the log for the archiver.

use std::path::Path;
use std::sync::Arc;

use barrage_protocol::{Message, Sequence};
use rusqlite::{Connection, params};

use super::file::LogFile;
use super::row;

/// Reads on a connection of its own, so that the archiver does not wait for commits.
pub(crate) struct JournalReader(
    Connection,
    #[expect(dead_code, reason = "closed after the connection")] Arc<LogFile>,
);

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
