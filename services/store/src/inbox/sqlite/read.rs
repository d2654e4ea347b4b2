//! Reads for callers, and the rows of this engine.

use barrage_inbox::{ConversationId, ConversationNumber, MEMBERS_MAX, Role};
use barrage_protocol::{Sequence, UserId};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use crate::inbox::codes::{Code as _, int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::records::{Away, AwayRange, ItemRange, StoredItem};
use crate::inbox::store::AWAY_ROWS_MAX;

const LANES: &str = "SELECT lane, sequence FROM inbox_marks ORDER BY lane";

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

pub(super) fn all<T>(
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

pub(super) fn marks(connection: &Connection) -> Result<Vec<(u16, Sequence)>, InboxError> {
    all(connection, LANES, [], |row| parse::lane(row))
}

/// Reads everything in one transaction, which is one snapshot.
pub(super) fn away(
    connection: &mut Connection,
    id: &UserId,
    range: AwayRange,
    limit: usize,
) -> Result<Option<Away>, InboxError> {
    let snapshot = connection.transaction()?;
    let sql = format!("SELECT {} FROM inbox_users WHERE id = ?1", parse::USER);
    let Some(user) = one(&snapshot, &sql, [id.as_str()], |row| parse::user(row))? else { return Ok(None) };
    let (number, after) = (user.number.0, int(range.after.0));
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    let sql = format!(
        "{} WHERE m.user_n = ?1 AND (m.version > ?2 OR (m.peer IS NULL AND m.left_position IS NULL))
            AND (m.version < ?3 OR (m.version = ?3 AND m.conversation > ?4))
         ORDER BY m.version DESC, m.conversation LIMIT ?5",
        parse::membership_query()
    );
    let (version, conversation) = range.below.map_or((i64::MAX, 0), |below| (int(below.0.0), below.1.0));
    let place = [number, after, version, conversation, limit + 1];
    let mut memberships = all(&snapshot, &sql, place, |row| parse::membership(row))?;
    let more = i64::try_from(memberships.len()).is_ok_and(|found| found > limit);
    memberships.truncate(usize::try_from(limit).unwrap_or(1));
    let sql = parse::group_unread_query("?1", "MAX");
    let group_unread = one(&snapshot, &sql, [number], |row| uint(row.int(0)?))?.unwrap_or(0);
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
    Ok(Some(Away {
        memberships,
        more,
        group_unread,
        hidden: all(&snapshot, hidden, [number, after, limit], |row| parse::hidden(row))?,
        undelivered: all(&snapshot, undelivered, [number, after, limit], |row| parse::undelivered(row))?,
        mentions: all(&snapshot, mentions, [number, limit], |row| parse::mention(row))?,
        blocked: all(&snapshot, blocked, [number, limit], |row| parse::user_id(row, 0))?,
        lanes: all(&snapshot, LANES, [], |row| parse::lane(row))?,
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
        parse::stored_item(row)
    })?;
    if matches!(range, ItemRange::Before(_)) {
        found.reverse();
    }
    Ok(found)
}

pub(super) fn present(connection: &Connection, group: ConversationNumber) -> Result<Vec<UserId>, InboxError> {
    let sql = "SELECT u.id FROM inbox_members AS m JOIN inbox_users AS u ON u.n = m.user_n
        WHERE m.conversation = ?1 AND m.left_position IS NULL AND m.role > ?2 LIMIT ?3";
    let applicant = i64::from(Role::Applicant.code());
    all(connection, sql, params![group.0, applicant, MEMBERS_MAX], |row| parse::user_id(row, 0))
}
