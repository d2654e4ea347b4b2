//! Out of a row, whichever engine it came from.

use barrage_protocol::post::{History, HistoryMessage};
use barrage_protocol::{Class, RoomId, Sequence, UserId};
use serde_json::value::RawValue;
use sqlx::Row as _;

use crate::archive::page;
use crate::{AuditLine, AuditRecord, GiftKind, GiftRecord, GiftSum, Room, StoreError};

/// The kinds of value that the store keeps. Both engines have all of them, each
/// with its own row type.
pub(crate) trait Columns {
    /// An integer, or none.
    fn int(&self, column: &'static str) -> Result<Option<i64>, StoreError>;
    /// A text, or none.
    fn text(&self, column: &'static str) -> Result<Option<&str>, StoreError>;
    /// Yes or no.
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

/// What an integer column takes: it is signed. Sequences end at 2^53, and a time
/// or price beyond 2^63 is nonsense that may as well be the greatest value.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Reads an integer that was written by [`int`].
pub(crate) fn uint(row: &impl Columns, column: &'static str) -> Result<u64, StoreError> {
    optional(row.int(column)?, column)?.ok_or(StoreError::Corrupt(column))
}

/// Reads a text that is always there.
pub(crate) fn text<'r>(row: &'r impl Columns, column: &'static str) -> Result<&'r str, StoreError> {
    row.text(column)?.ok_or(StoreError::Corrupt(column))
}

/// Reads a user id.
pub(crate) fn user(row: &impl Columns, column: &'static str) -> Result<UserId, StoreError> {
    UserId::parse(text(row, column)?).map_err(|_| StoreError::Corrupt("user id"))
}

fn room_id(row: &impl Columns, column: &'static str) -> Result<RoomId, StoreError> {
    RoomId::parse(text(row, column)?).map_err(|_| StoreError::Corrupt("room id"))
}

fn optional<T: TryFrom<i64>>(value: Option<i64>, column: &'static str) -> Result<Option<T>, StoreError> {
    value.map(T::try_from).transpose().map_err(|_| StoreError::Corrupt(column))
}

/// Reads a room.
pub(crate) fn room(row: &impl Columns) -> Result<Room, StoreError> {
    Ok(Room {
        id: room_id(row, "id")?,
        title: text(row, "title")?.to_owned(),
        created_at_ms: uint(row, "created_at_ms")?,
        stream_started_at_ms: uint(row, "stream_started_at_ms")?,
        closed: row.flag("closed")?,
    })
}

/// Reads a row of the ledger.
pub(crate) fn gift(row: &impl Columns) -> Result<GiftRecord, StoreError> {
    Ok(GiftRecord {
        sequence: Sequence(uint(row, "sequence")?),
        room: room_id(row, "room")?,
        user: user(row, "user")?,
        kind: GiftKind::of_label(text(row, "kind")?).ok_or(StoreError::Corrupt("kind"))?,
        name: text(row, "name")?.to_owned(),
        count: u32::try_from(uint(row, "count")?).map_err(|_| StoreError::Corrupt("count"))?,
        price_minor: uint(row, "price_minor")?,
        currency: row.text("currency")?.map(str::to_owned),
        combo: optional(row.int("combo")?, "combo")?,
        at_ms: uint(row, "at_ms")?,
    })
}

/// Reads a sum, whose amount comes in two halves: the sum of many great amounts
/// leaves 64 bits.
pub(crate) fn gift_sum(row: &impl Columns) -> Result<GiftSum, StoreError> {
    let high = u128::from(uint(row, "amount_high")?);
    let low = u128::from(uint(row, "amount_low")?);
    Ok(GiftSum {
        currency: row.text("currency")?.map(str::to_owned),
        entries: uint(row, "entries")?,
        count: uint(row, "count")?,
        amount_minor: u64::try_from((high << 32) + low).unwrap_or(u64::MAX),
    })
}

/// Reads a line of the audit log.
pub(crate) fn audit_line(row: &impl Columns) -> Result<AuditLine, StoreError> {
    let is_there = |column| row.text(column).map(|text| text.is_some());
    Ok(AuditLine {
        id: uint(row, "id")?,
        record: AuditRecord {
            at_ms: uint(row, "at_ms")?,
            room: if is_there("room")? { Some(room_id(row, "room")?) } else { None },
            user: if is_there("user")? { Some(user(row, "user")?) } else { None },
            actor: text(row, "actor")?.to_owned(),
            action: text(row, "action")?.to_owned(),
            detail: serde_json::from_str(text(row, "detail")?).unwrap_or_default(),
        },
    })
}

/// The page of history out of what was found, of which one row more than the
/// page was asked.
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
