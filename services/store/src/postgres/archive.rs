//! Appending to the message archive in PostgreSQL, a whole batch in each statement.

use std::collections::HashMap;

use barrage_protocol::{Message, RoomId, Sequence, UserId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row};

use super::gifts;
use crate::error::StoreError;
use crate::records::archive::ArchiveEntry;
use crate::sql::batch::{self, Hidden, Kept};
use crate::sql::page::{HISTORY_LIMIT_MAX, int, rows};
use crate::sql::row;
use crate::sql::stream_starts::StreamStarts;

/// Appends a batch in a fixed number of statements. The caller bounds its length.
pub(super) async fn append(
    pool: &PgPool,
    partition: u16,
    entries: &[ArchiveEntry],
) -> Result<u64, StoreError> {
    let bodies = batch::bodies(entries)?;
    let mut transaction = pool.begin().await?;
    lock_partition(&mut transaction, partition).await?;
    let mut starts = read_starts(&mut transaction, entries).await?;
    let kept: Vec<Kept<'_>> = entries
        .iter()
        .zip(bodies)
        .filter(|(entry, _)| !entry.message.room.is_probe())
        .map(|(entry, body)| {
            let message = &*entry.message;
            Kept { message, body, stream_started_at_ms: starts.start_of(message) }
        })
        .collect();
    let new = insert(&mut transaction, &kept).await?;
    if new < kept.len() as u64 {
        compare(&mut transaction, &kept).await?;
    }
    gifts::insert(&mut transaction, batch::gifts(entries)).await?;
    let recalls: Vec<_> = batch::recalls(entries).map(|(message, of)| (&message.room, of)).collect();
    hide(&mut transaction, &recalls).await?;
    hide_before(&mut transaction, &batch::hidden(entries)).await?;
    sqlx::query("UPDATE archive_positions SET sequence = GREATEST(sequence, $1) WHERE partition = $2")
        .bind(int(batch::greatest(entries).unwrap_or_default().0))
        .bind(i32::from(partition))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(new)
}

/// Lets one archiver of a partition write at a time, by creating the partition's row or locking it
/// with an update that changes nothing. Two archivers overlap when the first one was considered dead
/// and was not: without the lock they would deadlock on each other's messages, and count a new room's
/// offsets from two different starts. Archivers of two partitions have no room in common.
async fn lock_partition(connection: &mut PgConnection, partition: u16) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO archive_positions AS known (partition, sequence) VALUES ($1, 0)
         ON CONFLICT (partition) DO UPDATE SET sequence = known.sequence",
    )
    .bind(i32::from(partition))
    .execute(connection)
    .await?;
    Ok(())
}

/// Reads the stream starts of the batch's rooms.
async fn read_starts(
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
    let ints = |of: fn(&Kept<'_>) -> u64| batch.iter().map(|kept| int(of(kept))).collect::<Vec<_>>();
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

/// Fails when another message is stored at the same position. A message that retention deleted in
/// between cannot differ.
async fn compare(connection: &mut PgConnection, batch: &[Kept<'_>]) -> Result<(), StoreError> {
    let found = sqlx::query(
        "SELECT messages.room, messages.sequence, at_ms, body FROM messages
         JOIN UNNEST($1::text[], $2::bigint[]) AS asked (room, sequence)
            ON messages.room = asked.room AND messages.sequence = asked.sequence",
    )
    .bind(batch.iter().map(|kept| kept.message.room.as_str()).collect::<Vec<_>>())
    .bind(batch.iter().map(|kept| int(kept.message.sequence.0)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut stored: HashMap<(&str, u64), &PgRow> = HashMap::with_capacity(found.len());
    for row in &found {
        stored.insert((row::text(row, "room")?, row::uint(row, "sequence")?), row);
    }
    for kept in batch {
        let key = (kept.message.room.as_str(), kept.message.sequence.0);
        let Some(&row) = stored.get(&key) else { continue };
        let is_same = row.try_get::<i64, _>("at_ms")? == int(kept.message.at_ms)
            && row::text(row, "body")? == kept.body;
        if !is_same {
            return Err(StoreError::Conflict(kept.message.sequence));
        }
    }
    Ok(())
}

/// Hides messages from history; ignores those that are not stored.
async fn hide(connection: &mut PgConnection, recalls: &[(&RoomId, Sequence)]) -> Result<(), StoreError> {
    if recalls.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE messages SET recalled = TRUE
         FROM UNNEST($1::text[], $2::bigint[]) AS recall (room, sequence)
         WHERE messages.sequence = recall.sequence AND messages.room = recall.room",
    )
    .bind(recalls.iter().map(|(room, _)| room.as_str()).collect::<Vec<_>>())
    .bind(recalls.iter().map(|(_, sequence)| int(sequence.0)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Hides messages before positions from history; an earlier position does not show them again.
async fn hide_before(connection: &mut PgConnection, hidden: &[Hidden<'_>]) -> Result<(), StoreError> {
    if hidden.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO hidden AS known (room, user_id, before_sequence, at_ms)
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[])
         ON CONFLICT (room, user_id) DO UPDATE SET
            before_sequence = GREATEST(known.before_sequence, excluded.before_sequence),
            at_ms = GREATEST(known.at_ms, excluded.at_ms)",
    )
    .bind(hidden.iter().map(|hidden| hidden.room.as_str()).collect::<Vec<_>>())
    .bind(hidden.iter().map(|hidden| hidden.user).collect::<Vec<_>>())
    .bind(hidden.iter().map(|hidden| int(hidden.before.0)).collect::<Vec<_>>())
    .bind(hidden.iter().map(|hidden| int(hidden.at_ms)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
