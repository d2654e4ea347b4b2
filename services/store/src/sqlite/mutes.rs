//! Mutes.

use barrage_protocol::{RoomId, UserId};

use super::SqliteStore;
use crate::archive::rows;
use crate::row;
use crate::{Mute, StoreError};

pub(super) async fn put(store: &SqliteStore, mute: &Mute) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO mutes (room, user, until_ms) VALUES (?, ?, ?)
         ON CONFLICT (room, user) DO UPDATE SET until_ms = excluded.until_ms",
    )
    .bind(mute.room.as_str())
    .bind(mute.user.as_str())
    .bind(row::int(mute.until_ms))
    .execute(&store.writer)
    .await?;
    Ok(())
}

pub(super) async fn remove(store: &SqliteStore, room: &RoomId, user: &UserId) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM mutes WHERE room = ? AND user = ?")
        .bind(room.as_str())
        .bind(user.as_str())
        .execute(&store.writer)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn until(
    store: &SqliteStore,
    room: &RoomId,
    user: &UserId,
    now_ms: u64,
) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query("SELECT until_ms FROM mutes WHERE room = ? AND user = ? AND until_ms > ?")
        .bind(room.as_str())
        .bind(user.as_str())
        .bind(row::int(now_ms))
        .fetch_optional(&store.readers)
        .await?;
    row.map(|row| row::uint(&row, "until_ms")).transpose()
}

pub(super) async fn active(
    store: &SqliteStore,
    room: &RoomId,
    now_ms: u64,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<Mute>, StoreError> {
    let found = sqlx::query(
        "SELECT user, until_ms FROM mutes
         WHERE room = ? AND user > ? AND until_ms > ?
         ORDER BY user LIMIT ?",
    )
    .bind(room.as_str())
    .bind(after.map_or("", UserId::as_str))
    .bind(row::int(now_ms))
    .bind(rows(limit))
    .fetch_all(&store.readers)
    .await?;
    let read = |row| {
        Ok(Mute { room: room.clone(), user: row::user(row, "user")?, until_ms: row::uint(row, "until_ms")? })
    };
    found.iter().map(read).collect()
}

pub(super) async fn delete_ended(store: &SqliteStore, now_ms: u64, limit: usize) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM mutes WHERE (room, user) IN
            (SELECT room, user FROM mutes WHERE until_ms <= ? ORDER BY until_ms LIMIT ?)",
    )
    .bind(row::int(now_ms))
    .bind(rows(limit))
    .execute(&store.writer)
    .await?;
    Ok(done.rows_affected())
}
