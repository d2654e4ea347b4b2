//! Users whose badges are lowered after a read.

use std::collections::BTreeMap;

use barrage_inbox::UserNumber;
use barrage_protocol::UserId;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::devices::devices_of;
use crate::inbox::codes::{int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::push::Badges;
use crate::inbox::sqlite::read::{all, one};

/// Lets the badges of users wait who have a device with one.
pub(in crate::inbox::sqlite) fn lower(
    transaction: &Transaction<'_>,
    users: &BTreeMap<&UserId, u64>,
) -> Result<(), InboxError> {
    if users.is_empty() {
        return Ok(());
    }
    let mut waits = transaction
        .prepare_cached(&parse::lowering_query("(SELECT ?1 AS id, ?2 AS due_ms) AS asked", "MAX"))?;
    for (user, due_ms) in users {
        waits.execute(params![user.as_str(), int(*due_ms)])?;
    }
    Ok(())
}

pub(in crate::inbox::sqlite) fn take(
    connection: &mut Connection,
    now_ms: u64,
    limit: usize,
) -> Result<Vec<Badges>, InboxError> {
    // The courier's transactions must not wait for a look at a list without a due user.
    let due = "SELECT 1 FROM inbox_push_badges WHERE due_ms <= ?1 LIMIT 1";
    if !connection.prepare_cached(due)?.exists([int(now_ms)])? {
        return Ok(Vec::new());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT user_n FROM inbox_push_badges WHERE due_ms <= ?1 ORDER BY due_ms LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let users: Vec<i64> = all(&transaction, sql, [int(now_ms), limit], |row| row.int(0))?;
    let total = parse::total_query("?1", "MAX");
    let mut taken = Vec::with_capacity(users.len());
    for user in users {
        transaction.prepare_cached("DELETE FROM inbox_push_badges WHERE user_n = ?1")?.execute([user])?;
        let total = one(&transaction, &total, [user], |row| uint(row.int(0)?))?.unwrap_or(0);
        taken.push(Badges { user: UserNumber(user), total, devices: devices_of(&transaction, user)? });
    }
    transaction.commit()?;
    Ok(taken)
}
