//! Devices, settings, and the services that reach devices.

use barrage_inbox::{Preferences, UserNumber};
use barrage_protocol::UserId;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::inbox::codes::{Code, int};
use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::push::{
    Announced, DEVICES_PER_USER_MAX, DeviceRecord, NewDevice, PushService, Registered, other_key,
};
use crate::inbox::sqlite::read::{all, one};

pub(in crate::inbox::sqlite) fn announce(
    connection: &mut Connection,
    services: &[PushService],
    replaces: Option<&str>,
) -> Result<Announced, InboxError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let stored = self::services(&transaction)?;
    if let Some((key, own)) = other_key(&stored, services) {
        if replaces != Some(key) {
            let own = own.public_key.clone().unwrap_or_default();
            return Ok(Announced::OtherKey { own, stored: key.to_owned() });
        }
        transaction.execute("DELETE FROM inbox_devices WHERE service = ?1", [&own.name])?;
    }
    transaction.execute("DELETE FROM inbox_push_services", [])?;
    for service in services {
        let row = params![service.name, service.public_key];
        transaction.execute("INSERT OR REPLACE INTO inbox_push_services VALUES (?1, ?2)", row)?;
    }
    transaction.commit()?;
    Ok(Announced::Done)
}

pub(in crate::inbox::sqlite) fn services(connection: &Connection) -> Result<Vec<PushService>, InboxError> {
    let sql = "SELECT service, public_key FROM inbox_push_services ORDER BY service";
    all(connection, sql, [], |row| parse::push_service(row))
}

/// Returns the number of a user, who gets one when the tables do not have it.
pub(in crate::inbox::sqlite) fn number(connection: &Connection, user: &UserId) -> Result<i64, InboxError> {
    let default = Preferences::default();
    connection
        .prepare_cached(
            "INSERT INTO inbox_users (id, version, unread, policy, receipts) VALUES (?1, 0, 0, ?2, ?3)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![user.as_str(), default.policy.code(), default.receipts.code()])?;
    Ok(connection
        .prepare_cached("SELECT n FROM inbox_users WHERE id = ?1")?
        .query_row([user.as_str()], |row| row.get(0))?)
}

pub(in crate::inbox::sqlite) fn register(
    connection: &mut Connection,
    user: &UserId,
    device: &NewDevice,
) -> Result<Registered, InboxError> {
    let transaction = connection.transaction()?;
    let user = number(&transaction, user)?;
    let known: Option<(String, String)> = transaction
        .prepare_cached("SELECT service, address FROM inbox_devices WHERE user_n = ?1 AND device = ?2")?
        .query_row(params![user, device.device], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let is_again =
        known.is_some_and(|(service, address)| service == device.service && address == device.address);
    // Whoever registers an address last has the device in hand.
    transaction
        .prepare_cached(
            "DELETE FROM inbox_devices WHERE service = ?1 AND address = ?2 AND NOT (user_n = ?3 AND device = ?4)",
        )?
        .execute(params![device.service, device.address, user, device.device])?;
    transaction
        .prepare_cached(
            "INSERT INTO inbox_devices VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0)
             ON CONFLICT (user_n, device) DO UPDATE SET service = ?3, address = ?4, keys = ?5,
                registered_at_ms = ?6",
        )?
        .execute(params![
            user,
            device.device,
            device.service,
            device.address,
            device.keys,
            int(device.at_ms)
        ])?;
    transaction
        .prepare_cached(
            "DELETE FROM inbox_devices WHERE user_n = ?1 AND device <> ?2 AND device NOT IN (
                SELECT device FROM inbox_devices WHERE user_n = ?1 AND device <> ?2
                ORDER BY registered_at_ms DESC, device LIMIT ?3)",
        )?
        .execute(params![user, device.device, DEVICES_PER_USER_MAX - 1])?;
    transaction.commit()?;
    Ok(if is_again { Registered::Again } else { Registered::New })
}

pub(in crate::inbox::sqlite) fn delete(
    connection: &Connection,
    user: &UserId,
    device: &str,
) -> Result<bool, InboxError> {
    let deleted = connection.execute(
        "DELETE FROM inbox_devices WHERE user_n = (SELECT n FROM inbox_users WHERE id = ?1) AND device = ?2",
        params![user.as_str(), device],
    )?;
    Ok(deleted == 1)
}

pub(in crate::inbox::sqlite) fn devices(
    connection: &Connection,
    user: &UserId,
) -> Result<Vec<DeviceRecord>, InboxError> {
    let sql = "SELECT n FROM inbox_users WHERE id = ?1";
    let found = one(connection, sql, [user.as_str()], |row| Ok(row.get::<_, i64>(0)?))?;
    found.map_or(Ok(Vec::new()), |user| devices_of(connection, user))
}

pub(in crate::inbox::sqlite) fn devices_of(
    connection: &Connection,
    user: i64,
) -> Result<Vec<DeviceRecord>, InboxError> {
    let sql = format!("SELECT {} FROM inbox_devices WHERE user_n = ?1 ORDER BY device", parse::DEVICE);
    all(connection, &sql, [user], |row| parse::device(row))
}

pub(in crate::inbox::sqlite) fn forget_address(
    connection: &Connection,
    user: UserNumber,
    device: &str,
    address: &str,
    since_ms: u64,
) -> Result<bool, InboxError> {
    let deleted = connection.execute(
        "DELETE FROM inbox_devices WHERE user_n = ?1 AND device = ?2 AND address = ?3 AND registered_at_ms <= ?4",
        params![user.0, device, address, int(since_ms)],
    )?;
    Ok(deleted == 1)
}

pub(in crate::inbox::sqlite) fn forget_unseen(
    connection: &Connection,
    before_ms: u64,
) -> Result<u64, InboxError> {
    let deleted = connection.execute(
        "DELETE FROM inbox_devices WHERE (user_n, device) IN (
            SELECT user_n, device FROM inbox_devices WHERE registered_at_ms < ?1 LIMIT 1000)",
        [int(before_ms)],
    )?;
    Ok(deleted as u64)
}

pub(in crate::inbox::sqlite) fn note_badge(
    connection: &mut Connection,
    user: UserNumber,
    devices: &[String],
    badge: u32,
    at_ms: u64,
) -> Result<(), InboxError> {
    let transaction = connection.transaction()?;
    for device in devices {
        transaction
            .prepare_cached(
                "UPDATE inbox_devices SET badge = ?3, badge_at_ms = ?4 WHERE user_n = ?1 AND device = ?2",
            )?
            .execute(params![user.0, device, badge, int(at_ms)])?;
    }
    Ok(transaction.commit()?)
}

pub(in crate::inbox::sqlite) fn settings(
    connection: &Connection,
    user: &UserId,
) -> Result<Option<String>, InboxError> {
    let sql = "SELECT s.settings FROM inbox_push_settings AS s JOIN inbox_users AS u ON u.n = s.user_n WHERE u.id = ?1";
    one(connection, sql, [user.as_str()], |row| Ok(row.get(0)?))
}

pub(in crate::inbox::sqlite) fn set_settings(
    connection: &mut Connection,
    user: &UserId,
    settings: &str,
) -> Result<(), InboxError> {
    let transaction = connection.transaction()?;
    let user = number(&transaction, user)?;
    transaction
        .execute("INSERT OR REPLACE INTO inbox_push_settings VALUES (?1, ?2)", params![user, settings])?;
    Ok(transaction.commit()?)
}

/// Removes everything of notifications that is the user's own.
pub(in crate::inbox::sqlite) fn erase(connection: &mut Connection, user: &UserId) -> Result<(), InboxError> {
    let transaction = connection.transaction()?;
    for (table, column) in [
        ("inbox_devices", "user_n"),
        ("inbox_push_settings", "user_n"),
        ("inbox_push_queue", "user_n"),
        ("inbox_push_badges", "user_n"),
        ("inbox_follows", "user_n"),
        ("inbox_follows", "host"),
        ("inbox_campaigns", "host"),
    ] {
        let sql = format!("DELETE FROM {table} WHERE {column} = (SELECT n FROM inbox_users WHERE id = ?1)");
        transaction.execute(&sql, [user.as_str()])?;
    }
    Ok(transaction.commit()?)
}
