//! Removes items that are too old.

use barrage_inbox::{ConversationNumber, Kind, Mark, Position, ReadMark, UserNumber};
use barrage_protocol::Sequence;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::read::{all, mark, one};
use super::write;
use crate::inbox::codes::{int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::retention::{Behind, Oldest, TRIM_MAX, moved};
use crate::inbox::store::AWAY_ROWS_MAX;

pub(super) fn oldest(
    connection: &Connection,
    after: ConversationNumber,
    limit: usize,
) -> Result<Vec<Oldest>, InboxError> {
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    all(connection, &parse::oldest_query("?1", "?2"), [after.0, limit], |row| parse::oldest(row))
}

pub(super) fn trim(
    connection: &mut Connection,
    lane: u16,
    at: Sequence,
    number: ConversationNumber,
    before_ms: u64,
) -> Result<u64, InboxError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if mark(&transaction, lane)? != at {
        return Err(InboxError::Fenced { lane, expected: at });
    }
    let last = "SELECT MAX(position) FROM (SELECT position, at_ms FROM inbox_messages WHERE conversation = ?1
        ORDER BY position LIMIT ?2) WHERE at_ms < ?3";
    let found = one(&transaction, last, params![number.0, int(TRIM_MAX), int(before_ms)], |row| {
        row.optional_position(0)
    })?;
    let Some(last) = found.flatten() else { return Ok(0) };
    let sql = format!("SELECT {} FROM inbox_conversations AS c WHERE c.n = ?1", parse::CONVERSATION);
    let conversation = one(&transaction, &sql, [number.0], |row| parse::conversation(row, 0))?;
    let conversation = conversation.ok_or(InboxError::Corrupt("conversation"))?;
    let (place, behind) = behind(&transaction, number, last, conversation.id.kind())?;
    write::changes(&transaction, &moved(&conversation, place, behind))?;
    let mut removed = 0;
    for (table, counts) in [("inbox_messages", true), ("inbox_hidden", false), ("inbox_mentions", false)] {
        let sql = format!("DELETE FROM {table} WHERE conversation = ?1 AND position <= ?2");
        let rows = transaction.execute(&sql, params![number.0, int(last.0)])? as u64;
        removed += if counts { rows } else { 0 };
    }
    transaction.commit()?;
    Ok(removed)
}

/// Returns the place of the last removed item, and the members who have not read up to it.
fn behind(
    transaction: &Transaction<'_>,
    number: ConversationNumber,
    last: Position,
    kind: Kind,
) -> Result<(Mark, Vec<Behind>), InboxError> {
    let item = "SELECT count, sender, own FROM inbox_messages WHERE conversation = ?1 AND position = ?2";
    let item = one(transaction, item, params![number.0, int(last.0)], |row| {
        Ok((row.count(0)?, UserNumber(row.int(1)?), row.count(2)?))
    })?;
    let (count, sender, sent) = item.ok_or(InboxError::Corrupt("item"))?;
    let place = Mark { position: last, count };
    let sql = format!(
        "SELECT {} FROM inbox_members AS m WHERE m.conversation = ?1 AND m.read_position < ?2",
        parse::MEMBER
    );
    let members = all(transaction, &sql, params![number.0, int(last.0)], |row| parse::member(row, 0))?;
    let user = format!("SELECT {} FROM inbox_users WHERE n = ?1", parse::USER);
    let own = "SELECT own FROM inbox_messages WHERE grouped = 1 AND conversation = ?1 AND sender = ?2
        AND position <= ?3 ORDER BY position DESC LIMIT 1";
    let mut behind = Vec::with_capacity(members.len());
    for member in members {
        let user = one(transaction, &user, [member.user.0], |row| parse::user(row))?;
        let user = user.ok_or(InboxError::Corrupt("user"))?;
        let own = match kind {
            Kind::Direct => ReadMark::in_direct(place, sender, sent, member.user).own,
            Kind::Group => {
                let keys = params![number.0, member.user.0, int(last.0)];
                uint(one(transaction, own, keys, |row| row.int(0))?.unwrap_or(0))?
            }
        };
        behind.push(Behind { member, user, own });
    }
    Ok((place, behind))
}

pub(super) fn forget_reports(connection: &Connection, before_ms: u64) -> Result<u64, InboxError> {
    Ok(connection.execute("DELETE FROM inbox_reports WHERE at_ms < ?1", [int(before_ms)])? as u64)
}
