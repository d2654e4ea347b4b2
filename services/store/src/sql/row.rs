//! Parses rows of either engine into the records of the store.

use barrage_protocol::post::{History, HistoryMessage};
use barrage_protocol::{Class, RoomId, Sequence, UserId};
use serde_json::value::RawValue;
use sqlx::Row as _;

use super::page::page;
use crate::error::StoreError;
use crate::records::audit::{AuditLine, AuditRecord};
use crate::records::gift::{GiftKind, GiftRecord};
use crate::records::room::Room;

/// The kinds of value that the store reads, on the row type of each engine.
pub(crate) trait Columns {
    /// Returns an integer; `None` when the column is null.
    fn int(&self, column: &'static str) -> Result<Option<i64>, StoreError>;
    /// Returns a text; `None` when the column is null.
    fn text(&self, column: &'static str) -> Result<Option<&str>, StoreError>;
    /// Returns a boolean column, which is never null.
    fn flag(&self, column: &'static str) -> Result<bool, StoreError>;
}

macro_rules! columns_of {
    ($($row:ty),+) => {$(
        impl Columns for $row {
            fn int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
                Ok(self.try_get(column)?)
            }

            fn text(&self, column: &'static str) -> Result<Option<&str>, StoreError> {
                Ok(self.try_get(column)?)
            }

            fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
                Ok(self.try_get(column)?)
            }
        }
    )+};
}
columns_of!(sqlx::sqlite::SqliteRow, sqlx::postgres::PgRow);

/// Parses an integer that [`super::page::int`] converted; fails when it is null or negative.
pub(crate) fn uint(row: &impl Columns, column: &'static str) -> Result<u64, StoreError> {
    optional(row.int(column)?, column)?.ok_or(StoreError::Corrupt(column))
}

/// Returns a text that is never null.
pub(crate) fn text<'r>(row: &'r impl Columns, column: &'static str) -> Result<&'r str, StoreError> {
    row.text(column)?.ok_or(StoreError::Corrupt(column))
}

/// Parses a user id that is never null.
pub(crate) fn user_id(row: &impl Columns, column: &'static str) -> Result<UserId, StoreError> {
    UserId::parse(text(row, column)?).map_err(|_| StoreError::Corrupt("user id"))
}

fn room_id(row: &impl Columns, column: &'static str) -> Result<RoomId, StoreError> {
    RoomId::parse(text(row, column)?).map_err(|_| StoreError::Corrupt("room id"))
}

/// Parses an integer that may be null; fails when it is outside of its type.
pub(crate) fn optional<T: TryFrom<i64>>(
    value: Option<i64>,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    value.map(T::try_from).transpose().map_err(|_| StoreError::Corrupt(column))
}

/// Parses a room record; fails when a column cannot be parsed.
pub(crate) fn room(row: &impl Columns) -> Result<Room, StoreError> {
    Ok(Room {
        id: room_id(row, "id")?,
        title: text(row, "title")?.to_owned(),
        created_at_ms: uint(row, "created_at_ms")?,
        stream_started_at_ms: uint(row, "stream_started_at_ms")?,
        closed: row.flag("closed")?,
    })
}

/// Parses a row of the gift ledger.
pub(crate) fn gift(row: &impl Columns) -> Result<GiftRecord, StoreError> {
    Ok(GiftRecord {
        sequence: Sequence(uint(row, "sequence")?),
        room: room_id(row, "room")?,
        user: user_id(row, "user")?,
        kind: GiftKind::of_label(text(row, "kind")?).ok_or(StoreError::Corrupt("kind"))?,
        name: text(row, "name")?.to_owned(),
        count: u32::try_from(uint(row, "count")?).map_err(|_| StoreError::Corrupt("count"))?,
        price_minor: uint(row, "price_minor")?,
        currency: row.text("currency")?.map(str::to_owned),
        combo: optional(row.int("combo")?, "combo")?,
        at_ms: uint(row, "at_ms")?,
    })
}

/// Parses a line of the audit log.
pub(crate) fn audit_line(row: &impl Columns) -> Result<AuditLine, StoreError> {
    let has = |column| row.text(column).map(|text| text.is_some());
    Ok(AuditLine {
        id: uint(row, "id")?,
        record: AuditRecord {
            at_ms: uint(row, "at_ms")?,
            room: if has("room")? { Some(room_id(row, "room")?) } else { None },
            user: if has("user")? { Some(user_id(row, "user")?) } else { None },
            actor: text(row, "actor")?.to_owned(),
            action: text(row, "action")?.to_owned(),
            detail: serde_json::from_str(text(row, "detail")?).unwrap_or_default(),
        },
    })
}

/// Parses a page of history. `found` has up to one row more than the page, which shows whether there
/// are more.
pub(crate) fn history(found: &[impl Columns], limit: usize) -> Result<History, StoreError> {
    let shown = &found[..found.len().min(page(limit))];
    let messages: Result<Vec<_>, _> = shown.iter().map(message).collect();
    Ok(History { messages: messages?, more: found.len() > shown.len() })
}

fn message(row: &impl Columns) -> Result<HistoryMessage, StoreError> {
    let class = text(row, "class")?;
    let class = Class::ALL.into_iter().find(|known| known.label() == class);
    let body = RawValue::from_string(text(row, "body")?.to_owned());
    Ok(HistoryMessage {
        sequence: Sequence(uint(row, "sequence")?),
        class: class.ok_or(StoreError::Corrupt("class"))?,
        at_ms: uint(row, "at_ms")?,
        offset_ms: uint(row, "offset_ms")?,
        body: body.map_err(|_| StoreError::Corrupt("body"))?,
    })
}
