//! The log on disk: SQLite, one writer. A commit with a gift or signal in it is
//! synced; one of chat alone is handed to the kernel (it survives `kill -9`; a
//! power cut may take the last moments of chat).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use barrage_protocol::{Class, Message, RoomId, Sequence, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::file::LogFile;
use super::mark::Mark;
use crate::bus::{BusError, Topic};
use crate::change::{Setting, SettingKey};
use crate::settings::Settings;

/// Positions reserved ahead, so that a restart never gives one twice even when the
/// last commits did not reach the disk.
const RESERVATION: u64 = 65_536;
/// Bytes that a probe writes while the log fails: a log that takes a few bytes and no message
/// is not back. A write-ahead log that is used again takes small writes on a full disk.
const PROBE_BYTES: i64 = 64 * 1024;
/// Rows removed per sweep, so that a sweep never holds up publishing for long.
const SWEEP_ROWS: i64 = 5_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS messages (
  sequence INTEGER PRIMARY KEY, direct INTEGER NOT NULL, room TEXT NOT NULL, previous INTEGER NOT NULL,
  class INTEGER NOT NULL, sender TEXT, id TEXT, fingerprint INTEGER NOT NULL, recipient TEXT,
  at_ms INTEGER NOT NULL, body BLOB NOT NULL, clock_ms INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS topics (direct INTEGER NOT NULL, room TEXT NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (direct, room)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rooms (room TEXT PRIMARY KEY, settings TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS restrictions (room TEXT NOT NULL, user TEXT NOT NULL, restriction TEXT NOT NULL,
  PRIMARY KEY (room, user)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS switches (id INTEGER PRIMARY KEY CHECK (id = 0), switches TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS revocations (user TEXT PRIMARY KEY, before_secs TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
";

/// A message with what only the log needs of it.
pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    pub(crate) topic: Topic,
    pub(crate) fingerprint: u64,
    /// When it was accepted, by the log's own clock ([`crate::clock::LogClock`]).
    pub(crate) clock_ms: u64,
}

pub(crate) struct Journal {
    connection: Connection,
    reserved: u64,
    synced: bool,
    mark: Mark,
    // Closed after the connection: fields are dropped in this order.
    file: Arc<LogFile>,
}

/// The log was found to end before positions that it had given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Where the log ends.
    pub(crate) ends_at: Sequence,
    /// The newest position that the log's mark or the archive knows of.
    pub(crate) reached: Sequence,
    /// Every position up to here counts as given.
    pub(crate) goes_on_after: Sequence,
}

impl Journal {
    /// Opens the log. `archived` is the archive's newest position.
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
        let connection = connect(path)?;
        connection.execute_batch(SCHEMA)?;
        let has_clock = connection
            .prepare("SELECT 1 FROM pragma_table_info('messages') WHERE name = 'clock_ms'")?
            .exists([])?;
        if !has_clock {
            // A log of an older version: its clock was the wall's.
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

    /// Whether the log ends before a position that it gave. How much it gave beyond that
    /// position is not known (the mark and the archive are a moment late): it goes on behind
    /// all that could have been given since.
    fn find_loss(&self, archived: Sequence) -> rusqlite::Result<Option<Loss>> {
        let newest: Option<i64> =
            self.connection.query_row("SELECT MAX(last) FROM topics", [], |row| row.get(0))?;
        let ends_at = Sequence(newest.map_or(0, i64::cast_unsigned));
        let reached = archived.max(self.mark.reached());
        let goes_on_after = Sequence(reached.0.saturating_add(RESERVATION).max(self.reserved));
        Ok((reached > ends_at).then_some(Loss { ends_at, reached, goes_on_after }))
    }

    /// Where the log's clock stood; none in a new log.
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

    /// Writes where the log's clock stands: it goes on from there after a restart, and the
    /// write shows whether the log can be written. `large` writes more than a message takes.
    pub(crate) fn probe(&mut self, clock_ms: u64, large: bool) -> rusqlite::Result<()> {
        self.sync_mode(false)?;
        self.connection.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('clock', ?1)",
            [clock_ms.cast_signed()],
        )?;
        if large {
            // Two commits: what one transaction writes and removes never reaches the disk.
            self.connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', zeroblob(?1))",
                [PROBE_BYTES],
            )?;
            self.connection.execute("DELETE FROM meta WHERE key = 'probe'", [])?;
        }
        Ok(())
    }

    /// Why the file is not the one that was opened.
    pub(crate) fn missing(&self) -> Option<String> {
        self.file.missing()
    }

    /// Notes how far the log has come, beside it.
    pub(crate) fn note_mark(&mut self, reached: Sequence) -> std::io::Result<()> {
        self.mark.note(reached)
    }

    /// The first position that no earlier process can have given.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.reserved + 1
    }

    /// Each topic's newest position.
    pub(crate) fn topics(&self) -> rusqlite::Result<Vec<(Topic, Sequence)>> {
        let mut statement = self.connection.prepare("SELECT direct, room, last FROM topics")?;
        let rows = statement.query_map([], |row| {
            Ok((topic(row.get(0)?, &room(row, 1)?), Sequence(row.get::<_, i64>(2)?.cast_unsigned())))
        })?;
        rows.collect()
    }

    /// Messages accepted at or after `from_ms` of the log's clock, in order.
    pub(crate) fn recent(&self, from_ms: u64, mut each: impl FnMut(Entry)) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(
            "SELECT sequence, room, previous, class, sender, id, recipient, at_ms, body, direct, fingerprint, clock_ms
             FROM messages WHERE clock_ms >= ?1 ORDER BY sequence",
        )?;
        let mut rows = statement.query([from_ms.cast_signed()])?;
        while let Some(row) = rows.next()? {
            let message = message(row)?;
            let topic = topic(row.get(9)?, &message.room);
            each(Entry {
                message: Arc::new(message),
                topic,
                fingerprint: row.get::<_, i64>(10)?.cast_unsigned(),
                clock_ms: row.get::<_, i64>(11)?.cast_unsigned(),
            });
        }
        Ok(())
    }

    /// All settings, as they were last put.
    pub(crate) fn settings(&self) -> rusqlite::Result<Settings> {
        let mut settings = Settings::default();
        self.each(&mut settings, "SELECT settings, room FROM rooms", |row| {
            Ok(SettingKey::Room(room(row, 1)?))
        })?;
        self.each(&mut settings, "SELECT restriction, room, user FROM restrictions", |row| {
            Ok(SettingKey::Restriction(room(row, 1)?, parsed(row, 2)?))
        })?;
        self.each(&mut settings, "SELECT switches FROM switches", |_| Ok(SettingKey::Switches))?;
        self.each(&mut settings, "SELECT before_secs, user FROM revocations", |row| {
            let of_all = row.get_ref(1)?.as_str()?.is_empty();
            Ok(SettingKey::Revocation(if of_all { None } else { Some(parsed(row, 1)?) }))
        })?;
        Ok(settings)
    }

    /// Puts the value that each row's first column has.
    fn each(
        &self,
        settings: &mut Settings,
        query: &str,
        key: impl Fn(&Row<'_>) -> rusqlite::Result<SettingKey>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = key(row)?;
            let json = row.get_ref(0)?.as_str()?.as_bytes();
            let value = Setting::read(&key, json).map_err(|error| corrupt(0, error))?;
            settings.put(key, Some(value));
        }
        Ok(())
    }

    /// Writes all entries in one transaction; afterwards they are durable.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let Some(last) = entries.last() else { return Ok(()) };
        // A reservation must reach the disk too: a position given twice would break
        // the archive, which may have kept the first one.
        let moves_reservation = last.message.sequence.0 >= self.reserved;
        self.sync_mode(moves_reservation || entries.iter().any(|e| e.message.class.is_precious()))?;
        let transaction = self.connection.transaction()?;
        let mut reserved = self.reserved;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO messages (sequence, direct, room, previous, class, sender, id, fingerprint, recipient, at_ms, body, clock_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?;
            let mut lasts: HashMap<&Topic, &Message> = HashMap::new();
            for Entry { message: m, topic, fingerprint, clock_ms } in entries {
                insert.execute(params![
                    m.sequence.0.cast_signed(),
                    i64::from(*topic == Topic::Direct),
                    m.room.as_str(),
                    m.previous.0.cast_signed(),
                    class_number(m.class),
                    m.sender.as_ref().map(UserId::as_str),
                    m.id.as_ref().map(barrage_protocol::MessageId::as_str),
                    fingerprint.cast_signed(),
                    m.to.as_ref().map(UserId::as_str),
                    m.at_ms.cast_signed(),
                    &m.body[..],
                    clock_ms.cast_signed(),
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
            // The commit is durable; the mark is a second witness, and may fail.
            let noted = self.mark.note(last.message.sequence).and_then(|()| self.mark.sync());
            if let Err(error) = noted {
                tracing::warn!(%error, "the log's high-water mark could not be written");
            }
        }
        Ok(())
    }

    /// Makes one setting durable; `None` removes it.
    pub(crate) fn put(&mut self, key: &SettingKey, value: Option<&Setting>) -> rusqlite::Result<()> {
        self.sync_mode(true)?;
        let connection = &self.connection;
        let user = |user: &Option<UserId>| user.as_ref().map_or("", UserId::as_str).to_owned();
        match (key, value.map(Setting::json)) {
            (SettingKey::Room(room), Some(json)) => connection.execute(
                "INSERT OR REPLACE INTO rooms (room, settings) VALUES (?1, ?2)",
                params![room.as_str(), json],
            ),
            (SettingKey::Room(room), None) => {
                connection.execute("DELETE FROM rooms WHERE room = ?1", [room.as_str()])
            }
            (SettingKey::Restriction(room, user), Some(json)) => connection.execute(
                "INSERT OR REPLACE INTO restrictions (room, user, restriction) VALUES (?1, ?2, ?3)",
                params![room.as_str(), user.as_str(), json],
            ),
            (SettingKey::Restriction(room, user), None) => connection.execute(
                "DELETE FROM restrictions WHERE room = ?1 AND user = ?2",
                params![room.as_str(), user.as_str()],
            ),
            (SettingKey::Switches, Some(json)) => {
                connection.execute("INSERT OR REPLACE INTO switches (id, switches) VALUES (0, ?1)", [json])
            }
            (SettingKey::Switches, None) => connection.execute("DELETE FROM switches", []),
            (SettingKey::Revocation(of), Some(json)) => connection.execute(
                "INSERT OR REPLACE INTO revocations (user, before_secs) VALUES (?1, ?2)",
                params![user(of), json],
            ),
            (SettingKey::Revocation(of), None) => {
                connection.execute("DELETE FROM revocations WHERE user = ?1", [user(of)])
            }
        }?;
        Ok(())
    }

    /// Removes some of what is older than the log keeps, by the log's clock. Positions grow
    /// with it, so the oldest rows are the first ones.
    pub(crate) fn sweep(&mut self, kept_from_ms: u64) -> rusqlite::Result<usize> {
        self.sync_mode(false)?;
        self.connection.execute(
            "DELETE FROM messages WHERE sequence IN
               (SELECT sequence FROM messages ORDER BY sequence LIMIT ?1) AND clock_ms < ?2",
            params![SWEEP_ROWS, kept_from_ms.cast_signed()],
        )
    }

    fn sync_mode(&mut self, synced: bool) -> rusqlite::Result<()> {
        if self.synced != synced {
            self.connection.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
            self.synced = synced;
        }
        Ok(())
    }
}

/// Reads for the archiver, on a connection of its own.
pub(crate) struct JournalReader(
    Connection,
    #[expect(dead_code, reason = "closed after the connection")] Arc<LogFile>,
);

impl JournalReader {
    pub(crate) fn open(path: &Path, file: Arc<LogFile>) -> rusqlite::Result<Self> {
        Ok(JournalReader(connect(path)?, file))
    }

    pub(crate) fn room_messages(&self, after: Sequence, limit: usize) -> rusqlite::Result<Vec<Arc<Message>>> {
        let mut statement = self.0.prepare_cached(
            "SELECT sequence, room, previous, class, sender, id, recipient, at_ms, body
             FROM messages WHERE sequence > ?1 AND direct = 0 ORDER BY sequence LIMIT ?2",
        )?;
        let rows = statement.query_map(params![after.0.cast_signed(), limit.cast_signed()], |row| {
            message(row).map(Arc::new)
        })?;
        rows.collect()
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

fn topic(direct: i64, room: &RoomId) -> Topic {
    if direct == 1 { Topic::Direct } else { Topic::Room(room.clone()) }
}

fn class_number(class: Class) -> i64 {
    match class {
        Class::Signal => 0,
        Class::Gift => 1,
        Class::Chat => 2,
        Class::Pulse => 3,
    }
}

fn corrupt(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error| corrupt(column, error))
}

/// Direct topics store an empty room in `topics`; there it stands for "no room".
fn room(row: &Row<'_>, column: usize) -> rusqlite::Result<RoomId> {
    let text = row.get_ref(column)?.as_str()?;
    RoomId::parse(if text.is_empty() { "-" } else { text }).map_err(|error| corrupt(column, error))
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let optional = |column: usize| row.get::<_, Option<String>>(column);
    let class = match row.get::<_, i64>(3)? {
        0 => Class::Signal,
        1 => Class::Gift,
        2 => Class::Chat,
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(3, other)),
    };
    Ok(Message {
        sequence: Sequence(row.get::<_, i64>(0)?.cast_unsigned()),
        room: room(row, 1)?,
        previous: Sequence(row.get::<_, i64>(2)?.cast_unsigned()),
        class,
        sender: optional(4)?.map(|s| s.parse().map_err(|e| corrupt(4, e))).transpose()?,
        id: optional(5)?.map(|s| s.parse().map_err(|e| corrupt(5, e))).transpose()?,
        to: optional(6)?.map(|s| s.parse().map_err(|e| corrupt(6, e))).transpose()?,
        at_ms: row.get::<_, i64>(7)?.cast_unsigned(),
        body: row.get::<_, Vec<u8>>(8)?.into(),
    })
}
