//! The queue of notifications that wait.

use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::devices::{devices_of, totals_of};
use crate::inbox::codes::{Code, int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::push::{Call, Due, Settled, Take};

/// Writes rows for the receivers of a batch who have a device, each once, in one order over all couriers. A row that
/// waits keeps its time.
pub(in crate::inbox::postgres) async fn enqueue(
    connection: &mut PgConnection,
    calls: &[Call],
) -> Result<(), InboxError> {
    if calls.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO inbox_push_queue
         SELECT m.user_n, m.conversation, MIN(call.due_ms), MAX(call.up_to), MAX(call.kind), 0, 0, NULL
         FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[])
                AS call (conversation, one, sender, due_ms, up_to, kind)
            JOIN inbox_members AS m ON m.conversation = call.conversation AND m.user_n <> call.sender
                AND (call.one IS NULL OR m.user_n = call.one)
         WHERE {}
         GROUP BY m.user_n, m.conversation ORDER BY m.user_n, m.conversation {}",
        parse::called_condition("call.kind"),
        parse::queue_conflict("GREATEST")
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(calls.iter().map(|call| call.conversation.0).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.user.map(|user| user.0)).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.sender.0).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| int(call.due_ms)).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| int(call.up_to)).collect::<Vec<_>>())
        .bind(calls.iter().map(|call| call.kind.code()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes due rows that no other sender has locked: their time moves behind the lease, so that another sender takes
/// what this one does not settle.
pub(in crate::inbox::postgres) async fn take(pool: &PgPool, take: Take) -> Result<Vec<Due>, InboxError> {
    let mut transaction = pool.begin().await?;
    let sql = format!(
        "{} WHERE q.due_ms <= $1 ORDER BY q.due_ms LIMIT $2 FOR UPDATE OF q SKIP LOCKED",
        parse::due_query()
    );
    let found = sqlx::query(AssertSqlSafe(sql))
        .bind(int(take.now_ms))
        .bind(i64::try_from(take.limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *transaction)
        .await?;
    let mut rows: Vec<Due> = found.iter().map(|row| parse::due(row, take.taken)).collect::<Result<_, _>>()?;
    let users: Vec<i64> = rows.iter().map(|due| due.user.0).collect();
    sqlx::query(
        "UPDATE inbox_push_queue AS q SET due_ms = $3, taken = $4, attempts = attempts + 1
         FROM UNNEST($1::bigint[], $2::bigint[]) AS asked (user_n, conversation)
         WHERE q.user_n = asked.user_n AND q.conversation = asked.conversation",
    )
    .bind(&users)
    .bind(rows.iter().map(|due| due.conversation.number.0).collect::<Vec<_>>())
    .bind(int(take.now_ms + take.lease_ms))
    .bind(take.taken)
    .execute(&mut *transaction)
    .await?;
    let devices = devices_of(&mut transaction, &users).await?;
    let totals = totals_of(&mut transaction, &users).await?;
    let item = parse::newest_unread_query(["$1", "$2", "$3", "$4"]);
    for due in &mut rows {
        let read = due.member.as_ref().map_or(0, |member| member.counters.read.position.0);
        let found = sqlx::query(AssertSqlSafe(item.clone()))
            .bind(due.conversation.number.0)
            .bind(due.user.0)
            .bind(int(read))
            .bind(int(due.up_to))
            .fetch_optional(&mut *transaction)
            .await?;
        due.item = found.as_ref().map(parse::stored_item).transpose()?;
        due.total = totals.get(&due.user.0).copied().unwrap_or(0);
        // A user may have several rows among these.
        due.devices = devices.get(&due.user.0).cloned().unwrap_or_default();
    }
    transaction.commit().await?;
    Ok(rows)
}

pub(in crate::inbox::postgres) async fn next_due(pool: &PgPool) -> Result<Option<u64>, InboxError> {
    let first = sqlx::query_scalar::<_, Option<i64>>("SELECT MIN(due_ms) FROM inbox_push_queue");
    first.fetch_one(pool).await?.map(uint).transpose()
}

pub(in crate::inbox::postgres) async fn waiting(pool: &PgPool) -> Result<u64, InboxError> {
    let count = sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM (SELECT 1 FROM inbox_push_queue LIMIT 100000) AS counted",
    );
    uint(count.fetch_one(pool).await?)
}

pub(in crate::inbox::postgres) async fn settle(
    pool: &PgPool,
    due: &Due,
    settled: &Settled,
) -> Result<bool, InboxError> {
    let (user, conversation, up_to) = (due.user.0, due.conversation.number.0, int(due.up_to));
    match settled {
        Settled::Done { newer_due_ms } => {
            let gone = sqlx::query(
                "DELETE FROM inbox_push_queue WHERE user_n = $1 AND conversation = $2 AND taken = $3 AND up_to <= $4",
            );
            let gone = gone.bind(user).bind(conversation).bind(due.taken).bind(up_to);
            if gone.execute(pool).await?.rows_affected() > 0 {
                return Ok(true);
            }
            let newer = sqlx::query(
                "UPDATE inbox_push_queue SET due_ms = $4, taken = 0, attempts = 0, rest = NULL
                 WHERE user_n = $1 AND conversation = $2 AND taken = $3",
            );
            let newer = newer.bind(user).bind(conversation).bind(due.taken).bind(int(*newer_due_ms));
            Ok(newer.execute(pool).await?.rows_affected() > 0)
        }
        Settled::Again { due_ms, rest } => {
            let rest = serde_json::to_string(rest).map_err(|_| InboxError::Corrupt("rest"))?;
            // A newer item has joined the row: it is for all devices.
            let again = sqlx::query(
                "UPDATE inbox_push_queue SET due_ms = $4, taken = 0, rest = CASE WHEN up_to <= $5 THEN $6 END
                 WHERE user_n = $1 AND conversation = $2 AND taken = $3",
            );
            let again = again.bind(user).bind(conversation).bind(due.taken).bind(int(*due_ms)).bind(up_to);
            Ok(again.bind(rest).execute(pool).await?.rows_affected() > 0)
        }
    }
}
