//! The message archive: writing, paging, hiding, deleting.

use std::collections::HashMap;

use barrage_protocol::post::{History, HistoryMessage};
use barrage_protocol::{Class, Message, RoomId, Sequence};
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{SqliteStore, gifts, page, rows, value};
use crate::{ArchiveEntry, Effect, HISTORY_LIMIT_MAX, HistoryRange, StoreError};

/// Rows per statement: 9 values each, far under SQLite's 32,766.
const CHUNK_ROWS: usize = 500;

/// A message that may be kept, with what is known only here.
struct Kept<'a> {
    message: &'a Message,
    body: &'a str,
    stream_started_at_ms: u64,
}

pub(super) async fn append(store: &SqliteStore, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
    let Some(greatest) = entries.iter().map(|entry| entry.message.sequence).max() else {
        return Ok(0);
    };
    let bodies = entries.iter().map(|entry| body(&entry.message)).collect::<Result<Vec<_>, _>>()?;
    let mut transaction = store.begin().await?;
    let mut streams = Streams::default();
    let mut new = 0;
    for (entries, bodies) in entries.chunks(CHUNK_ROWS).zip(bodies.chunks(CHUNK_ROWS)) {
        let mut chunk = Vec::with_capacity(entries.len());
        for (entry, body) in entries.iter().zip(bodies) {
            let message = &*entry.message;
            let stream_started_at_ms = streams.start_of(&mut transaction, message).await?;
            chunk.push(Kept { message, body, stream_started_at_ms });
        }
        let inserted = insert(&mut transaction, &chunk).await?;
        if inserted < chunk.len() as u64 {
            compare(&mut transaction, &chunk).await?;
        }
        new += inserted;
    }
    let ledger = entries.iter().filter_map(|entry| match &entry.effect {
        Effect::Gift(gift) => Some(gift),
        Effect::None | Effect::Recall(_) => None,
    });
    gifts::insert(&mut transaction, ledger).await?;
    for entry in entries {
        if let Effect::Recall(sequence) = entry.effect {
            recall(&mut transaction, &entry.message.room, sequence).await?;
        }
    }
    sqlx::query("UPDATE archive_position SET sequence = MAX(sequence, ?) WHERE id = 1")
        .bind(value::int(greatest.0))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(new)
}

/// The body as text, if the message may be kept at all.
fn body(message: &Message) -> Result<&str, StoreError> {
    let sequence = message.sequence;
    let refuse = |reason| StoreError::Unacceptable { sequence, reason };
    if message.class == Class::Pulse || sequence == Sequence::ZERO {
        return Err(refuse("a pulse has no place in the chain"));
    }
    if sequence > Sequence::MAX {
        return Err(refuse("its sequence is beyond 2^53"));
    }
    let raw: &RawValue = serde_json::from_slice(&message.body).map_err(|_| refuse("its body is not JSON"))?;
    Ok(raw.get())
}

async fn insert(connection: &mut SqliteConnection, chunk: &[Kept<'_>]) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO messages (sequence, room, class, sender, recipient, at_ms,
            stream_started_at_ms, offset_ms, body) ",
    );
    query.push_values(chunk, |mut row, kept| {
        let message = kept.message;
        row.push_bind(value::int(message.sequence.0))
            .push_bind(message.room.as_str().to_owned())
            .push_bind(message.class.label())
            .push_bind(message.sender.as_ref().map(|user| user.as_str().to_owned()))
            .push_bind(message.to.as_ref().map(|user| user.as_str().to_owned()))
            .push_bind(value::int(message.at_ms))
            .push_bind(value::int(kept.stream_started_at_ms))
            .push_bind(value::int(message.at_ms.saturating_sub(kept.stream_started_at_ms)))
            .push_bind(kept.body.to_owned());
    });
    query.push(" ON CONFLICT (sequence) DO NOTHING");
    // The text differs with the number of rows: not worth a place in the cache.
    Ok(query.build().persistent(false).execute(connection).await?.rows_affected())
}

/// What was there already must be the same message.
async fn compare(connection: &mut SqliteConnection, chunk: &[Kept<'_>]) -> Result<(), StoreError> {
    for kept in chunk {
        let row = sqlx::query("SELECT room, at_ms, body FROM messages WHERE sequence = ?")
            .bind(value::int(kept.message.sequence.0))
            .fetch_one(&mut *connection)
            .await?;
        let same = row.try_get::<&str, _>("room")? == kept.message.room.as_str()
            && row.try_get::<i64, _>("at_ms")? == value::int(kept.message.at_ms)
            && row.try_get::<&str, _>("body")? == kept.body;
        if !same {
            return Err(StoreError::Conflict(kept.message.sequence));
        }
    }
    Ok(())
}

/// When the streams of a batch's rooms began, each room asked for once.
#[derive(Default)]
struct Streams {
    by_room: HashMap<RoomId, RoomStreams>,
}

struct RoomStreams {
    /// Known starts, newest first; older ones than these do not matter to an
    /// archiver that is at most this many streams behind.
    starts: Vec<u64>,
    /// The stream of the room's newest archived message, for messages of a room
    /// that nobody has put, and for those from before its first known stream.
    fallback: Option<u64>,
}

impl Streams {
    async fn start_of(
        &mut self,
        connection: &mut SqliteConnection,
        message: &Message,
    ) -> Result<u64, StoreError> {
        if !self.by_room.contains_key(&message.room) {
            let known = RoomStreams::load(connection, &message.room).await?;
            self.by_room.insert(message.room.clone(), known);
        }
        let known = self.by_room.get_mut(&message.room).expect("inserted above");
        Ok(known.start_of(message.at_ms))
    }
}

impl RoomStreams {
    async fn load(connection: &mut SqliteConnection, room: &RoomId) -> Result<Self, StoreError> {
        let starts = sqlx::query(
            "SELECT started_at_ms FROM streams WHERE room = ? ORDER BY started_at_ms DESC LIMIT ?",
        )
        .bind(room.as_str())
        .bind(rows(HISTORY_LIMIT_MAX))
        .fetch_all(&mut *connection)
        .await?;
        let starts: Result<Vec<u64>, _> =
            starts.iter().map(|row| value::uint(row, "started_at_ms")).collect();
        Ok(RoomStreams { starts: starts?, fallback: newest_stream(connection, room).await? })
    }

    fn start_of(&mut self, at_ms: u64) -> u64 {
        if let Some(start) = self.starts.iter().find(|start| **start <= at_ms) {
            return *start;
        }
        *self.fallback.get_or_insert(at_ms)
    }
}

/// The stream of the room's newest visible message.
async fn newest_stream(connection: &mut SqliteConnection, room: &RoomId) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query(
        "SELECT stream_started_at_ms FROM messages
         WHERE room = ? AND recalled = 0 AND recipient IS NULL
         ORDER BY sequence DESC LIMIT 1",
    )
    .bind(room.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| value::uint(&row, "stream_started_at_ms")).transpose()
}

pub(super) async fn up_to(store: &SqliteStore) -> Result<Sequence, StoreError> {
    let row =
        sqlx::query("SELECT sequence FROM archive_position WHERE id = 1").fetch_one(&store.readers).await?;
    Ok(Sequence(value::uint(&row, "sequence")?))
}

pub(super) async fn history(
    store: &SqliteStore,
    room: &RoomId,
    range: HistoryRange,
    limit: usize,
) -> Result<History, StoreError> {
    let (sql, bound) = match range {
        HistoryRange::After(sequence) => (
            "SELECT sequence, class, at_ms, offset_ms, body FROM messages
             WHERE room = ? AND recalled = 0 AND recipient IS NULL AND sequence > ?
             ORDER BY sequence LIMIT ?",
            value::int(sequence.0),
        ),
        HistoryRange::Before(_) | HistoryRange::Latest => (
            "SELECT sequence, class, at_ms, offset_ms, body FROM messages
             WHERE room = ? AND recalled = 0 AND recipient IS NULL AND sequence < ?
             ORDER BY sequence DESC LIMIT ?",
            match range {
                HistoryRange::Before(sequence) => value::int(sequence.0),
                HistoryRange::After(_) | HistoryRange::Latest => i64::MAX,
            },
        ),
    };
    let found = sqlx::query(sql)
        .bind(room.as_str())
        .bind(bound)
        .bind(rows(limit).saturating_add(1))
        .fetch_all(&store.readers)
        .await?;
    let mut history = read_page(&found, limit)?;
    if !matches!(range, HistoryRange::After(_)) {
        history.messages.reverse();
    }
    Ok(history)
}

pub(super) async fn history_by_offset(
    store: &SqliteStore,
    room: &RoomId,
    from_ms: u64,
    to_ms: u64,
    limit: usize,
) -> Result<History, StoreError> {
    let mut connection = store.readers.acquire().await?;
    let latest = sqlx::query("SELECT MAX(started_at_ms) AS start FROM streams WHERE room = ?")
        .bind(room.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let start = match latest.try_get::<Option<i64>, _>("start")? {
        Some(start) => Some(start),
        None => newest_stream(&mut connection, room).await?.map(value::int),
    };
    let Some(start) = start else {
        return Ok(History { messages: Vec::new(), more: false });
    };
    let found = sqlx::query(
        "SELECT sequence, class, at_ms, offset_ms, body FROM messages
         WHERE room = ? AND recalled = 0 AND recipient IS NULL
            AND stream_started_at_ms = ? AND offset_ms >= ? AND offset_ms < ?
         ORDER BY offset_ms, sequence LIMIT ?",
    )
    .bind(room.as_str())
    .bind(start)
    .bind(value::int(from_ms))
    .bind(value::int(to_ms))
    .bind(rows(limit).saturating_add(1))
    .fetch_all(&mut *connection)
    .await?;
    read_page(&found, limit)
}

pub(super) async fn recall(
    connection: &mut SqliteConnection,
    room: &RoomId,
    sequence: Sequence,
) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE messages SET recalled = 1 WHERE sequence = ? AND room = ?")
        .bind(value::int(sequence.0))
        .bind(room.as_str())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn delete(store: &SqliteStore, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM messages WHERE sequence IN
            (SELECT sequence FROM messages WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
    )
    .bind(value::int(before_ms))
    .bind(rows(limit))
    .execute(&store.writer)
    .await?;
    Ok(done.rows_affected())
}

/// The page out of what was found, of which one row more than the page was asked.
fn read_page(found: &[SqliteRow], limit: usize) -> Result<History, StoreError> {
    let shown = &found[..found.len().min(page(limit))];
    let messages: Result<Vec<_>, _> = shown.iter().map(read).collect();
    Ok(History { messages: messages?, more: found.len() > shown.len() })
}

fn read(row: &SqliteRow) -> Result<HistoryMessage, StoreError> {
    let class: &str = row.try_get("class")?;
    let class = Class::ALL.into_iter().find(|known| known.label() == class);
    Ok(HistoryMessage {
        sequence: Sequence(value::uint(row, "sequence")?),
        class: class.ok_or(StoreError::Corrupt("class"))?,
        at_ms: value::uint(row, "at_ms")?,
        offset_ms: value::uint(row, "offset_ms")?,
        body: RawValue::from_string(row.try_get("body")?).map_err(|_| StoreError::Corrupt("body"))?,
    })
}
