//! The queue of notifications that wait.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::devices::devices_of;
use crate::inbox::codes::{Code, int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::push::{Call, Due, Settled, Take};
use crate::inbox::sqlite::read::{all, one};

/// Rows that a look at the queue counts.
const COUNTED_MAX: i64 = 100_000;

/// Writes rows for the receivers of a batch who have a device. A row that waits keeps its time.
pub(in crate::inbox::sqlite) fn enqueue(
    transaction: &Transaction<'_>,
    calls: &[Call],
) -> Result<(), InboxError> {
    if calls.is_empty() {
        return Ok(());
    }
    let condition = parse::called_condition("?5");
    let conflict = parse::queue_conflict("MAX");
    let one = format!(
        "INSERT INTO inbox_push_queue SELECT m.user_n, m.conversation, ?3, ?4, ?5, 0, 0, NULL
         FROM inbox_members AS m WHERE m.conversation = ?1 AND m.user_n = ?2 AND {condition} {conflict}"
    );
    let members = format!(
        "INSERT INTO inbox_push_queue SELECT m.user_n, m.conversation, ?3, ?4, ?5, 0, 0, NULL
         FROM inbox_members AS m WHERE m.conversation = ?1 AND m.user_n <> ?2 AND {condition} {conflict}"
    );
    for call in calls {
        let (sql, user) = match call.user {
            Some(user) => (&one, user),
            None => (&members, call.sender),
        };
        let (due, up_to) = (int(call.due_ms), int(call.up_to));
        let row = params![call.conversation.0, user.0, due, up_to, call.kind.code()];
        transaction.prepare_cached(sql)?.execute(row)?;
    }
    Ok(())
}

/// Takes due rows: their time moves behind the lease, so that another sender takes what this one does not settle.
pub(in crate::inbox::sqlite) fn take(
    connection: &mut Connection,
    take: Take,
) -> Result<Vec<Due>, InboxError> {
    // The courier's transactions must not wait for a look at a queue without a due row.
    if next_due(connection)?.is_none_or(|first_ms| first_ms > take.now_ms) {
        return Ok(Vec::new());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let limit = i64::try_from(take.limit).unwrap_or(i64::MAX);
    let sql = format!("{} WHERE q.due_ms <= ?1 ORDER BY q.due_ms LIMIT ?2", parse::due_query());
    let mut rows = all(&transaction, &sql, [int(take.now_ms), limit], |row| parse::due(row, take.taken))?;
    let mut leased = transaction.prepare_cached(
        "UPDATE inbox_push_queue SET due_ms = ?3, taken = ?4, attempts = attempts + 1
         WHERE user_n = ?1 AND conversation = ?2",
    )?;
    let item = parse::newest_unread_query(["?1", "?2", "?3", "?4"]);
    let total = parse::total_query("?1", "MAX");
    for due in &mut rows {
        let (user, conversation) = (due.user.0, due.conversation.number.0);
        leased.execute(params![user, conversation, int(take.now_ms + take.lease_ms), take.taken])?;
        let read = due.member.as_ref().map_or(0, |member| member.counters.read.position.0);
        let range = [conversation, user, int(read), int(due.up_to)];
        due.item = one(&transaction, &item, range, |row| parse::stored_item(row))?;
        due.total = one(&transaction, &total, [user], |row| uint(row.int(0)?))?.unwrap_or(0);
        due.devices = devices_of(&transaction, user)?;
    }
    drop(leased);
    transaction.commit()?;
    Ok(rows)
}

pub(in crate::inbox::sqlite) fn next_due(connection: &Connection) -> Result<Option<u64>, InboxError> {
    let first = one(connection, "SELECT MIN(due_ms) FROM inbox_push_queue", [], |row| {
        row.optional_int(0)?.map(uint).transpose()
    })?;
    Ok(first.flatten())
}

pub(in crate::inbox::sqlite) fn waiting(connection: &Connection) -> Result<u64, InboxError> {
    let count = "SELECT COUNT(*) FROM (SELECT 1 FROM inbox_push_queue LIMIT ?1)";
    Ok(one(connection, count, [COUNTED_MAX], |row| uint(row.int(0)?))?.unwrap_or(0))
}

pub(in crate::inbox::sqlite) fn settle(
    connection: &mut Connection,
    due: &Due,
    settled: &Settled,
) -> Result<bool, InboxError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (user, conversation, up_to) = (due.user.0, due.conversation.number.0, int(due.up_to));
    let changed = match settled {
        Settled::Done { newer_due_ms } => {
            let gone = transaction
                .prepare_cached(
                    "DELETE FROM inbox_push_queue WHERE user_n = ?1 AND conversation = ?2 AND taken = ?3
                        AND up_to <= ?4",
                )?
                .execute(params![user, conversation, due.taken, up_to])?;
            let newer = transaction
                .prepare_cached(
                    "UPDATE inbox_push_queue SET due_ms = ?4, taken = 0, attempts = 0, rest = NULL
                     WHERE user_n = ?1 AND conversation = ?2 AND taken = ?3",
                )?
                .execute(params![user, conversation, due.taken, int(*newer_due_ms)])?;
            gone + newer
        }
        Settled::Again { due_ms, rest } => {
            let rest = serde_json::to_string(rest).map_err(|_| InboxError::Corrupt("rest"))?;
            // A newer item has joined the row: it is for all devices.
            transaction
                .prepare_cached(
                    "UPDATE inbox_push_queue SET due_ms = ?4, taken = 0,
                        rest = CASE WHEN up_to <= ?5 THEN ?6 END
                     WHERE user_n = ?1 AND conversation = ?2 AND taken = ?3",
                )?
                .execute(params![user, conversation, due.taken, int(*due_ms), up_to, rest])?
        }
    };
    transaction.commit()?;
    Ok(changed > 0)
}
