//! Removes items that are too old.

use std::collections::HashMap;

use barrage_inbox::{ConversationNumber, Kind, Mark, Position, ReadMark, User, UserNumber};
use barrage_protocol::Sequence;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::write;
use crate::inbox::codes::{int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::retention::{Behind, Oldest, TRIM_MAX, moved};
use crate::inbox::store::AWAY_ROWS_MAX;

pub(super) async fn oldest(
    pool: &PgPool,
    after: ConversationNumber,
    limit: usize,
) -> Result<Vec<Oldest>, InboxError> {
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let query = sqlx::query(AssertSqlSafe(parse::oldest_query("$1", "$2"))).bind(after.0).bind(limit);
    query.fetch_all(pool).await?.iter().map(parse::oldest).collect()
}

pub(super) async fn trim(
    pool: &PgPool,
    lane: u16,
    at: Sequence,
    number: ConversationNumber,
    before_ms: u64,
) -> Result<u64, InboxError> {
    let mut transaction = pool.begin().await?;
    let marked = sqlx::query_scalar::<_, i64>("SELECT sequence FROM inbox_marks WHERE lane = $1 FOR UPDATE");
    let marked = marked.bind(i64::from(lane)).fetch_optional(&mut *transaction).await?;
    if uint(marked.unwrap_or(0))? != at.0 {
        return Err(InboxError::Fenced { lane, expected: at });
    }
    let last = sqlx::query_scalar::<_, Option<i64>>(
        "SELECT MAX(position) FROM (SELECT position, at_ms FROM inbox_messages WHERE conversation = $1
            ORDER BY position LIMIT $2) AS oldest WHERE at_ms < $3",
    );
    let last =
        last.bind(number.0).bind(int(TRIM_MAX)).bind(int(before_ms)).fetch_one(&mut *transaction).await?;
    let Some(last) = last.map(uint).transpose()?.map(Position) else { return Ok(0) };
    let sql = format!("SELECT {} FROM inbox_conversations AS c WHERE c.n = $1", parse::CONVERSATION);
    let found = sqlx::query(AssertSqlSafe(sql)).bind(number.0).fetch_one(&mut *transaction).await?;
    let conversation = parse::conversation(&found, 0)?;
    let (place, behind) = behind(&mut transaction, number, last, conversation.id.kind()).await?;
    write::changes(&mut transaction, &moved(&conversation, place, behind)).await?;
    let mut removed = 0;
    for (table, counts) in [("inbox_messages", true), ("inbox_hidden", false), ("inbox_mentions", false)] {
        let sql = format!("DELETE FROM {table} WHERE conversation = $1 AND position <= $2");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(number.0).bind(int(last.0));
        let rows = rows.execute(&mut *transaction).await?.rows_affected();
        removed += if counts { rows } else { 0 };
    }
    transaction.commit().await?;
    Ok(removed)
}

/// Returns the place of the last removed item, and the members who have not read up to it. Their users are locked
/// in ascending order, as in a batch.
async fn behind(
    connection: &mut PgConnection,
    number: ConversationNumber,
    last: Position,
    kind: Kind,
) -> Result<(Mark, Vec<Behind>), InboxError> {
    let item = "SELECT count, sender, own FROM inbox_messages WHERE conversation = $1 AND position = $2";
    let item = sqlx::query(item).bind(number.0).bind(int(last.0)).fetch_one(&mut *connection).await?;
    let (count, sender, sent) = (item.count(0)?, UserNumber(item.int(1)?), item.count(2)?);
    let place = Mark { position: last, count };
    let sql = format!(
        "SELECT {}, CASE WHEN m.peer IS NULL THEN COALESCE((SELECT i.own FROM inbox_messages AS i WHERE i.grouped
                AND i.conversation = m.conversation AND i.sender = m.user_n AND i.position <= $2
                ORDER BY i.position DESC LIMIT 1), 0) END
         FROM inbox_members AS m WHERE m.conversation = $1 AND m.read_position < $2",
        parse::MEMBER
    );
    let members = sqlx::query(AssertSqlSafe(sql)).bind(number.0).bind(int(last.0));
    let members = members.fetch_all(&mut *connection).await?;
    let members = members.iter().map(|row| {
        Ok((parse::member(row, 0)?, row.optional_int(parse::MEMBER_COLUMNS)?.map(uint).transpose()?))
    });
    let members = members.collect::<Result<Vec<_>, InboxError>>()?;
    let numbers: Vec<i64> = members.iter().map(|(member, _)| member.user.0).collect();
    let sql =
        format!("SELECT {} FROM inbox_users WHERE n = ANY($1::bigint[]) ORDER BY n FOR UPDATE", parse::USER);
    let users = sqlx::query(AssertSqlSafe(sql)).bind(numbers).fetch_all(connection).await?;
    let users = users.iter().map(|row| parse::user(row).map(|user| (user.number, user)));
    let mut users = users.collect::<Result<HashMap<UserNumber, User>, InboxError>>()?;
    let mut behind = Vec::with_capacity(members.len());
    for (member, own) in members {
        let user = users.remove(&member.user).ok_or(InboxError::Corrupt("user"))?;
        let own = match kind {
            Kind::Direct => ReadMark::in_direct(place, sender, sent, member.user).own,
            Kind::Group => own.unwrap_or(0),
        };
        behind.push(Behind { member, user, own });
    }
    Ok((place, behind))
}

pub(super) async fn forget_reports(pool: &PgPool, before_ms: u64) -> Result<u64, InboxError> {
    let removed = sqlx::query("DELETE FROM inbox_reports WHERE at_ms < $1").bind(int(before_ms));
    Ok(removed.execute(pool).await?.rows_affected())
}
