//! Appending to the message archive in SQLite, in chunks of rows.

use barrage_protocol::{RoomId, Sequence};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::gifts;
use crate::error::StoreError;
use crate::records::archive::ArchiveEntry;
use crate::sql::batch::{self, Hidden, Kept};
use crate::sql::page::{HISTORY_LIMIT_MAX, int, rows};
use crate::sql::row;
use crate::sql::stream_starts::{RoomStarts, StreamStarts};

/// Rows of one statement, with 9 values each. A statement of so many rows is prepared once: its text is as
/// dear as the rows.
const CHUNK_ROWS: usize = 64;

/// Appends a batch within the caller's transaction; returns the number of new messages.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    partition: u16,
    entries: &[ArchiveEntry],
) -> Result<u64, StoreError> {
    let bodies = batch::bodies(entries)?;
    let mut streams = StreamStarts::default();
    let mut new = 0;
    for (entries, bodies) in entries.chunks(CHUNK_ROWS).zip(bodies.chunks(CHUNK_ROWS)) {
        let mut chunk = Vec::with_capacity(entries.len());
        for (entry, body) in entries.iter().zip(bodies) {
            let message = &*entry.message;
            if message.room.is_probe() {
                continue;
            }
            if !streams.has(&message.room) {
                *streams.room(&message.room) = room_starts(&mut *connection, &message.room).await?;
            }
            let stream_started_at_ms = streams.start_of(message);
            chunk.push(Kept { message, body, stream_started_at_ms });
        }
        if chunk.is_empty() {
            continue;
        }
        let inserted = insert(&mut *connection, &chunk).await?;
        if inserted < chunk.len() as u64 {
            compare(&mut *connection, &chunk).await?;
        }
        new += inserted;
    }
    gifts::insert(&mut *connection, batch::gifts(entries)).await?;
    for (message, sequence) in batch::recalls(entries) {
        hide(&mut *connection, &message.room, sequence).await?;
    }
    for hidden in batch::hidden(entries) {
        hide_before(&mut *connection, hidden).await?;
    }
    sqlx::query(
        "INSERT INTO archive_positions (partition, sequence) VALUES (?, ?)
         ON CONFLICT (partition) DO UPDATE SET sequence = MAX(sequence, excluded.sequence)",
    )
    .bind(partition)
    .bind(int(batch::greatest(entries).unwrap_or_default().0))
    .execute(&mut *connection)
    .await?;
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
            .push_bind(int(message.sequence.0))
            .push_bind(message.room.as_str().to_owned())
            .push_bind(message.class.label())
            .push_bind(message.sender.as_ref().map(|user| user.as_str().to_owned()))
            .push_bind(message.to.as_ref().map(|user| user.as_str().to_owned()))
            .push_bind(int(message.at_ms))
            .push_bind(int(kept.stream_started_at_ms))
            .push_bind(int(kept.offset_ms()))
            .push_bind(kept.body.to_owned());
    });
    query.push(" ON CONFLICT (room, sequence) DO NOTHING");
    // The text depends on the number of rows, and that of the last chunk is not worth a slot of the statement
    // cache.
    let is_whole = chunk.len() == CHUNK_ROWS;
    Ok(query.build().persistent(is_whole).execute(connection).await?.rows_affected())
}

/// Fails when another message is stored at the same position.
async fn compare(connection: &mut SqliteConnection, chunk: &[Kept<'_>]) -> Result<(), StoreError> {
    for kept in chunk {
        let row = sqlx::query("SELECT at_ms, body FROM messages WHERE room = ? AND sequence = ?")
            .bind(kept.message.room.as_str())
            .bind(int(kept.message.sequence.0))
            .fetch_one(&mut *connection)
            .await?;
        let is_same = row.try_get::<i64, _>("at_ms")? == int(kept.message.at_ms)
            && row.try_get::<&str, _>("body")? == kept.body;
        if !is_same {
            return Err(StoreError::Conflict(kept.message.sequence));
        }
    }
    Ok(())
}

/// Reads the stream starts of a room.
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

/// Returns the stream of the room's newest visible message.
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

/// Hides a message from history; does nothing when it is not stored.
async fn hide(
    connection: &mut SqliteConnection,
    room: &RoomId,
    sequence: Sequence,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE messages SET recalled = 1 WHERE room = ? AND sequence = ?")
        .bind(room.as_str())
        .bind(int(sequence.0))
        .execute(connection)
        .await?;
    Ok(())
}

/// Hides messages before a position from history; an earlier position does not show them again.
async fn hide_before(connection: &mut SqliteConnection, hidden: Hidden<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hidden (room, user, before_sequence, at_ms) VALUES (?, ?, ?, ?)
         ON CONFLICT (room, user) DO UPDATE SET
            before_sequence = MAX(before_sequence, excluded.before_sequence),
            at_ms = MAX(at_ms, excluded.at_ms)",
    )
    .bind(hidden.room.as_str())
    .bind(hidden.user)
    .bind(int(hidden.before.0))
    .bind(int(hidden.at_ms))
    .execute(connection)
    .await?;
    Ok(())
}
