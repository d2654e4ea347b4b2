//! Devices, settings, and the services that reach devices.

use std::collections::HashMap;

use barrage_inbox::{Preferences, UserNumber};
use barrage_protocol::UserId;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::inbox::codes::{Code, int};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::push::{
    Announced, DEVICES_PER_USER_MAX, DeviceRecord, NewDevice, PushService, Registered, other_key,
};

pub(in crate::inbox::postgres) async fn announce(
    pool: &PgPool,
    services: &[PushService],
    replaces: Option<&str>,
) -> Result<Announced, InboxError> {
    let mut transaction = pool.begin().await?;
    // Two senders that start at once: the second waits for the first.
    sqlx::query("LOCK TABLE inbox_push_services IN EXCLUSIVE MODE").execute(&mut *transaction).await?;
    let sql = "SELECT service, public_key FROM inbox_push_services";
    let stored = sqlx::query(sql).fetch_all(&mut *transaction).await?;
    let stored: Vec<_> = stored.iter().map(parse::push_service).collect::<Result<_, _>>()?;
    if let Some((key, own)) = other_key(&stored, services) {
        if replaces != Some(key) {
            let own = own.public_key.clone().unwrap_or_default();
            return Ok(Announced::OtherKey { own, stored: key.to_owned() });
        }
        let forgotten = sqlx::query("DELETE FROM inbox_devices WHERE service = $1").bind(&own.name);
        forgotten.execute(&mut *transaction).await?;
    }
    sqlx::query("DELETE FROM inbox_push_services").execute(&mut *transaction).await?;
    for service in services {
        sqlx::query("INSERT INTO inbox_push_services VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(&service.name)
            .bind(&service.public_key)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(Announced::Done)
}

pub(in crate::inbox::postgres) async fn services(pool: &PgPool) -> Result<Vec<PushService>, InboxError> {
    let sql = "SELECT service, public_key FROM inbox_push_services ORDER BY service";
    sqlx::query(sql).fetch_all(pool).await?.iter().map(parse::push_service).collect()
}

/// Returns the number of a user, who gets one when the tables do not have it.
pub(in crate::inbox::postgres) async fn number(
    connection: &mut PgConnection,
    user: &UserId,
) -> Result<i64, InboxError> {
    let default = Preferences::default();
    sqlx::query(
        "INSERT INTO inbox_users (id, version, unread, policy, receipts) VALUES ($1, 0, 0, $2, $3)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(user.as_str())
    .bind(default.policy.code())
    .bind(default.receipts.code())
    .execute(&mut *connection)
    .await?;
    let found = sqlx::query_scalar("SELECT n FROM inbox_users WHERE id = $1").bind(user.as_str());
    Ok(found.fetch_one(connection).await?)
}

pub(in crate::inbox::postgres) async fn register(
    pool: &PgPool,
    user: &UserId,
    device: &NewDevice,
) -> Result<Registered, InboxError> {
    let mut transaction = pool.begin().await?;
    let user = number(&mut transaction, user).await?;
    let known = sqlx::query_as::<_, (String, String)>(
        "SELECT service, address FROM inbox_devices WHERE user_n = $1 AND device = $2",
    );
    let known = known.bind(user).bind(&device.device).fetch_optional(&mut *transaction).await?;
    let is_again =
        known.is_some_and(|(service, address)| service == device.service && address == device.address);
    // Whoever registers an address last has the device in hand.
    sqlx::query(
        "DELETE FROM inbox_devices WHERE service = $1 AND address = $2 AND NOT (user_n = $3 AND device = $4)",
    )
    .bind(&device.service)
    .bind(&device.address)
    .bind(user)
    .bind(&device.device)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO inbox_devices VALUES ($1, $2, $3, $4, $5, $6, 0, 0)
         ON CONFLICT (user_n, device) DO UPDATE SET service = excluded.service, address = excluded.address,
            keys = excluded.keys, registered_at_ms = excluded.registered_at_ms",
    )
    .bind(user)
    .bind(&device.device)
    .bind(&device.service)
    .bind(&device.address)
    .bind(&device.keys)
    .bind(int(device.at_ms))
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "DELETE FROM inbox_devices WHERE user_n = $1 AND device <> $2 AND device NOT IN (
            SELECT device FROM inbox_devices WHERE user_n = $1 AND device <> $2
            ORDER BY registered_at_ms DESC, device LIMIT $3)",
    )
    .bind(user)
    .bind(&device.device)
    .bind(i64::from(DEVICES_PER_USER_MAX - 1))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(if is_again { Registered::Again } else { Registered::New })
}

pub(in crate::inbox::postgres) async fn delete(
    pool: &PgPool,
    user: &UserId,
    device: &str,
) -> Result<bool, InboxError> {
    let deleted = sqlx::query(
        "DELETE FROM inbox_devices WHERE user_n = (SELECT n FROM inbox_users WHERE id = $1) AND device = $2",
    );
    Ok(deleted.bind(user.as_str()).bind(device).execute(pool).await?.rows_affected() == 1)
}

pub(in crate::inbox::postgres) async fn devices(
    pool: &PgPool,
    user: &UserId,
) -> Result<Vec<DeviceRecord>, InboxError> {
    let sql = format!(
        "SELECT {} FROM inbox_devices WHERE user_n = (SELECT n FROM inbox_users WHERE id = $1) ORDER BY device",
        parse::DEVICE
    );
    let found = sqlx::query(AssertSqlSafe(sql)).bind(user.as_str()).fetch_all(pool).await?;
    found.iter().map(parse::device).collect()
}

/// Returns the devices of several users.
pub(in crate::inbox::postgres) async fn devices_of(
    connection: &mut PgConnection,
    users: &[i64],
) -> Result<HashMap<i64, Vec<DeviceRecord>>, InboxError> {
    let sql = format!(
        "SELECT user_n, {} FROM inbox_devices WHERE user_n = ANY($1::bigint[]) ORDER BY user_n, device",
        parse::DEVICE
    );
    let found = sqlx::query(AssertSqlSafe(sql)).bind(users).fetch_all(connection).await?;
    let mut devices: HashMap<i64, Vec<DeviceRecord>> = HashMap::new();
    for row in &found {
        devices.entry(row.int(0)?).or_default().push(parse::device_at(row, 1)?);
    }
    Ok(devices)
}

/// Returns the unread items of several users, for the badge.
pub(in crate::inbox::postgres) async fn totals_of(
    connection: &mut PgConnection,
    users: &[i64],
) -> Result<HashMap<i64, u64>, InboxError> {
    let sql = format!(
        "SELECT asked.n, ({}) FROM UNNEST($1::bigint[]) AS asked (n)",
        parse::total_query("asked.n", "GREATEST")
    );
    let found = sqlx::query(AssertSqlSafe(sql)).bind(users).fetch_all(connection).await?;
    found.iter().map(|row| Ok((row.int(0)?, row.count(1)?))).collect()
}

pub(in crate::inbox::postgres) async fn forget_address(
    pool: &PgPool,
    user: UserNumber,
    device: &str,
    address: &str,
    since_ms: u64,
) -> Result<bool, InboxError> {
    let deleted = sqlx::query(
        "DELETE FROM inbox_devices WHERE user_n = $1 AND device = $2 AND address = $3 AND registered_at_ms <= $4",
    );
    let deleted = deleted.bind(user.0).bind(device).bind(address).bind(int(since_ms));
    Ok(deleted.execute(pool).await?.rows_affected() == 1)
}

pub(in crate::inbox::postgres) async fn forget_unseen(
    pool: &PgPool,
    before_ms: u64,
) -> Result<u64, InboxError> {
    let deleted = sqlx::query(
        "DELETE FROM inbox_devices WHERE (user_n, device) IN (
            SELECT user_n, device FROM inbox_devices WHERE registered_at_ms < $1 LIMIT 1000)",
    );
    Ok(deleted.bind(int(before_ms)).execute(pool).await?.rows_affected())
}

pub(in crate::inbox::postgres) async fn note_badge(
    pool: &PgPool,
    user: UserNumber,
    devices: &[String],
    badge: u32,
    at_ms: u64,
) -> Result<(), InboxError> {
    let noted = sqlx::query(
        "UPDATE inbox_devices SET badge = $3, badge_at_ms = $4 WHERE user_n = $1 AND device = ANY($2::text[])",
    );
    noted.bind(user.0).bind(devices).bind(i64::from(badge)).bind(int(at_ms)).execute(pool).await?;
    Ok(())
}

pub(in crate::inbox::postgres) async fn settings(
    pool: &PgPool,
    user: &UserId,
) -> Result<Option<String>, InboxError> {
    let sql = "SELECT s.settings FROM inbox_push_settings AS s JOIN inbox_users AS u ON u.n = s.user_n WHERE u.id = $1";
    Ok(sqlx::query_scalar(sql).bind(user.as_str()).fetch_optional(pool).await?)
}

pub(in crate::inbox::postgres) async fn set_settings(
    pool: &PgPool,
    user: &UserId,
    settings: &str,
) -> Result<(), InboxError> {
    let mut transaction = pool.begin().await?;
    let user = number(&mut transaction, user).await?;
    sqlx::query(
        "INSERT INTO inbox_push_settings VALUES ($1, $2)
         ON CONFLICT (user_n) DO UPDATE SET settings = excluded.settings",
    )
    .bind(user)
    .bind(settings)
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

/// Removes everything of notifications that is the user's own.
pub(in crate::inbox::postgres) async fn erase(pool: &PgPool, user: &UserId) -> Result<(), InboxError> {
    let mut transaction = pool.begin().await?;
    for (table, column) in [
        ("inbox_devices", "user_n"),
        ("inbox_push_settings", "user_n"),
        ("inbox_push_queue", "user_n"),
        ("inbox_push_badges", "user_n"),
        ("inbox_follows", "user_n"),
        ("inbox_follows", "host"),
        ("inbox_campaigns", "host"),
    ] {
        let sql = format!("DELETE FROM {table} WHERE {column} = (SELECT n FROM inbox_users WHERE id = $1)");
        sqlx::query(AssertSqlSafe(sql)).bind(user.as_str()).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}
