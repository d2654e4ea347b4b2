//! Reads that uplinks make for requests.

use barrage_inbox::{Conversation, ConversationId, User, UserNumber};
use barrage_protocol::{Digest, UserId};
use rusqlite::{Connection, params};

use super::read::{all, one};
use crate::inbox::codes::{Code, int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::reads::{End, GroupMember, Terms, WANTED_MAX, Wanted};
use crate::inbox::records::{Membership, StoredItem};
use crate::inbox::store::AWAY_ROWS_MAX;

pub(super) fn secret(connection: &Connection) -> Result<[u8; 32], InboxError> {
    let found = one(connection, "SELECT secret FROM inbox_secret", [], |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
    found.and_then(|secret| secret.try_into().ok()).ok_or(InboxError::Corrupt("secret"))
}

pub(super) fn user(connection: &Connection, id: &UserId) -> Result<Option<User>, InboxError> {
    let sql = format!("SELECT {} FROM inbox_users WHERE id = ?1", parse::USER);
    one(connection, &sql, [id.as_str()], |row| parse::user(row))
}

pub(super) fn terms(connection: &mut Connection, from: &UserId, to: &UserId) -> Result<Terms, InboxError> {
    let snapshot = connection.transaction()?;
    let Some(receiver) = user(&snapshot, to)? else { return Ok(Terms::default()) };
    let mut terms = Terms { policy: receiver.preferences.policy, ..Terms::default() };
    let Some(sender) = user(&snapshot, from)? else { return Ok(terms) };
    let pair = [sender.number.0, receiver.number.0];
    terms.is_blocked = snapshot
        .prepare_cached(
            "SELECT 1 FROM inbox_blocks WHERE (user_n = ?1 AND other = ?2) OR (user_n = ?2 AND other = ?1)",
        )?
        .exists(pair)?;
    let id = ConversationId::direct(from, to);
    let sql = "SELECT m.user_n, m.folder, m.own_count FROM inbox_members AS m
        WHERE m.conversation = (SELECT n FROM inbox_conversations WHERE id = ?1) AND m.user_n IN (?2, ?3)";
    let rows = all(&snapshot, sql, params![id.as_str(), pair[0], pair[1]], |row| {
        Ok((UserNumber(row.int(0)?), row.small(1)?, uint(row.int(2)?)?))
    })?;
    for (user, folder, own_count) in rows {
        if user == receiver.number {
            terms.folder = Some(Code::of_code(folder)?);
        } else {
            terms.sent = own_count;
        }
    }
    Ok(terms)
}

pub(super) fn conversation(
    connection: &Connection,
    id: &ConversationId,
) -> Result<Option<Conversation>, InboxError> {
    let sql = format!("SELECT {} FROM inbox_conversations AS c WHERE c.id = ?1", parse::CONVERSATION);
    one(connection, &sql, [id.as_str()], |row| parse::conversation(row, 0))
}

pub(super) fn membership(
    connection: &Connection,
    user: &UserId,
    id: &ConversationId,
) -> Result<Option<Membership>, InboxError> {
    let sql = format!(
        "{} WHERE m.user_n = (SELECT n FROM inbox_users WHERE id = ?1)
            AND m.conversation = (SELECT n FROM inbox_conversations WHERE id = ?2)",
        parse::membership_query()
    );
    one(connection, &sql, [user.as_str(), id.as_str()], |row| parse::membership(row))
}

pub(super) fn members(
    connection: &Connection,
    group: &ConversationId,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<GroupMember>, InboxError> {
    let sql = "SELECT u.id, u.n, m.role FROM inbox_members AS m JOIN inbox_users AS u ON u.n = m.user_n
        WHERE m.conversation = (SELECT n FROM inbox_conversations WHERE id = ?1) AND u.id > ?2
            AND (m.left_position IS NULL OR m.role = ?3)
        ORDER BY u.id LIMIT ?4";
    let banned = barrage_inbox::Role::Banned.code();
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let after = after.map_or("", UserId::as_str);
    all(connection, sql, params![group.as_str(), after, banned, limit], |row| parse::group_member(row))
}

pub(super) fn shown(
    connection: &mut Connection,
    reader: UserNumber,
    wanted: &[Wanted],
    from: End,
    limit: usize,
) -> Result<Vec<StoredItem>, InboxError> {
    let snapshot = connection.transaction()?;
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let order = match from {
        End::Oldest => "ASC",
        End::Newest => "DESC",
    };
    let sql = format!(
        "SELECT {}, u.id FROM inbox_messages AS i JOIN inbox_users AS u ON u.n = i.sender
         WHERE i.conversation = ?1 AND i.position > ?2 AND i.position < ?3
            AND NOT EXISTS (SELECT 1 FROM inbox_hidden AS h
                WHERE h.user_n = ?4 AND h.conversation = i.conversation AND h.position = i.position)
         ORDER BY i.position {order} LIMIT ?5",
        parse::ITEM
    );
    let mut found = Vec::new();
    for one in wanted.iter().take(WANTED_MAX) {
        let range = params![one.conversation.0, int(one.after.0), int(one.before.0), reader.0, limit];
        let mut items = all(&snapshot, &sql, range, |row| parse::stored_item(row))?;
        if from == End::Newest {
            items.reverse();
        }
        found.append(&mut items);
    }
    Ok(found)
}

/// Returns whether an item that is shown has a medium.
pub(super) fn shows_medium(connection: &Connection, digest: Digest) -> Result<bool, InboxError> {
    let mut statement = connection.prepare_cached(
        r#"SELECT 1 FROM inbox_messages
           WHERE substr(body, instr(body, '"media":{"digest":"') + 19, 64) = ?1
               AND instr(body, '"media":{"digest":"') > 0 AND state = 0 LIMIT 1"#,
    )?;
    Ok(statement.exists([digest.to_string()])?)
}
