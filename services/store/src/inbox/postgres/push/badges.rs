//! Users whose badges are lowered after a read.

use std::collections::BTreeMap;

use barrage_inbox::UserNumber;
use barrage_protocol::UserId;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::devices::{devices_of, totals_of};
use crate::inbox::codes::int;
use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::push::Badges;

/// Lets the badges of users wait who have a device with one.
pub(in crate::inbox::postgres) async fn lower(
    connection: &mut PgConnection,
    users: &BTreeMap<&UserId, u64>,
) -> Result<(), InboxError> {
    if users.is_empty() {
        return Ok(());
    }
    // In one order over all couriers, so that two of them do not wait for each other.
    let asked = "UNNEST($1::text[], $2::bigint[]) AS asked (id, due_ms)";
    let sql = parse::lowering_query(asked, "GREATEST");
    sqlx::query(AssertSqlSafe(sql))
        .bind(users.keys().map(|user| user.as_str()).collect::<Vec<_>>())
        .bind(users.values().map(|due_ms| int(*due_ms)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

pub(in crate::inbox::postgres) async fn take(
    pool: &PgPool,
    now_ms: u64,
    limit: usize,
) -> Result<Vec<Badges>, InboxError> {
    let mut transaction = pool.begin().await?;
    let taken = sqlx::query_scalar::<_, i64>(
        "DELETE FROM inbox_push_badges WHERE user_n IN (
            SELECT user_n FROM inbox_push_badges WHERE due_ms <= $1 ORDER BY due_ms LIMIT $2
            FOR UPDATE SKIP LOCKED)
         RETURNING user_n",
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let users = taken.bind(int(now_ms)).bind(limit).fetch_all(&mut *transaction).await?;
    let mut devices = devices_of(&mut transaction, &users).await?;
    let totals = totals_of(&mut transaction, &users).await?;
    transaction.commit().await?;
    let of = |user: i64| Badges {
        user: UserNumber(user),
        total: totals.get(&user).copied().unwrap_or(0),
        devices: devices.remove(&user).unwrap_or_default(),
    };
    Ok(users.into_iter().map(of).collect())
}
