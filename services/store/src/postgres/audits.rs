//! The audit log.

use barrage_protocol::{RoomId, UserId};

use super::{PostgresStore, value};
use crate::archive::rows;
use crate::row;
use crate::{AuditLine, AuditRecord, StoreError};

pub(super) async fn append(store: &PostgresStore, records: &[AuditRecord]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let all = |of: fn(&AuditRecord) -> Option<&str>| records.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO audit (at_ms, room, user_id, actor, action, detail)
         SELECT at_ms, room, user_id, actor, action, detail
         FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
            WITH ORDINALITY AS line (at_ms, room, user_id, actor, action, detail, place)
         ORDER BY place",
    )
    .bind(records.iter().map(|record| row::int(record.at_ms)).collect::<Vec<_>>())
    .bind(all(|record| record.room.as_ref().map(RoomId::as_str)))
    .bind(all(|record| record.user.as_ref().map(UserId::as_str)))
    .bind(records.iter().map(|record| value::text(&record.actor)).collect::<Vec<_>>())
    .bind(records.iter().map(|record| value::text(&record.action)).collect::<Vec<_>>())
    .bind(records.iter().map(|record| record.detail.to_string()).collect::<Vec<_>>())
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// The room is a range for the reason that the archive's history gives.
pub(super) async fn page(
    store: &PostgresStore,
    room: Option<&RoomId>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<AuditLine>, StoreError> {
    let sql = match room {
        Some(_) => {
            r#"SELECT id, at_ms, room, user_id AS "user", actor, action, detail FROM audit
               WHERE (room, id) < ($1, $2) AND room >= $1 ORDER BY room DESC, id DESC LIMIT $3"#
        }
        None => {
            r#"SELECT id, at_ms, room, user_id AS "user", actor, action, detail FROM audit
               WHERE $1::text IS NULL AND id < $2 ORDER BY id DESC LIMIT $3"#
        }
    };
    let found = sqlx::query(sql)
        .bind(room.map(RoomId::as_str))
        .bind(before.map_or(i64::MAX, row::int))
        .bind(rows(limit))
        .fetch_all(&store.pool)
        .await?;
    found.iter().map(row::audit_line).collect()
}

pub(super) async fn delete(store: &PostgresStore, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM audit WHERE id = ANY(ARRAY(
            SELECT id FROM audit WHERE at_ms < $1 ORDER BY at_ms, id LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(row::int(before_ms))
    .bind(rows(limit))
    .execute(&store.pool)
    .await?;
    Ok(done.rows_affected())
}
