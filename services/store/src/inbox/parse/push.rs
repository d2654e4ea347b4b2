//! Queries and rows of notifications.

use barrage_inbox::{Folder, ItemKind, ItemState, Notify, Role, UserNumber};

use super::{
    CONVERSATION, CONVERSATION_COLUMNS, Code, ITEM, MEMBER, Row, conversation, group_unread_query, member,
    user_id,
};
use crate::inbox::error::InboxError;
use crate::inbox::push::{
    Campaign, DeviceRecord, Due, Follower, LOWER_EVERY_MS, NewCampaign, PushKind, PushService,
};

/// Columns of `inbox_devices`, for [`device`].
pub(in crate::inbox) const DEVICE: &str =
    "device, service, address, keys, registered_at_ms, badge, badge_at_ms";

pub(in crate::inbox) fn device(row: &impl Row) -> Result<DeviceRecord, InboxError> {
    device_at(row, 0)
}

/// Parses a device that begins at a column.
pub(in crate::inbox) fn device_at(row: &impl Row, at: usize) -> Result<DeviceRecord, InboxError> {
    Ok(DeviceRecord {
        device: row.text(at)?,
        service: row.text(at + 1)?,
        address: row.text(at + 2)?,
        keys: row.optional_text(at + 3)?,
        registered_at_ms: row.count(at + 4)?,
        badge: u32::try_from(row.int(at + 5)?).map_err(|_| InboxError::Corrupt("badge"))?,
        badge_at_ms: row.count(at + 6)?,
    })
}

pub(in crate::inbox) fn push_service(row: &impl Row) -> Result<PushService, InboxError> {
    Ok(PushService { name: row.text(0)?, public_key: row.optional_text(1)? })
}

/// Returns the condition for members `m` for whom a notification waits. `kind` is the parameter with its kind.
pub(in crate::inbox) fn called_condition(kind: &str) -> String {
    let [mention, all, none, applicant, main] = [
        PushKind::Mention.code(),
        Notify::All.code(),
        Notify::None.code(),
        Role::Applicant.code(),
        Folder::Main.code(),
    ];
    format!(
        "m.left_position IS NULL AND m.role > {applicant} AND m.folder = {main}
            AND (m.notify = {all} OR ({kind} = {mention} AND m.notify <> {none}))
            AND EXISTS (SELECT 1 FROM inbox_devices AS d WHERE d.user_n = m.user_n)"
    )
}

/// Returns the statement that lets the badges of users wait who have a device whose badge can be lowered without a sound.
/// `asked` is a table with columns `id` and `due_ms`. A row that waits stays: it reads the total later.
pub(in crate::inbox) fn lowering_query(asked: &str, greatest: &str) -> String {
    format!(
        "INSERT INTO inbox_push_badges
         SELECT d.user_n, {greatest}(MIN(asked.due_ms), MAX(d.badge_at_ms) + {LOWER_EVERY_MS})
         FROM {asked} JOIN inbox_users AS u ON u.id = asked.id JOIN inbox_devices AS d ON d.user_n = u.n
         WHERE d.badge > 0 AND d.service IN ('apns', 'fcm')
         GROUP BY d.user_n ORDER BY d.user_n ON CONFLICT (user_n) DO NOTHING"
    )
}

/// Returns how a row joins one that waits. What an attempt has told to some devices is told to all again.
pub(in crate::inbox) fn queue_conflict(greatest: &str) -> String {
    format!(
        "ON CONFLICT (user_n, conversation) DO UPDATE SET rest = NULL,
            up_to = {greatest}(inbox_push_queue.up_to, excluded.up_to),
            kind = {greatest}(inbox_push_queue.kind, excluded.kind)"
    )
}

/// Returns the query of [`due`] rows of the queue `q`, without its condition.
pub(in crate::inbox) fn due_query() -> String {
    format!(
        "SELECT q.user_n, u.id, q.up_to, q.kind, q.attempts, q.rest, s.settings, {CONVERSATION}, {MEMBER}
         FROM inbox_push_queue AS q JOIN inbox_users AS u ON u.n = q.user_n
            JOIN inbox_conversations AS c ON c.n = q.conversation
            LEFT JOIN inbox_members AS m ON m.user_n = q.user_n AND m.conversation = q.conversation
            LEFT JOIN inbox_push_settings AS s ON s.user_n = q.user_n"
    )
}

/// Parses a row of the queue; item, total and devices are read beside it.
pub(in crate::inbox) fn due(row: &impl Row, taken: i64) -> Result<Due, InboxError> {
    let rest = row.optional_text(5)?.map(|rest| serde_json::from_str(&rest));
    let member_at = 7 + CONVERSATION_COLUMNS;
    Ok(Due {
        user: UserNumber(row.int(0)?),
        id: user_id(row, 1)?,
        up_to: row.count(2)?,
        kind: Code::of_code(row.small(3)?)?,
        attempts: u32::try_from(row.int(4)?).unwrap_or(u32::MAX),
        rest: rest.transpose().map_err(|_| InboxError::Corrupt("rest"))?,
        settings: row.optional_text(6)?,
        conversation: conversation(row, 7)?,
        member: row.optional_int(member_at)?.map(|_| member(row, member_at)).transpose()?,
        item: None,
        total: 0,
        devices: Vec::new(),
        taken,
    })
}

/// Returns the query of the newest item that a user has neither read nor hidden nor sent, up to a position. Parameters:
/// conversation, user, position that is read, last position.
pub(in crate::inbox) fn newest_unread_query([conversation, user, read, up_to]: [&str; 4]) -> String {
    let (recall, shown) = (ItemKind::Recall.code(), ItemState::Shown.code());
    format!(
        "SELECT {ITEM}, u.id FROM inbox_messages AS i JOIN inbox_users AS u ON u.n = i.sender
         WHERE i.conversation = {conversation} AND i.position > {read} AND i.position <= {up_to}
            AND i.sender <> {user} AND i.kind <> {recall} AND i.state = {shown}
            AND NOT EXISTS (SELECT 1 FROM inbox_hidden AS h
                WHERE h.user_n = {user} AND h.conversation = i.conversation AND h.position = i.position)
         ORDER BY i.position DESC LIMIT 1"
    )
}

/// Returns the query of a user's unread items that count, in direct conversations and groups.
pub(in crate::inbox) fn total_query(user: &str, greatest: &str) -> String {
    format!("SELECT unread + ({}) FROM inbox_users WHERE n = {user}", group_unread_query(user, greatest))
}

/// Returns the query of followers `f` of a host who have devices; conditions may follow.
pub(in crate::inbox) fn followers_query(host: &str) -> String {
    format!(
        "SELECT f.user_n, u.id, s.settings FROM inbox_follows AS f JOIN inbox_users AS u ON u.n = f.user_n
            LEFT JOIN inbox_push_settings AS s ON s.user_n = f.user_n
         WHERE f.host = (SELECT n FROM inbox_users WHERE id = {host})
            AND EXISTS (SELECT 1 FROM inbox_devices AS d WHERE d.user_n = f.user_n)"
    )
}

pub(in crate::inbox) fn follower(row: &impl Row) -> Result<Follower, InboxError> {
    Ok(Follower {
        user: UserNumber(row.int(0)?),
        id: user_id(row, 1)?,
        settings: row.optional_text(2)?,
        total: 0,
        devices: Vec::new(),
    })
}

/// Returns the query of campaigns `c`, without its condition.
pub(in crate::inbox) fn campaign_query() -> String {
    "SELECT c.id, u.id, c.room, c.title, c.started_at_ms, c.followers, c.after_n, c.told, c.ended_at_ms, c.taken
     FROM inbox_campaigns AS c JOIN inbox_users AS u ON u.n = c.host"
        .to_owned()
}

pub(in crate::inbox) fn campaign(row: &impl Row) -> Result<Campaign, InboxError> {
    Ok(Campaign {
        about: NewCampaign {
            id: row.text(0)?,
            host: user_id(row, 1)?,
            room: row.text(2)?,
            title: row.text(3)?,
            at_ms: row.count(4)?,
        },
        followers: row.count(5)?,
        after: UserNumber(row.int(6)?),
        told: row.count(7)?,
        ended_at_ms: row.optional_int(8)?.map(crate::inbox::codes::uint).transpose()?,
        taken: row.int(9)?,
    })
}
