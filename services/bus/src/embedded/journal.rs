//! The log on disk: SQLite with one writer.
//!
//! A commit that holds a gift or a signal is synced to disk. A commit of chat alone is written to
//! the kernel: it survives `kill -9`, and a power cut may take the last moments of chat.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use barrage_protocol::{Message, MessageId, Sequence, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::file::LogFile;
use super::mark::Mark;
use super::row;
use crate::error::BusError;
use crate::log::Topic;
use crate::topic_log::Kept;

/// Positions that are reserved ahead: a restart gives no position twice even when the last
/// commits did not reach the disk.
const RESERVATION: u64 = 65_536;
/// Bytes that a probe writes while the log fails. A write-ahead log that is reused accepts small
/// writes on a full disk, so only a large write shows that messages can be stored again.
const PROBE_BYTES: i64 = 64 * 1024;
/// Rows that one sweep removes at most, so that a sweep delays publishing only briefly.
const SWEEP_ROWS: i64 = 5_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS messages (
  sequence INTEGER PRIMARY KEY, direct INTEGER NOT NULL, room TEXT NOT NULL, previous INTEGER NOT NULL,
  class INTEGER NOT NULL, sender TEXT, id TEXT, fingerprint INTEGER NOT NULL, recipient TEXT,
  at_ms INTEGER NOT NULL, body BLOB NOT NULL, clock_ms INTEGER NOT NULL DEFAULT 0,
  traceparent TEXT, sum INTEGER);
CREATE TABLE IF NOT EXISTS topics (direct INTEGER NOT NULL, room TEXT NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (direct, room)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rooms (room TEXT PRIMARY KEY, settings TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS restrictions (room TEXT NOT NULL, user TEXT NOT NULL, restriction TEXT NOT NULL,
  PRIMARY KEY (room, user)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS roles (room TEXT PRIMARY KEY, roles TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS actions (room TEXT PRIMARY KEY, actions TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attributes (room TEXT PRIMARY KEY, attributes TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS super_chats (room TEXT PRIMARY KEY, super_chats TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reviews (room TEXT PRIMARY KEY, reviews TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS words (room TEXT PRIMARY KEY, words TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS emotes (room TEXT PRIMARY KEY, emotes TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS switches (id INTEGER PRIMARY KEY CHECK (id = 0), switches TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sampling (id INTEGER PRIMARY KEY CHECK (id = 0), sampling TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS revocations (user TEXT PRIMARY KEY, before_secs TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removed_media (digest TEXT PRIMARY KEY, at_ms TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
";

/// A message with the fields that only the log needs.
pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    pub(crate) topic: Topic,
    pub(crate) fingerprint: u64,
    /// Time of acceptance, by the log's own clock ([`crate::log_clock::LogClock`]).
    pub(crate) clock_ms: u64,
}

impl Entry {
    /// Returns the message with its time when it belongs to a room's chain.
    pub(crate) fn of_room(&self) -> Option<Kept> {
        let kept = || Kept { kept_at_ms: self.clock_ms, message: Arc::clone(&self.message) };
        matches!(self.topic, Topic::Room(_)).then(kept)
    }
}

pub(crate) struct Journal {
    pub(super) connection: Connection,
    reserved: u64,
    synced: bool,
    mark: Mark,
    // Must be closed after the connection: fields are dropped in this order.
    file: Arc<LogFile>,
}

/// Finding at start: the log ends before positions that it has given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Newest position that the log holds for any topic; zero when it holds none.
    pub(crate) ends_at: Sequence,
    /// Newest position in the log's mark or in the archive.
    pub(crate) reached: Sequence,
    /// Positions up to this one count as given.
    pub(crate) goes_on_after: Sequence,
}

/// Size of the write that tests whether the log can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// A few bytes, while the log works.
    Small,
    /// [`PROBE_BYTES`], written and removed in two commits, while the log fails.
    Large,
}

impl Journal {
    /// Opens the log. `archived` is the newest position of the archive.
    pub(crate) fn open(
        path: &Path,
        file: Arc<LogFile>,
        archived: Sequence,
    ) -> Result<(Self, Option<Loss>), BusError> {
        let failed =
            |error: &dyn std::fmt::Display| BusError::Unavailable(format!("{}: {error}", path.display()));
        let mark = Mark::open(path).map_err(|error| failed(&error))?;
        let mut journal = Journal::open_file(path, file, mark).map_err(|error| failed(&error))?;
        let loss = journal.find_loss(archived).map_err(|error| failed(&error))?;
        if let Some(loss) = loss {
            journal.reserved = journal.reserved.max(loss.goes_on_after.0);
        }
        Ok((journal, loss))
    }

    fn open_file(path: &Path, file: Arc<LogFile>, mark: Mark) -> rusqlite::Result<Self> {
        let connection = row::connect(path)?;
        row::check_version(&connection)?;
        connection.execute_batch(SCHEMA)?;
        let has = |column: &str| {
            let mut columns =
                connection.prepare("SELECT 1 FROM pragma_table_info('messages') WHERE name = ?1")?;
            columns.exists([column])
        };
        if !has("traceparent")? {
            connection.execute_batch("ALTER TABLE messages ADD COLUMN traceparent TEXT")?;
        }
        if !has("sum")? {
            connection.execute_batch("ALTER TABLE messages ADD COLUMN sum INTEGER")?;
        }
        if !has("clock_ms")? {
            // A log of an older version was stamped by the wall clock.
            connection.execute_batch(
                "BEGIN; ALTER TABLE messages ADD COLUMN clock_ms INTEGER NOT NULL DEFAULT 0;
                 UPDATE messages SET clock_ms = at_ms; COMMIT;",
            )?;
        }
        let reserved = connection
            .query_row("SELECT value FROM meta WHERE key = 'reserved'", [], |row| row.get::<_, i64>(0))
            .optional()?
            .map_or(0, i64::cast_unsigned);
        Ok(Journal { connection, reserved, synced: true, mark, file })
    }

    /// Returns the loss when the log ends before a position that it has given. The mark and the
    /// archive are a moment late, so positions beyond them may have been given too: new ones
    /// begin behind the whole reservation.
    fn find_loss(&self, archived: Sequence) -> rusqlite::Result<Option<Loss>> {
        let newest: Option<i64> =
            self.connection.query_row("SELECT MAX(last) FROM topics", [], |row| row.get(0))?;
        let ends_at = Sequence(newest.map_or(0, i64::cast_unsigned));
        let reached = archived.max(self.mark.reached());
        let goes_on_after = Sequence(reached.0.saturating_add(RESERVATION).max(self.reserved));
        Ok((reached > ends_at).then_some(Loss { ends_at, reached, goes_on_after }))
    }

    /// Returns the last time of the log's clock; `None` in a new log.
    pub(crate) fn clock_ms(&self) -> rusqlite::Result<Option<u64>> {
        let newest: Option<i64> = self.connection.query_row(
            "SELECT MAX((SELECT COALESCE(MAX(value), 0) FROM meta WHERE key = 'clock'),
                        (SELECT COALESCE(MAX(clock_ms), 0) FROM
                           (SELECT clock_ms FROM messages ORDER BY sequence DESC LIMIT 1)))",
            [],
            |row| row.get(0),
        )?;
        Ok(newest.filter(|newest| *newest > 0).map(i64::cast_unsigned))
    }

    /// Stores the time of the log's clock, which continues from there after a restart. The write
    /// also shows whether the log can be written.
    pub(crate) fn probe(&mut self, clock_ms: u64, size: Probe) -> rusqlite::Result<()> {
        self.sync_mode(false)?;
        self.connection.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('clock', ?1)",
            [clock_ms.cast_signed()],
        )?;
        if size == Probe::Large {
            // Two commits: data that one transaction writes and removes never reaches the disk.
            self.connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', zeroblob(?1))",
                [PROBE_BYTES],
            )?;
            self.connection.execute("DELETE FROM meta WHERE key = 'probe'", [])?;
        }
        Ok(())
    }

    /// Returns why the file is not the one that was opened; `None` when it is.
    pub(crate) fn missing(&self) -> Option<String> {
        self.file.missing()
    }

    /// Stores the newest position in the mark, a file beside the log.
    pub(crate) fn note_mark(&mut self, reached: Sequence) -> std::io::Result<()> {
        self.mark.note(reached)
    }

    /// Returns the first position that no earlier process can have given.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.reserved + 1
    }

    /// Returns the newest position of each topic.
    pub(crate) fn topics(&self) -> rusqlite::Result<Vec<(Topic, Sequence)>> {
        let mut statement = self.connection.prepare("SELECT direct, room, last FROM topics")?;
        let rows = statement.query_map([], |row| {
            Ok((
                row::topic(row.get(0)?, &row::room(row, 1)?),
                Sequence(row.get::<_, i64>(2)?.cast_unsigned()),
            ))
        })?;
        rows.collect()
    }

    /// Passes the messages accepted at or after `from_ms` of the log's clock to `each`, in order.
    pub(crate) fn recent(&self, from_ms: u64, mut each: impl FnMut(Entry)) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT {}, direct, fingerprint, clock_ms FROM messages WHERE clock_ms >= ?1 ORDER BY sequence",
            row::MESSAGE
        ))?;
        let mut rows = statement.query([from_ms.cast_signed()])?;
        while let Some(row) = rows.next()? {
            let message = row::message(row)?;
            let topic = row::topic(row.get(11)?, &message.room);
            each(Entry {
                message: Arc::new(message),
                topic,
                fingerprint: row.get::<_, i64>(12)?.cast_unsigned(),
                clock_ms: row.get::<_, i64>(13)?.cast_unsigned(),
            });
        }
        Ok(())
    }

    /// Writes all entries in one transaction. They are durable when this returns.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let Some(last) = entries.last() else { return Ok(()) };
        // A reservation must reach the disk too: a position that is given twice would break the
        // archive, which may hold the first message under it.
        let moves_reservation = last.message.sequence.0 >= self.reserved;
        self.sync_mode(moves_reservation || entries.iter().any(|e| e.message.class.is_precious()))?;
        let transaction = self.connection.transaction()?;
        let mut reserved = self.reserved;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO messages (sequence, direct, room, previous, class, sender, id, fingerprint, recipient, at_ms, body, clock_ms, traceparent, sum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?;
            let mut lasts: HashMap<&Topic, &Message> = HashMap::new();
            for Entry { message: m, topic, fingerprint, clock_ms } in entries {
                insert.execute(params![
                    m.sequence.0.cast_signed(),
                    i64::from(*topic == Topic::Direct),
                    m.room.as_str(),
                    m.previous.0.cast_signed(),
                    row::class_number(m.class),
                    m.sender.as_ref().map(UserId::as_str),
                    m.id.as_ref().map(MessageId::as_str),
                    fingerprint.cast_signed(),
                    m.to.as_ref().map(UserId::as_str),
                    m.at_ms.cast_signed(),
                    &m.body[..],
                    clock_ms.cast_signed(),
                    m.trace.as_ref().map(|trace| trace.traceparent()),
                    row::sum(m),
                ])?;
                lasts.insert(topic, m);
            }
            let mut upsert = transaction
                .prepare_cached("INSERT OR REPLACE INTO topics (direct, room, last) VALUES (?1, ?2, ?3)")?;
            for (topic, message) in lasts {
                let (direct, room) = match topic {
                    Topic::Room(room) => (0, room.as_str()),
                    Topic::Direct => (1, ""),
                };
                upsert.execute(params![direct, room, message.sequence.0.cast_signed()])?;
            }
            if moves_reservation {
                reserved = last.message.sequence.0 + RESERVATION;
                transaction.execute(
                    "INSERT OR REPLACE INTO meta (key, value) VALUES ('reserved', ?1)",
                    [reserved.cast_signed()],
                )?;
            }
        }
        transaction.commit()?;
        self.reserved = reserved;
        if moves_reservation {
            // The commit is durable; the mark is a second record and may fail.
            let noted = self.mark.note(last.message.sequence).and_then(|()| self.mark.sync());
            if let Err(error) = noted {
                tracing::warn!(%error, "the log's high-water mark could not be written");
            }
        }
        Ok(())
    }

    /// Removes up to [`SWEEP_ROWS`] messages that are older than `kept_from_ms` of the log's clock.
    /// Positions grow with that clock, so the oldest rows are the first ones.
    pub(crate) fn sweep(&mut self, kept_from_ms: u64) -> rusqlite::Result<usize> {
        self.sync_mode(false)?;
        self.connection.execute(
            "DELETE FROM messages WHERE sequence IN
               (SELECT sequence FROM messages ORDER BY sequence LIMIT ?1) AND clock_ms < ?2",
            params![SWEEP_ROWS, kept_from_ms.cast_signed()],
        )
    }

    /// Asks SQLite whether it syncs the write-ahead log with each commit.
    pub(super) fn syncs_commits(&self) -> rusqlite::Result<bool> {
        self.connection.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).map(|mode| mode >= 2)
    }

    pub(super) fn sync_mode(&mut self, synced: bool) -> rusqlite::Result<()> {
        if self.synced != synced {
            self.connection.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
            self.synced = synced;
        }
        Ok(())
    }
}
