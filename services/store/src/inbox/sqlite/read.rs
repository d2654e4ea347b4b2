//! Reads for callers, and the rows of this engine.

use barrage_inbox::{ConversationId, Version};
use barrage_protocol::{Sequence, UserId};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use crate::inbox::codes::{int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::records::{Away, ItemRange, Membership, StoredItem};
use crate::inbox::store::AWAY_ROWS_MAX;

impl parse::Row for Row<'_> {
    fn int(&self, place: usize) -> Result<i64, InboxError> {
        Ok(self.get(place)?)
    }

    fn optional_int(&self, place: usize) -> Result<Option<i64>, InboxError> {
        Ok(self.get(place)?)
    }

    fn small(&self, place: usize) -> Result<i16, InboxError> {
        Ok(self.get(place)?)
    }

    fn flag(&self, place: usize) -> Result<bool, InboxError> {
        Ok(self.get(place)?)
    }

    fn text(&self, place: usize) -> Result<String, InboxError> {
        Ok(self.get(place)?)
    }

    fn optional_text(&self, place: usize) -> Result<Option<String>, InboxError> {
        Ok(self.get(place)?)
    }
}

/// Reads the row of a query that has one at most.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    parse: impl FnOnce(&Row<'_>) -> Result<T, InboxError>,
) -> Result<Option<T>, InboxError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(parse).transpose()
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    parse: impl Fn(&Row<'_>) -> Result<T, InboxError>,
) -> Result<Vec<T>, InboxError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(parse(row)?);
    }
    Ok(found)
}

pub(super) fn mark(connection: &Connection, lane: u16) -> Result<Sequence, InboxError> {
    let mut statement = connection.prepare_cached("SELECT sequence FROM inbox_marks WHERE lane = ?1")?;
    let found: Option<i64> = statement.query_row([lane], |row| row.get(0)).optional()?;
    Ok(Sequence(uint(found.unwrap_or(0))?))
}

/// Reads everything in one transaction, which is one snapshot.
pub(super) fn away(
    connection: &mut Connection,
    id: &UserId,
    after: Version,
    limit: usize,
) -> Result<Option<Away>, InboxError> {
    let snapshot = connection.transaction()?;
    let sql = format!("SELECT {} FROM inbox_users WHERE id = ?1", parse::USER);
    let Some(user) = one(&snapshot, &sql, [id.as_str()], |row| parse::user(row))? else { return Ok(None) };
    let (number, after) = (user.number.0, int(after.0));
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let sql = format!(
        "SELECT {}, {}, u.id FROM inbox_members AS m JOIN inbox_conversations AS c ON c.n = m.conversation
            LEFT JOIN inbox_users AS u ON u.n = m.peer
         WHERE m.user_n = ?1 AND (m.version > ?2 OR (m.peer IS NULL AND m.left_position IS NULL))
         ORDER BY m.version DESC, m.conversation LIMIT ?3",
        parse::MEMBER,
        parse::CONVERSATION
    );
    let memberships = all(&snapshot, &sql, [number, after, limit], |row| {
        let peer = parse::MEMBER_COLUMNS + parse::CONVERSATION_COLUMNS;
        Ok(Membership {
            member: parse::member(row, 0)?,
            conversation: parse::conversation(row, parse::MEMBER_COLUMNS)?,
            peer: row.optional_text(peer)?.map(|_| parse::user_id(row, peer)).transpose()?,
        })
    })?;
    let hidden = "SELECT user_n, conversation, position, version FROM inbox_hidden
        WHERE user_n = ?1 AND version > ?2 ORDER BY version DESC, conversation, position DESC LIMIT ?3";
    let undelivered = "SELECT user_n, version, conversation, id, refusal, at_ms FROM inbox_undelivered
        WHERE user_n = ?1 AND version > ?2 ORDER BY version DESC, conversation, id LIMIT ?3";
    let mentions = "SELECT n.user_n, n.conversation, n.position FROM inbox_mentions AS n
            JOIN inbox_members AS m ON m.user_n = n.user_n AND m.conversation = n.conversation
        WHERE n.user_n = ?1 AND n.position > m.read_position AND m.left_position IS NULL
        ORDER BY n.conversation, n.position DESC LIMIT ?2";
    let blocked = "SELECT u.id FROM inbox_blocks AS b JOIN inbox_users AS u ON u.n = b.other
        WHERE b.user_n = ?1 ORDER BY u.id LIMIT ?2";
    let lanes = "SELECT lane, sequence FROM inbox_marks ORDER BY lane";
    Ok(Some(Away {
        memberships,
        hidden: all(&snapshot, hidden, [number, after, limit], |row| parse::hidden(row))?,
        undelivered: all(&snapshot, undelivered, [number, after, limit], |row| parse::undelivered(row))?,
        mentions: all(&snapshot, mentions, [number, limit], |row| parse::mention(row))?,
        blocked: all(&snapshot, blocked, [number, limit], |row| parse::user_id(row, 0))?,
        lanes: all(&snapshot, lanes, [], |row| parse::lane(row))?,
        user,
    }))
}

pub(super) fn items(
    connection: &Connection,
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
         WHERE i.conversation = (SELECT n FROM inbox_conversations WHERE id = ?1) AND i.position {condition} ?2
         ORDER BY i.position {order} LIMIT ?3",
        parse::ITEM
    );
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let mut found = all(connection, &sql, params![conversation.as_str(), int(place.0), limit], |row| {
        Ok(StoredItem { item: parse::item(row)?, sender: parse::user_id(row, parse::ITEM_COLUMNS)? })
    })?;
    if matches!(range, ItemRange::Before(_)) {
        found.reverse();
    }
    Ok(found)
}
