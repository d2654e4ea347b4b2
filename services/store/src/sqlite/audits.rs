//! The audit log.

use barrage_protocol::RoomId;

use super::SqliteStore;
use crate::archive::rows;
use crate::row;
use crate::{AuditLine, AuditRecord, StoreError};

pub(super) async fn append(store: &SqliteStore, records: &[AuditRecord]) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    for record in records {
        sqlx::query("INSERT INTO audit (at_ms, room, user, actor, action, detail) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(row::int(record.at_ms))
            .bind(record.room.as_ref().map(RoomId::as_str))
            .bind(record.user.as_ref().map(|user| user.as_str()))
            .bind(&record.actor)
            .bind(&record.action)
            .bind(record.detail.to_string())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn page(
    store: &SqliteStore,
    room: Option<&RoomId>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<AuditLine>, StoreError> {
    let found = sqlx::query(
        "SELECT id, at_ms, room, user, actor, action, detail FROM audit
         WHERE id < ?1 AND (?2 IS NULL OR room = ?2) ORDER BY id DESC LIMIT ?3",
    )
    .bind(before.map_or(i64::MAX, row::int))
    .bind(room.map(RoomId::as_str))
    .bind(rows(limit))
    .fetch_all(&store.readers)
    .await?;
    found.iter().map(row::audit_line).collect()
}

pub(super) async fn delete(store: &SqliteStore, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < ? ORDER BY at_ms, id LIMIT ?)",
    )
    .bind(row::int(before_ms))
    .bind(rows(limit))
    .execute(&store.writer)
    .await?;
    Ok(done.rows_affected())
}
