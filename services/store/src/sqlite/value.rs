//! Between Rust's types and what SQLite keeps.

use barrage_protocol::{RoomId, UserId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::StoreError;

/// SQLite's integers are signed; sequences end at 2^53, and a time or price
/// beyond 2^63 is nonsense that may as well be the greatest value.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Reads an integer that was written by [`int`].
pub(super) fn uint(row: &SqliteRow, column: &'static str) -> Result<u64, StoreError> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| StoreError::Corrupt(column))
}

/// Reads a smaller integer.
pub(super) fn uint32(row: &SqliteRow, column: &'static str) -> Result<u32, StoreError> {
    u32::try_from(uint(row, column)?).map_err(|_| StoreError::Corrupt(column))
}

/// Reads a room id.
pub(super) fn room(row: &SqliteRow, column: &'static str) -> Result<RoomId, StoreError> {
    RoomId::parse(row.try_get(column)?).map_err(|_| StoreError::Corrupt("room id"))
}

/// Reads a user id.
pub(super) fn user(row: &SqliteRow, column: &'static str) -> Result<UserId, StoreError> {
    UserId::parse(row.try_get(column)?).map_err(|_| StoreError::Corrupt("user id"))
}
