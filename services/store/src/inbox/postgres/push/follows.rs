//! Who follows whom, and campaigns that tell followers.

use barrage_inbox::UserNumber;
use barrage_protocol::UserId;
use sqlx::{AssertSqlSafe, PgPool};

use super::devices::{devices_of, number, totals_of};
use crate::inbox::codes::{int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::push::{Campaign, FOLLOWS_PER_USER_MAX, Follower, NewCampaign, Take};
use crate::inbox::store::AWAY_ROWS_MAX;

pub(in crate::inbox::postgres) async fn follow(
    pool: &PgPool,
    user: &UserId,
    host: &UserId,
    at_ms: u64,
) -> Result<bool, InboxError> {
    let mut transaction = pool.begin().await?;
    let user = number(&mut transaction, user).await?;
    let host = number(&mut transaction, host).await?;
    // Two requests of one user at once may pass the limit by one.
    let others =
        sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM inbox_follows WHERE user_n = $1 AND host <> $2");
    let others = others.bind(user).bind(host).fetch_one(&mut *transaction).await?;
    if uint(others)? >= FOLLOWS_PER_USER_MAX {
        return Ok(false);
    }
    sqlx::query("INSERT INTO inbox_follows VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(host)
        .bind(user)
        .bind(int(at_ms))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

pub(in crate::inbox::postgres) async fn unfollow(
    pool: &PgPool,
    user: &UserId,
    host: &UserId,
) -> Result<(), InboxError> {
    sqlx::query(
        "DELETE FROM inbox_follows WHERE user_n = (SELECT n FROM inbox_users WHERE id = $1)
            AND host = (SELECT n FROM inbox_users WHERE id = $2)",
    )
    .bind(user.as_str())
    .bind(host.as_str())
    .execute(pool)
    .await?;
    Ok(())
}

pub(in crate::inbox::postgres) async fn follows(
    pool: &PgPool,
    user: &UserId,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<UserId>, InboxError> {
    let found = sqlx::query(
        "SELECT h.id FROM inbox_follows AS f JOIN inbox_users AS h ON h.n = f.host
         WHERE f.user_n = (SELECT n FROM inbox_users WHERE id = $1) AND h.id COLLATE \"C\" > $2
         ORDER BY h.id COLLATE \"C\" LIMIT $3",
    )
    .bind(user.as_str())
    .bind(after.map_or("", UserId::as_str))
    .bind(i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1))
    .fetch_all(pool)
    .await?;
    found.iter().map(|row| parse::user_id(row, 0)).collect()
}

pub(in crate::inbox::postgres) async fn start(
    pool: &PgPool,
    campaign: &NewCampaign,
) -> Result<Campaign, InboxError> {
    let sql = format!("{} WHERE c.id = $1", parse::campaign_query());
    // Asked again, a campaign shows how far it is: its followers are counted once.
    let known = sqlx::query(AssertSqlSafe(sql.clone())).bind(&campaign.id).fetch_optional(pool).await?;
    if let Some(row) = known {
        return parse::campaign(&row);
    }
    let mut transaction = pool.begin().await?;
    let host = number(&mut transaction, &campaign.host).await?;
    sqlx::query(
        "INSERT INTO inbox_campaigns SELECT $1, $2, $3, $4, $5,
            (SELECT COUNT(*) FROM inbox_follows WHERE host = $2), 0, 0, NULL, $5, 0 ON CONFLICT DO NOTHING",
    )
    .bind(&campaign.id)
    .bind(host)
    .bind(&campaign.room)
    .bind(&campaign.title)
    .bind(int(campaign.at_ms))
    .execute(&mut *transaction)
    .await?;
    let found = sqlx::query(AssertSqlSafe(sql)).bind(&campaign.id).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    parse::campaign(&found)
}

pub(in crate::inbox::postgres) async fn take(
    pool: &PgPool,
    take: Take,
) -> Result<Option<Campaign>, InboxError> {
    let mut transaction = pool.begin().await?;
    let sql = format!(
        "{} WHERE c.ended_at_ms IS NULL AND c.due_ms <= $1 ORDER BY c.due_ms LIMIT 1
            FOR UPDATE OF c SKIP LOCKED",
        parse::campaign_query()
    );
    let found = sqlx::query(AssertSqlSafe(sql)).bind(int(take.now_ms)).fetch_optional(&mut *transaction);
    let Some(row) = found.await? else { return Ok(None) };
    let campaign = parse::campaign(&row)?;
    sqlx::query("UPDATE inbox_campaigns SET due_ms = $2, taken = $3 WHERE id = $1")
        .bind(&campaign.about.id)
        .bind(int(take.now_ms + take.lease_ms))
        .bind(take.taken)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Some(Campaign { taken: take.taken, ..campaign }))
}

pub(in crate::inbox::postgres) async fn followers(
    pool: &PgPool,
    host: &UserId,
    after: UserNumber,
    limit: usize,
) -> Result<Vec<Follower>, InboxError> {
    let mut snapshot = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let sql = format!("{} AND f.user_n > $2 ORDER BY f.user_n LIMIT $3", parse::followers_query("$1"));
    let found = sqlx::query(AssertSqlSafe(sql))
        .bind(host.as_str())
        .bind(after.0)
        .bind(i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1))
        .fetch_all(&mut *snapshot)
        .await?;
    let mut followers: Vec<Follower> = found.iter().map(parse::follower).collect::<Result<_, _>>()?;
    let users: Vec<i64> = followers.iter().map(|follower| follower.user.0).collect();
    let mut devices = devices_of(&mut snapshot, &users).await?;
    let totals = totals_of(&mut snapshot, &users).await?;
    for follower in &mut followers {
        follower.total = totals.get(&follower.user.0).copied().unwrap_or(0);
        follower.devices = devices.remove(&follower.user.0).unwrap_or_default();
    }
    snapshot.rollback().await?;
    Ok(followers)
}

pub(in crate::inbox::postgres) async fn move_on(
    pool: &PgPool,
    campaign: &Campaign,
    due_ms: u64,
) -> Result<bool, InboxError> {
    let moved = sqlx::query(
        "UPDATE inbox_campaigns SET after_n = $3, told = $4, ended_at_ms = $5, due_ms = $6, taken = 0
         WHERE id = $1 AND taken = $2",
    );
    let moved = moved
        .bind(&campaign.about.id)
        .bind(campaign.taken)
        .bind(campaign.after.0)
        .bind(int(campaign.told))
        .bind(campaign.ended_at_ms.map(int))
        .bind(int(due_ms));
    Ok(moved.execute(pool).await?.rows_affected() == 1)
}
