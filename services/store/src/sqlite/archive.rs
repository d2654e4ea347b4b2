//! The message archive: writing, paging, hiding, deleting.

use barrage_protocol::post::History;
use barrage_protocol::{RoomId, Sequence};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{SqliteStore, gifts};
use crate::archive::{self, Kept, rows};
use crate::row;
use crate::stream_starts::{RoomStarts, StreamStarts};
use crate::{ArchiveEntry, HISTORY_LIMIT_MAX, HistoryRange, StoreError};

/// Rows per statement: 9 values each, far under SQLite's 32,766.
const CHUNK_ROWS: usize = 500;

pub(super) async fn append(
    store: &SqliteStore,
    partition: u16,
    entries: &[ArchiveEntry],
) -> Result<u64, StoreError> {
    let Some(greatest) = entries.iter().map(|entry| entry.message.sequence).max() else {
        return Ok(0);
    };
    let bodies = entries.iter().map(|entry| archive::body(&entry.message)).collect::<Result<Vec<_>, _>>()?;
    let mut transaction = store.begin().await?;
    let mut streams = StreamStarts::default();
    let mut new = 0;
    for (entries, bodies) in entries.chunks(CHUNK_ROWS).zip(bodies.chunks(CHUNK_ROWS)) {
        let mut chunk = Vec::with_capacity(entries.len());
        for (entry, body) in entries.iter().zip(bodies) {
            let message = &*entry.message;
            if !streams.knows(&message.room) {
                *streams.room(&message.room) = room_starts(&mut transaction, &message.room).await?;
            }
            let stream_started_at_ms = streams.start_of(message);
            chunk.push(Kept { message, body, stream_started_at_ms });
        }
        let inserted = insert(&mut transaction, &chunk).await?;
        if inserted < chunk.len() as u64 {
            compare(&mut transaction, &chunk).await?;
        }
        new += inserted;
    }
    gifts::insert(&mut transaction, archive::gifts(entries)).await?;
    for (message, sequence) in archive::recalls(entries) {
        recall(&mut transaction, &message.room, sequence).await?;
    }
    sqlx::query(
        "INSERT INTO archive_positions (partition, sequence) VALUES (?, ?)
         ON CONFLICT (partition) DO UPDATE SET sequence = MAX(sequence, excluded.sequence)",
    )
    .bind(partition)
    .bind(row::int(greatest.0))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(new)
}

async fn insert(connection: &mut SqliteConnection, chunk: &[Kept<'_>]) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO messages (sequence, room, class, sender, recipient, at_ms,
            stream_started_at_ms, offset_ms, body) ",
    );
    query.push_values(chunk, |mut values, kept| {
        let message = kept.message;
        values
            .push_bind(row::int(message.sequence.0))
            .push_bind(message.room.as_str().to_owned())
            .push_bind(message.class.label())
            .push_bind(message.sender.as_ref().map(|user| user.as_str().to_owned()))
            .push_bind(message.to.as_ref().map(|user| user.as_str().to_owned()))
            .push_bind(row::int(message.at_ms))
            .push_bind(row::int(kept.stream_started_at_ms))
            .push_bind(row::int(kept.offset_ms()))
            .push_bind(kept.body.to_owned());
    });
    query.push(" ON CONFLICT (room, sequence) DO NOTHING");
    // The text differs with the number of rows: not worth a place in the cache.
    Ok(query.build().persistent(false).execute(connection).await?.rows_affected())
}

/// What was there already must be the same message.
async fn compare(connection: &mut SqliteConnection, chunk: &[Kept<'_>]) -> Result<(), StoreError> {
    for kept in chunk {
        let row = sqlx::query("SELECT at_ms, body FROM messages WHERE room = ? AND sequence = ?")
            .bind(kept.message.room.as_str())
            .bind(row::int(kept.message.sequence.0))
            .fetch_one(&mut *connection)
            .await?;
        let same = row.try_get::<i64, _>("at_ms")? == row::int(kept.message.at_ms)
            && row.try_get::<&str, _>("body")? == kept.body;
        if !same {
            return Err(StoreError::Conflict(kept.message.sequence));
        }
    }
    Ok(())
}

async fn room_starts(connection: &mut SqliteConnection, room: &RoomId) -> Result<RoomStarts, StoreError> {
    let known =
        sqlx::query("SELECT started_at_ms FROM streams WHERE room = ? ORDER BY started_at_ms DESC LIMIT ?")
            .bind(room.as_str())
            .bind(rows(HISTORY_LIMIT_MAX))
            .fetch_all(&mut *connection)
            .await?;
    let known: Result<Vec<u64>, _> = known.iter().map(|row| row::uint(row, "started_at_ms")).collect();
    Ok(RoomStarts { known: known?, fallback: newest_stream(connection, room).await? })
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
    row.map(|row| row::uint(&row, "stream_started_at_ms")).transpose()
}

pub(super) async fn up_to(store: &SqliteStore, partition: u16) -> Result<Sequence, StoreError> {
    let row = sqlx::query("SELECT sequence FROM archive_positions WHERE partition = ?")
        .bind(partition)
        .fetch_optional(&store.readers)
        .await?;
    row.map_or(Ok(Sequence::ZERO), |row| Ok(Sequence(row::uint(&row, "sequence")?)))
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
            row::int(sequence.0),
        ),
        HistoryRange::Before(_) | HistoryRange::Latest => (
            "SELECT sequence, class, at_ms, offset_ms, body FROM messages
             WHERE room = ? AND recalled = 0 AND recipient IS NULL AND sequence < ?
             ORDER BY sequence DESC LIMIT ?",
            match range {
                HistoryRange::Before(sequence) => row::int(sequence.0),
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
    let mut history = row::history(&found, limit)?;
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
        None => newest_stream(&mut connection, room).await?.map(row::int),
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
    .bind(row::int(from_ms))
    .bind(row::int(to_ms))
    .bind(rows(limit).saturating_add(1))
    .fetch_all(&mut *connection)
    .await?;
    row::history(&found, limit)
}

pub(super) async fn recall(
    connection: &mut SqliteConnection,
    room: &RoomId,
    sequence: Sequence,
) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE messages SET recalled = 1 WHERE room = ? AND sequence = ?")
        .bind(room.as_str())
        .bind(row::int(sequence.0))
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn delete(store: &SqliteStore, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM messages WHERE rowid IN
            (SELECT rowid FROM messages WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
    )
    .bind(row::int(before_ms))
    .bind(rows(limit))
    .execute(&store.writer)
    .await?;
    Ok(done.rows_affected())
}
