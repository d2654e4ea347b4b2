//! Reads that uplinks make for requests.

use barrage_inbox::{Conversation, ConversationId, User, UserNumber};
use barrage_protocol::{Digest, UserId};
use sqlx::{AssertSqlSafe, PgPool};

use crate::inbox::codes::{Code, int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::reads::{End, GroupMember, Terms, WANTED_MAX, Wanted};
use crate::inbox::records::{Membership, StoredItem};
use crate::inbox::store::AWAY_ROWS_MAX;

pub(super) async fn secret(pool: &PgPool) -> Result<[u8; 32], InboxError> {
    let found =
        sqlx::query_scalar::<_, Vec<u8>>("SELECT secret FROM inbox_secret").fetch_optional(pool).await?;
    found.and_then(|secret| secret.try_into().ok()).ok_or(InboxError::Corrupt("secret"))
}

pub(super) async fn user(pool: &PgPool, id: &UserId) -> Result<Option<User>, InboxError> {
    let sql = format!("SELECT {} FROM inbox_users WHERE id = $1", parse::USER);
    let found = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(pool).await?;
    found.as_ref().map(parse::user).transpose()
}

/// Reads the terms by one statement, which is one snapshot.
pub(super) async fn terms(pool: &PgPool, from: &UserId, to: &UserId) -> Result<Terms, InboxError> {
    let sql = "WITH s AS (SELECT n FROM inbox_users WHERE id = $1), r AS (SELECT n, policy FROM inbox_users WHERE id = $2),
            c AS (SELECT n FROM inbox_conversations WHERE id = $3)
        SELECT (SELECT n FROM r), (SELECT policy FROM r),
            EXISTS (SELECT 1 FROM inbox_blocks AS b, s, r
                WHERE (b.user_n = s.n AND b.other = r.n) OR (b.user_n = r.n AND b.other = s.n)),
            (SELECT m.folder FROM inbox_members AS m, c, r WHERE m.conversation = c.n AND m.user_n = r.n),
            (SELECT m.own_count FROM inbox_members AS m, c, s WHERE m.conversation = c.n AND m.user_n = s.n)";
    let id = ConversationId::direct(from, to);
    let query = sqlx::query_as::<_, (Option<i64>, Option<i16>, bool, Option<i16>, Option<i64>)>(sql);
    let query = query.bind(from.as_str()).bind(to.as_str()).bind(id.as_str());
    let (receiver, policy, is_blocked, folder, sent) = query.fetch_one(pool).await?;
    let (Some(_), Some(policy)) = (receiver, policy) else { return Ok(Terms::default()) };
    Ok(Terms {
        is_blocked,
        policy: Code::of_code(policy)?,
        folder: folder.map(Code::of_code).transpose()?,
        sent: uint(sent.unwrap_or(0))?,
    })
}

pub(super) async fn conversation(
    pool: &PgPool,
    id: &ConversationId,
) -> Result<Option<Conversation>, InboxError> {
    let sql = format!("SELECT {} FROM inbox_conversations AS c WHERE c.id = $1", parse::CONVERSATION);
    let found = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(pool).await?;
    found.map(|row| parse::conversation(&row, 0)).transpose()
}

pub(super) async fn membership(
    pool: &PgPool,
    user: &UserId,
    id: &ConversationId,
) -> Result<Option<Membership>, InboxError> {
    let sql = format!(
        "{} WHERE m.user_n = (SELECT n FROM inbox_users WHERE id = $1)
            AND m.conversation = (SELECT n FROM inbox_conversations WHERE id = $2)",
        parse::membership_query()
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(user.as_str()).bind(id.as_str());
    query.fetch_optional(pool).await?.as_ref().map(parse::membership).transpose()
}

pub(super) async fn members(
    pool: &PgPool,
    group: &ConversationId,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<GroupMember>, InboxError> {
    let sql = "SELECT u.id, u.n, m.role FROM inbox_members AS m JOIN inbox_users AS u ON u.n = m.user_n
        WHERE m.conversation = (SELECT n FROM inbox_conversations WHERE id = $1) AND u.id > $2 COLLATE \"C\"
            AND (m.left_position IS NULL OR m.role = $3)
        ORDER BY u.id COLLATE \"C\" LIMIT $4";
    let found = sqlx::query(sql)
        .bind(group.as_str())
        .bind(after.map_or("", UserId::as_str))
        .bind(barrage_inbox::Role::Banned.code())
        .bind(i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1))
        .fetch_all(pool)
        .await?;
    found.iter().map(parse::group_member).collect()
}

/// Reads the items of all conversations by one statement.
pub(super) async fn shown(
    pool: &PgPool,
    reader: UserNumber,
    wanted: &[Wanted],
    from: End,
    limit: usize,
) -> Result<Vec<StoredItem>, InboxError> {
    let wanted = &wanted[..wanted.len().min(WANTED_MAX)];
    let order = match from {
        End::Oldest => "ASC",
        End::Newest => "DESC",
    };
    let sql = format!(
        "SELECT {}, u.id FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[])
                WITH ORDINALITY AS w (conversation, after, before, place)
            CROSS JOIN LATERAL (SELECT * FROM inbox_messages AS found
                WHERE found.conversation = w.conversation AND found.position > w.after
                    AND found.position < w.before AND NOT EXISTS (SELECT 1 FROM inbox_hidden AS h
                        WHERE h.user_n = $4 AND h.conversation = found.conversation AND h.position = found.position)
                ORDER BY found.position {order} LIMIT $5) AS i
            JOIN inbox_users AS u ON u.n = i.sender
         ORDER BY w.place, i.position",
        parse::ITEM
    );
    let of = |part: fn(&Wanted) -> i64| wanted.iter().map(part).collect::<Vec<_>>();
    let found = sqlx::query(AssertSqlSafe(sql))
        .bind(of(|one| one.conversation.0))
        .bind(of(|one| int(one.after.0)))
        .bind(of(|one| int(one.before.0)))
        .bind(reader.0)
        .bind(i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1))
        .fetch_all(pool)
        .await?;
    found.iter().map(parse::stored_item).collect()
}

/// Returns whether an item that is shown has a medium.
pub(super) async fn shows_medium(pool: &PgPool, digest: Digest) -> Result<bool, InboxError> {
    let found = sqlx::query(
        r#"SELECT 1 FROM inbox_messages
           WHERE substr(body, strpos(body, '"media":{"digest":"') + 19, 64) = $1
               AND strpos(body, '"media":{"digest":"') > 0 AND state = 0 LIMIT 1"#,
    );
    Ok(found.bind(digest.to_string()).fetch_optional(pool).await?.is_some())
}
