//! Rooms, and the starts of their streams.

use barrage_protocol::RoomId;

use super::{PostgresStore, value};
use crate::archive::rows;
use crate::row;
use crate::{Room, StoreError};

pub(super) async fn put(store: &PostgresStore, room: &Room) -> Result<(), StoreError> {
    let mut transaction = store.pool.begin().await?;
    sqlx::query(
        "INSERT INTO rooms (id, title, created_at_ms, stream_started_at_ms, closed)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET
            title = excluded.title,
            created_at_ms = excluded.created_at_ms,
            stream_started_at_ms = excluded.stream_started_at_ms,
            closed = excluded.closed",
    )
    .bind(room.id.as_str())
    .bind(value::text(&room.title))
    .bind(row::int(room.created_at_ms))
    .bind(row::int(room.stream_started_at_ms))
    .bind(room.closed)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("INSERT INTO streams (room, started_at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(room.id.as_str())
        .bind(row::int(room.stream_started_at_ms))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn get(store: &PostgresStore, id: &RoomId) -> Result<Option<Room>, StoreError> {
    let row = sqlx::query("SELECT * FROM rooms WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&store.pool)
        .await?;
    row.as_ref().map(row::room).transpose()
}

pub(super) async fn list(
    store: &PostgresStore,
    after: Option<&RoomId>,
    limit: usize,
) -> Result<Vec<Room>, StoreError> {
    let found = sqlx::query("SELECT * FROM rooms WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after.map_or("", RoomId::as_str))
        .bind(rows(limit))
        .fetch_all(&store.pool)
        .await?;
    found.iter().map(row::room).collect()
}

pub(super) async fn close(store: &PostgresStore, id: &RoomId) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE rooms SET closed = TRUE WHERE id = $1")
        .bind(id.as_str())
        .execute(&store.pool)
        .await?;
    Ok(done.rows_affected() > 0)
}
