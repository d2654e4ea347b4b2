//! Who follows whom, and campaigns that tell followers.

use barrage_inbox::UserNumber;
use barrage_protocol::UserId;
use rusqlite::{Connection, TransactionBehavior, params};

use super::devices::{devices_of, number};
use crate::inbox::codes::{int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::push::{Campaign, FOLLOWS_PER_USER_MAX, Follower, NewCampaign, Take};
use crate::inbox::sqlite::read::{all, one};
use crate::inbox::store::AWAY_ROWS_MAX;

pub(in crate::inbox::sqlite) fn follow(
    connection: &mut Connection,
    user: &UserId,
    host: &UserId,
    at_ms: u64,
) -> Result<bool, InboxError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (user, host) = (number(&transaction, user)?, number(&transaction, host)?);
    let count = "SELECT COUNT(*) FROM inbox_follows WHERE user_n = ?1 AND host <> ?2";
    let others = one(&transaction, count, [user, host], |row| uint(row.int(0)?))?.unwrap_or(0);
    if others >= FOLLOWS_PER_USER_MAX {
        return Ok(false);
    }
    let row = params![host, user, int(at_ms)];
    transaction.execute("INSERT INTO inbox_follows VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", row)?;
    transaction.commit()?;
    Ok(true)
}

pub(in crate::inbox::sqlite) fn unfollow(
    connection: &Connection,
    user: &UserId,
    host: &UserId,
) -> Result<(), InboxError> {
    connection.execute(
        "DELETE FROM inbox_follows WHERE user_n = (SELECT n FROM inbox_users WHERE id = ?1)
            AND host = (SELECT n FROM inbox_users WHERE id = ?2)",
        [user.as_str(), host.as_str()],
    )?;
    Ok(())
}

pub(in crate::inbox::sqlite) fn follows(
    connection: &Connection,
    user: &UserId,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<UserId>, InboxError> {
    let sql = "SELECT h.id FROM inbox_follows AS f JOIN inbox_users AS h ON h.n = f.host
        WHERE f.user_n = (SELECT n FROM inbox_users WHERE id = ?1) AND h.id > ?2 ORDER BY h.id LIMIT ?3";
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let after = after.map_or("", UserId::as_str);
    all(connection, sql, params![user.as_str(), after, limit], |row| parse::user_id(row, 0))
}

pub(in crate::inbox::sqlite) fn start(
    connection: &mut Connection,
    campaign: &NewCampaign,
) -> Result<Campaign, InboxError> {
    let sql = format!("{} WHERE c.id = ?1", parse::campaign_query());
    // Asked again, a campaign shows how far it is: its followers are counted once.
    if let Some(known) = one(connection, &sql, [&campaign.id], |row| parse::campaign(row))? {
        return Ok(known);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let host = number(&transaction, &campaign.host)?;
    let count = "SELECT COUNT(*) FROM inbox_follows WHERE host = ?1";
    let followers = one(&transaction, count, [host], |row| row.int(0))?.unwrap_or(0);
    transaction.execute(
        "INSERT INTO inbox_campaigns VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, NULL, ?5, 0) ON CONFLICT DO NOTHING",
        params![campaign.id, host, campaign.room, campaign.title, int(campaign.at_ms), followers],
    )?;
    let found = one(&transaction, &sql, [&campaign.id], |row| parse::campaign(row))?;
    transaction.commit()?;
    found.ok_or(InboxError::Corrupt("campaign"))
}

pub(in crate::inbox::sqlite) fn take(
    connection: &mut Connection,
    take: Take,
) -> Result<Option<Campaign>, InboxError> {
    let due = "SELECT 1 FROM inbox_campaigns WHERE ended_at_ms IS NULL AND due_ms <= ?1 LIMIT 1";
    if !connection.prepare_cached(due)?.exists([int(take.now_ms)])? {
        return Ok(None);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = format!(
        "{} WHERE c.ended_at_ms IS NULL AND c.due_ms <= ?1 ORDER BY c.due_ms LIMIT 1",
        parse::campaign_query()
    );
    let found = one(&transaction, &sql, [int(take.now_ms)], |row| parse::campaign(row))?;
    let Some(campaign) = found else { return Ok(None) };
    transaction.execute(
        "UPDATE inbox_campaigns SET due_ms = ?2, taken = ?3 WHERE id = ?1",
        params![campaign.about.id, int(take.now_ms + take.lease_ms), take.taken],
    )?;
    transaction.commit()?;
    Ok(Some(Campaign { taken: take.taken, ..campaign }))
}

pub(in crate::inbox::sqlite) fn followers(
    connection: &mut Connection,
    host: &UserId,
    after: UserNumber,
    limit: usize,
) -> Result<Vec<Follower>, InboxError> {
    let snapshot = connection.transaction()?;
    let sql = format!("{} AND f.user_n > ?2 ORDER BY f.user_n LIMIT ?3", parse::followers_query("?1"));
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let range = params![host.as_str(), after.0, limit];
    let mut found = all(&snapshot, &sql, range, |row| parse::follower(row))?;
    let total = parse::total_query("?1", "MAX");
    for follower in &mut found {
        let user = follower.user.0;
        follower.total = one(&snapshot, &total, [user], |row| uint(row.int(0)?))?.unwrap_or(0);
        follower.devices = devices_of(&snapshot, user)?;
    }
    Ok(found)
}

pub(in crate::inbox::sqlite) fn move_on(
    connection: &Connection,
    campaign: &Campaign,
    due_ms: u64,
) -> Result<bool, InboxError> {
    let moved = connection.execute(
        "UPDATE inbox_campaigns SET after_n = ?3, told = ?4, ended_at_ms = ?5, due_ms = ?6, taken = 0
         WHERE id = ?1 AND taken = ?2",
        params![
            campaign.about.id,
            campaign.taken,
            campaign.after.0,
            int(campaign.told),
            campaign.ended_at_ms.map(int),
            int(due_ms)
        ],
    )?;
    Ok(moved == 1)
}
