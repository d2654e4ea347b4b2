//! The message archive: writing, paging, hiding, deleting.

use std::collections::HashMap;

use barrage_protocol::post::History;
use barrage_protocol::{Message, RoomId, Sequence, UserId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::{PostgresStore, gifts};
use crate::archive::{self, Kept, rows};
use crate::row;
use crate::stream_starts::StreamStarts;
use crate::{ArchiveEntry, HISTORY_LIMIT_MAX, HistoryRange, StoreError};

/// The whole batch in a few statements, however long it is; its length is the
/// caller's to bound.
pub(super) async fn append(
    store: &PostgresStore,
    partition: u16,
    entries: &[ArchiveEntry],
) -> Result<u64, StoreError> {
    let Some(greatest) = entries.iter().map(|entry| entry.message.sequence).max() else {
        return Ok(0);
    };
    let bodies = entries.iter().map(|entry| archive::body(&entry.message)).collect::<Result<Vec<_>, _>>()?;
    let mut transaction = store.pool.begin().await?;
    wait_in_line(&mut transaction, partition).await?;
    let mut starts = learn_starts(&mut transaction, entries).await?;
    let batch: Vec<Kept<'_>> = entries
        .iter()
        .zip(bodies)
        .map(|(entry, body)| {
            let message = &*entry.message;
            Kept { message, body, stream_started_at_ms: starts.start_of(message) }
        })
        .collect();
    let new = insert(&mut transaction, &batch).await?;
    if new < batch.len() as u64 {
        compare(&mut transaction, &batch).await?;
    }
    gifts::insert(&mut transaction, archive::gifts(entries)).await?;
    let recalls: Vec<_> = archive::recalls(entries).map(|(message, of)| (&message.room, of)).collect();
    hide(&mut transaction, &recalls).await?;
    sqlx::query("UPDATE archive_positions SET sequence = GREATEST(sequence, $1) WHERE partition = $2")
        .bind(row::int(greatest.0))
        .bind(i32::from(partition))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(new)
}

/// One archiver of a partition writes at a time: two that overlap after one was
/// thought dead would else lock each other's messages in a circle, and count a new
/// room's offsets from two different beginnings. Those of two partitions have no
/// room in common. Makes the partition's row, or locks it by leaving it as it is.
async fn wait_in_line(connection: &mut PgConnection, partition: u16) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO archive_positions AS known (partition, sequence) VALUES ($1, 0)
         ON CONFLICT (partition) DO UPDATE SET sequence = known.sequence",
    )
    .bind(i32::from(partition))
    .execute(connection)
    .await?;
    Ok(())
}

/// What is known of the batch's rooms.
async fn learn_starts(
    connection: &mut PgConnection,
    entries: &[ArchiveEntry],
) -> Result<StreamStarts, StoreError> {
    let mut starts = StreamStarts::default();
    let mut rooms: HashMap<&str, &RoomId> = HashMap::new();
    for entry in entries {
        let room = &entry.message.room;
        rooms.insert(room.as_str(), room);
    }
    let names: Vec<&str> = rooms.keys().copied().collect();
    let known = sqlx::query(
        "SELECT asked.room, known.started_at_ms FROM UNNEST($1::text[]) AS asked (room),
         LATERAL (SELECT started_at_ms FROM streams WHERE streams.room = asked.room
            ORDER BY started_at_ms DESC LIMIT $2) AS known
         ORDER BY known.started_at_ms DESC",
    )
    .bind(&names)
    .bind(rows(HISTORY_LIMIT_MAX))
    .fetch_all(&mut *connection)
    .await?;
    for found in &known {
        let room = rooms[row::text(found, "room")?];
        starts.room(room).known.push(row::uint(found, "started_at_ms")?);
    }
    let newest = sqlx::query(
        "SELECT asked.room, newest.stream_started_at_ms FROM UNNEST($1::text[]) AS asked (room),
         LATERAL (SELECT stream_started_at_ms FROM messages
            WHERE messages.room >= asked.room AND messages.room <= asked.room
                AND NOT recalled AND recipient IS NULL
            ORDER BY messages.room DESC, sequence DESC LIMIT 1) AS newest",
    )
    .bind(&names)
    .fetch_all(&mut *connection)
    .await?;
    for found in &newest {
        let room = rooms[row::text(found, "room")?];
        starts.room(room).fallback = Some(row::uint(found, "stream_started_at_ms")?);
    }
    Ok(starts)
}

async fn insert(connection: &mut PgConnection, batch: &[Kept<'_>]) -> Result<u64, StoreError> {
    let ints = |of: fn(&Kept<'_>) -> u64| batch.iter().map(|kept| row::int(of(kept))).collect::<Vec<_>>();
    let users = |of: fn(&Message) -> Option<&UserId>| {
        batch.iter().map(|kept| of(kept.message).map(UserId::as_str)).collect::<Vec<_>>()
    };
    let done = sqlx::query(
        "INSERT INTO messages (sequence, room, class, sender, recipient, at_ms,
            stream_started_at_ms, offset_ms, body)
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
            $7::bigint[], $8::bigint[], $9::text[])
         ON CONFLICT (room, sequence) DO NOTHING",
    )
    .bind(ints(|kept| kept.message.sequence.0))
    .bind(batch.iter().map(|kept| kept.message.room.as_str()).collect::<Vec<_>>())
    .bind(batch.iter().map(|kept| kept.message.class.label()).collect::<Vec<_>>())
    .bind(users(|message| message.sender.as_ref()))
    .bind(users(|message| message.to.as_ref()))
    .bind(ints(|kept| kept.message.at_ms))
    .bind(ints(|kept| kept.stream_started_at_ms))
    .bind(ints(|kept| kept.offset_ms()))
    .bind(batch.iter().map(|kept| kept.body).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// What was there already must be the same message. One that retention deleted
/// in between is none that could differ.
async fn compare(connection: &mut PgConnection, batch: &[Kept<'_>]) -> Result<(), StoreError> {
    let found = sqlx::query(
        "SELECT messages.room, messages.sequence, at_ms, body FROM messages
         JOIN UNNEST($1::text[], $2::bigint[]) AS asked (room, sequence)
            ON messages.room = asked.room AND messages.sequence = asked.sequence",
    )
    .bind(batch.iter().map(|kept| kept.message.room.as_str()).collect::<Vec<_>>())
    .bind(batch.iter().map(|kept| row::int(kept.message.sequence.0)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut kept_before: HashMap<(&str, u64), &PgRow> = HashMap::with_capacity(found.len());
    for row in &found {
        kept_before.insert((row::text(row, "room")?, row::uint(row, "sequence")?), row);
    }
    for kept in batch {
        let key = (kept.message.room.as_str(), kept.message.sequence.0);
        let Some(&row) = kept_before.get(&key) else { continue };
        let same = row.try_get::<i64, _>("at_ms")? == row::int(kept.message.at_ms)
            && row::text(row, "body")? == kept.body;
        if !same {
            return Err(StoreError::Conflict(kept.message.sequence));
        }
    }
    Ok(())
}

pub(super) async fn up_to(store: &PostgresStore, partition: u16) -> Result<Sequence, StoreError> {
    let row = sqlx::query("SELECT sequence FROM archive_positions WHERE partition = $1")
        .bind(i32::from(partition))
        .fetch_optional(&store.pool)
        .await?;
    row.map_or(Ok(Sequence::ZERO), |row| Ok(Sequence(row::uint(&row, "sequence")?)))
}

/// The room is a range, not an equality, so that only an index by room and sequence
/// has the order asked for. By an equality PostgreSQL may take another one, and read
/// and sort far more than a page.
pub(super) async fn history(
    store: &PostgresStore,
    room: &RoomId,
    range: HistoryRange,
    limit: usize,
) -> Result<History, StoreError> {
    let (sql, bound) = match range {
        HistoryRange::After(sequence) => (
            "SELECT sequence, class, at_ms, offset_ms, body FROM messages
             WHERE (room, sequence) > ($1, $2) AND room <= $1 AND NOT recalled AND recipient IS NULL
             ORDER BY room, sequence LIMIT $3",
            row::int(sequence.0),
        ),
        HistoryRange::Before(_) | HistoryRange::Latest => (
            "SELECT sequence, class, at_ms, offset_ms, body FROM messages
             WHERE (room, sequence) < ($1, $2) AND room >= $1 AND NOT recalled AND recipient IS NULL
             ORDER BY room DESC, sequence DESC LIMIT $3",
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
        .fetch_all(&store.pool)
        .await?;
    let mut history = row::history(&found, limit)?;
    if !matches!(range, HistoryRange::After(_)) {
        history.messages.reverse();
    }
    Ok(history)
}

pub(super) async fn history_by_offset(
    store: &PostgresStore,
    room: &RoomId,
    from_ms: u64,
    to_ms: u64,
    limit: usize,
) -> Result<History, StoreError> {
    let found = sqlx::query(
        "SELECT sequence, class, at_ms, offset_ms, body FROM messages
         WHERE room = $1 AND NOT recalled AND recipient IS NULL
            AND stream_started_at_ms = COALESCE(
                (SELECT MAX(started_at_ms) FROM streams WHERE room = $1),
                (SELECT stream_started_at_ms FROM messages
                 WHERE room >= $1 AND room <= $1 AND NOT recalled AND recipient IS NULL
                 ORDER BY room DESC, sequence DESC LIMIT 1))
            AND offset_ms >= $2 AND offset_ms < $3
         ORDER BY offset_ms, sequence LIMIT $4",
    )
    .bind(room.as_str())
    .bind(row::int(from_ms))
    .bind(row::int(to_ms))
    .bind(rows(limit).saturating_add(1))
    .fetch_all(&store.pool)
    .await?;
    row::history(&found, limit)
}

pub(super) async fn recall(
    store: &PostgresStore,
    room: &RoomId,
    sequence: Sequence,
) -> Result<bool, StoreError> {
    let hidden = hide(&mut *store.pool.acquire().await?, &[(room, sequence)]).await?;
    Ok(hidden > 0)
}

/// Hides messages of these rooms; returns how many there were.
async fn hide(connection: &mut PgConnection, recalls: &[(&RoomId, Sequence)]) -> Result<u64, StoreError> {
    if recalls.is_empty() {
        return Ok(0);
    }
    let done = sqlx::query(
        "UPDATE messages SET recalled = TRUE
         FROM UNNEST($1::text[], $2::bigint[]) AS recall (room, sequence)
         WHERE messages.sequence = recall.sequence AND messages.room = recall.room",
    )
    .bind(recalls.iter().map(|(room, _)| room.as_str()).collect::<Vec<_>>())
    .bind(recalls.iter().map(|(_, sequence)| row::int(sequence.0)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Passes over messages that are being recalled: the next call finds them. The
/// array is made once; a join could ask the locking query again and pass the limit.
pub(super) async fn delete(store: &PostgresStore, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM messages WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM messages WHERE at_ms < $1
            ORDER BY at_ms LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(row::int(before_ms))
    .bind(rows(limit))
    .execute(&store.pool)
    .await?;
    Ok(done.rows_affected())
}
