//! Mutes.

use barrage_protocol::{RoomId, UserId};

use super::PostgresStore;
use crate::archive::rows;
use crate::row;
use crate::{Mute, StoreError};

pub(super) async fn put(store: &PostgresStore, mute: &Mute) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO mutes (room, user_id, until_ms) VALUES ($1, $2, $3)
         ON CONFLICT (room, user_id) DO UPDATE SET until_ms = excluded.until_ms",
    )
    .bind(mute.room.as_str())
    .bind(mute.user.as_str())
    .bind(row::int(mute.until_ms))
    .execute(&store.pool)
    .await?;
    Ok(())
}

pub(super) async fn remove(store: &PostgresStore, room: &RoomId, user: &UserId) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM mutes WHERE room = $1 AND user_id = $2")
        .bind(room.as_str())
        .bind(user.as_str())
        .execute(&store.pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn until(
    store: &PostgresStore,
    room: &RoomId,
    user: &UserId,
    now_ms: u64,
) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query("SELECT until_ms FROM mutes WHERE room = $1 AND user_id = $2 AND until_ms > $3")
        .bind(room.as_str())
        .bind(user.as_str())
        .bind(row::int(now_ms))
        .fetch_optional(&store.pool)
        .await?;
    row.map(|row| row::uint(&row, "until_ms")).transpose()
}

pub(super) async fn active(
    store: &PostgresStore,
    room: &RoomId,
    now_ms: u64,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<Mute>, StoreError> {
    let found = sqlx::query(
        r#"SELECT user_id AS "user", until_ms FROM mutes
           WHERE room = $1 AND user_id > $2 AND until_ms > $3
           ORDER BY user_id LIMIT $4"#,
    )
    .bind(room.as_str())
    .bind(after.map_or("", UserId::as_str))
    .bind(row::int(now_ms))
    .bind(rows(limit))
    .fetch_all(&store.pool)
    .await?;
    let read = |row| {
        Ok(Mute { room: room.clone(), user: row::user(row, "user")?, until_ms: row::uint(row, "until_ms")? })
    };
    found.iter().map(read).collect()
}

/// Passes over what another transaction has in hand: a mute that is just being
/// prolonged must not be deleted for the end that it had before.
pub(super) async fn delete_ended(
    store: &PostgresStore,
    now_ms: u64,
    limit: usize,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM mutes WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM mutes WHERE until_ms <= $1
            ORDER BY until_ms LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(row::int(now_ms))
    .bind(rows(limit))
    .execute(&store.pool)
    .await?;
    Ok(done.rows_affected())
}
