//! Reads for callers, and the rows of this engine.

use barrage_inbox::{ConversationId, ConversationNumber, MEMBERS_MAX, Role};
use barrage_protocol::{Sequence, UserId};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgPool, Row as _};

use crate::inbox::codes::{Code as _, int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::records::{Away, AwayRange, ItemRange, StoredItem};
use crate::inbox::store::AWAY_ROWS_MAX;

const LANES: &str = "SELECT lane, sequence FROM inbox_marks ORDER BY lane";

impl parse::Row for PgRow {
    fn int(&self, place: usize) -> Result<i64, InboxError> {
        Ok(self.try_get(place)?)
    }

    fn optional_int(&self, place: usize) -> Result<Option<i64>, InboxError> {
        Ok(self.try_get(place)?)
    }

    fn small(&self, place: usize) -> Result<i16, InboxError> {
        Ok(self.try_get(place)?)
    }

    fn flag(&self, place: usize) -> Result<bool, InboxError> {
        Ok(self.try_get(place)?)
    }

    fn text(&self, place: usize) -> Result<String, InboxError> {
        Ok(self.try_get(place)?)
    }

    fn optional_text(&self, place: usize) -> Result<Option<String>, InboxError> {
        Ok(self.try_get(place)?)
    }
}

pub(super) async fn mark(pool: &PgPool, lane: u16) -> Result<Sequence, InboxError> {
    let found = sqlx::query_scalar::<_, i64>("SELECT sequence FROM inbox_marks WHERE lane = $1");
    let found = found.bind(i64::from(lane)).fetch_optional(pool).await?;
    Ok(Sequence(uint(found.unwrap_or(0))?))
}

pub(super) async fn marks(pool: &PgPool) -> Result<Vec<(u16, Sequence)>, InboxError> {
    let lanes = sqlx::query(LANES).fetch_all(pool).await?;
    lanes.iter().map(parse::lane).collect()
}

/// Reads everything in one transaction, which is one snapshot.
pub(super) async fn away(
    pool: &PgPool,
    id: &UserId,
    range: AwayRange,
    limit: usize,
) -> Result<Option<Away>, InboxError> {
    let mut snapshot = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let sql = format!("SELECT {} FROM inbox_users WHERE id = $1", parse::USER);
    let found = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(&mut *snapshot).await?;
    let Some(user) = found.as_ref().map(parse::user).transpose()? else { return Ok(None) };
    let (number, after) = (user.number.0, int(range.after.0));
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let ranged = |sql: String| sqlx::query(AssertSqlSafe(sql)).bind(number).bind(after).bind(limit);
    let listed = |sql: &'static str| sqlx::query(sql).bind(number).bind(limit);
    let sql = format!(
        "{} WHERE m.user_n = $1 AND (m.version > $2 OR (m.peer IS NULL AND m.left_position IS NULL))
            AND (m.version < $4 OR (m.version = $4 AND m.conversation > $5))
         ORDER BY m.version DESC, m.conversation LIMIT $3 + 1",
        parse::membership_query()
    );
    let (version, conversation) = range.below.map_or((i64::MAX, 0), |below| (int(below.0.0), below.1.0));
    let memberships = ranged(sql).bind(version).bind(conversation).fetch_all(&mut *snapshot).await?;
    let more = i64::try_from(memberships.len()).is_ok_and(|found| found > limit);
    let memberships = memberships.iter().take(usize::try_from(limit).unwrap_or(1)).map(parse::membership);
    let memberships = memberships.collect::<Result<_, InboxError>>()?;
    let sql = parse::group_unread_query("$1", "GREATEST");
    let group_unread =
        sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).bind(number).fetch_one(&mut *snapshot).await?;
    let hidden = "SELECT user_n, conversation, position, version FROM inbox_hidden
        WHERE user_n = $1 AND version > $2 ORDER BY version DESC, conversation, position DESC LIMIT $3";
    let hidden = ranged(hidden.into()).fetch_all(&mut *snapshot).await?;
    let undelivered = "SELECT user_n, version, conversation, id, refusal, at_ms FROM inbox_undelivered
        WHERE user_n = $1 AND version > $2 ORDER BY version DESC, conversation, id LIMIT $3";
    let undelivered = ranged(undelivered.into()).fetch_all(&mut *snapshot).await?;
    let mentions = "SELECT n.user_n, n.conversation, n.position FROM inbox_mentions AS n
            JOIN inbox_members AS m ON m.user_n = n.user_n AND m.conversation = n.conversation
        WHERE n.user_n = $1 AND n.position > m.read_position AND m.left_position IS NULL
        ORDER BY n.conversation, n.position DESC LIMIT $2";
    let mentions = listed(mentions).fetch_all(&mut *snapshot).await?;
    let blocked = "SELECT u.id FROM inbox_blocks AS b JOIN inbox_users AS u ON u.n = b.other
        WHERE b.user_n = $1 ORDER BY u.id COLLATE \"C\" LIMIT $2";
    let blocked = listed(blocked).fetch_all(&mut *snapshot).await?;
    let lanes = sqlx::query(LANES).fetch_all(&mut *snapshot).await?;
    snapshot.rollback().await?;
    Ok(Some(Away {
        memberships,
        more,
        group_unread: uint(group_unread)?,
        hidden: hidden.iter().map(parse::hidden).collect::<Result<_, _>>()?,
        undelivered: undelivered.iter().map(parse::undelivered).collect::<Result<_, _>>()?,
        mentions: mentions.iter().map(parse::mention).collect::<Result<_, _>>()?,
        blocked: blocked.iter().map(|row| parse::user_id(row, 0)).collect::<Result<_, _>>()?,
        lanes: lanes.iter().map(parse::lane).collect::<Result<_, _>>()?,
        user,
    }))
}

pub(super) async fn items(
    pool: &PgPool,
    conversation: &ConversationId,
    range: ItemRange,
    limit: usize,
) -> Result<Vec<StoredItem>, InboxError> {
    let (condition, order, place) = match range {
        ItemRange::After(position) => (">", "ASC", position),
        ItemRange::Before(position) => ("<", "DESC", position),
    };
    let sql = format!(
        "SELECT {}, u.id FROM inbox_messages AS i JOIN inbox_users AS u ON u.n = i.sender
         WHERE i.conversation = (SELECT n FROM inbox_conversations WHERE id = $1) AND i.position {condition} $2
         ORDER BY i.position {order} LIMIT $3",
        parse::ITEM
    );
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let query = sqlx::query(AssertSqlSafe(sql)).bind(conversation.as_str()).bind(int(place.0)).bind(limit);
    let mut found = query.fetch_all(pool).await?;
    if matches!(range, ItemRange::Before(_)) {
        found.reverse();
    }
    found.iter().map(parse::stored_item).collect()
}

pub(super) async fn present(pool: &PgPool, group: ConversationNumber) -> Result<Vec<UserId>, InboxError> {
    let sql = "SELECT u.id FROM inbox_members AS m JOIN inbox_users AS u ON u.n = m.user_n
        WHERE m.conversation = $1 AND m.left_position IS NULL AND m.role > $2 LIMIT $3";
    let query = sqlx::query(sql).bind(group.0).bind(Role::Applicant.code()).bind(i64::from(MEMBERS_MAX));
    query.fetch_all(pool).await?.iter().map(|row| parse::user_id(row, 0)).collect()
}
