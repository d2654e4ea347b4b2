//! Rows of the log, and connections to it.

use std::path::Path;

use barrage_protocol::{Class, Message, RoomId, Sequence, TraceContext, Traceparent};
use rusqlite::{Connection, Row, ffi};

use crate::log::Topic;

/// Version of the files' tables. It grows with a change that an older program would not understand.
const VERSION: i64 = 1;

/// Fails for a file of a newer version, and notes this version in the others.
pub(crate) fn check_version(connection: &Connection) -> rusqlite::Result<()> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        let reason = format!(
            "the file has version {found}, which a newer barrage made; this one reads {VERSION}: start the newer one, \
             or restore a backup from before its start"
        );
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_MISMATCH), Some(reason)));
    }
    if found < VERSION {
        connection.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(())
}

/// Opens a connection in WAL mode with full syncs. A statement waits up to 5 s for a lock of another
/// connection.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

pub(crate) fn topic(direct: i64, room: &RoomId) -> Topic {
    if direct == 1 { Topic::Direct } else { Topic::Room(room.clone()) }
}

pub(crate) fn class_number(class: Class) -> i64 {
    match class {
        Class::Signal => 0,
        Class::Gift => 1,
        Class::Chat => 2,
        Class::Pulse => 3,
    }
}

pub(crate) fn corrupt(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

pub(crate) fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error| corrupt(column, error))
}

/// Reads a room id. Direct topics store an empty one in the table `topics`: it reads as `-`.
pub(crate) fn room(row: &Row<'_>, column: usize) -> rusqlite::Result<RoomId> {
    let text = row.get_ref(column)?.as_str()?;
    RoomId::parse(if text.is_empty() { "-" } else { text }).map_err(|error| corrupt(column, error))
}

/// Columns of a message, in the order that [`message`] reads them.
pub(crate) const MESSAGE: &str =
    "sequence, room, previous, class, sender, id, recipient, at_ms, body, traceparent, sum";

/// Returns the sum over a message's fields, which is stored with it: SQLite notices no bit that changes in the
/// main file. It is FNV-1a, because chance changes bits and nobody chooses them.
pub(crate) fn sum(message: &Message) -> i64 {
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.len().to_le_bytes().iter().chain(bytes) {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    let Message { room, sequence, previous, class, sender, id, to, at_ms, trace: _, body } = message;
    add(room.as_str().as_bytes());
    for number in [sequence.0, previous.0, class_number(*class).cast_unsigned(), *at_ms] {
        add(&number.to_le_bytes());
    }
    add(sender.as_ref().map_or("", |sender| sender.as_str()).as_bytes());
    add(id.as_ref().map_or("", |id| id.as_str()).as_bytes());
    add(to.as_ref().map_or("", |to| to.as_str()).as_bytes());
    add(body);
    sum.cast_signed()
}

/// Fails as SQLite does for a damaged file when a message is not the one that was stored. Messages of older
/// versions have no sum.
fn checked(message: Message, stored: Option<i64>) -> rusqlite::Result<Message> {
    if stored.is_none_or(|stored| stored == sum(&message)) {
        return Ok(message);
    }
    let text = format!("the message at {} has changed on the disk", message.sequence);
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(text)))
}

/// Reads the trace of a message; messages that are not sampled have none.
fn trace(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Box<TraceContext>>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    Ok(text.and_then(|text| text.parse::<Traceparent>().ok()).map(|parent| Box::new(parent.context)))
}

pub(crate) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let optional = |column: usize| row.get::<_, Option<String>>(column);
    let class = match row.get::<_, i64>(3)? {
        0 => Class::Signal,
        1 => Class::Gift,
        2 => Class::Chat,
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(3, other)),
    };
    let message = Message {
        sequence: Sequence(row.get::<_, i64>(0)?.cast_unsigned()),
        room: room(row, 1)?,
        previous: Sequence(row.get::<_, i64>(2)?.cast_unsigned()),
        class,
        sender: optional(4)?.map(|s| s.parse().map_err(|e| corrupt(4, e))).transpose()?,
        id: optional(5)?.map(|s| s.parse().map_err(|e| corrupt(5, e))).transpose()?,
        to: optional(6)?.map(|s| s.parse().map_err(|e| corrupt(6, e))).transpose()?,
        at_ms: row.get::<_, i64>(7)?.cast_unsigned(),
        trace: trace(row, 9)?,
        body: row.get::<_, Vec<u8>>(8)?.into(),
    };
    checked(message, row.get(10)?)
}
