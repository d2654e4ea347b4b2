//! Tables of the settings with one value for each room.

use barrage_protocol::RoomId;
use rusqlite::{Connection, params};

use crate::settings::change::SettingKey;

/// Makes the key of a room's value.
type KeyOf = fn(RoomId) -> SettingKey;

/// Tables with one value for each room. The column of the value has the table's name.
pub(super) const ROOM_TABLES: [(&str, KeyOf); 6] = [
    ("roles", SettingKey::Roles),
    ("actions", SettingKey::Actions),
    ("attributes", SettingKey::Attributes),
    ("super_chats", SettingKey::SuperChats),
    ("reviews", SettingKey::Reviews),
    ("words", SettingKey::Words),
];

/// Returns the table of a value in [`ROOM_TABLES`], and its room.
pub(super) fn room_table(key: &SettingKey) -> Option<(&'static str, &RoomId)> {
    Some(match key {
        SettingKey::Roles(room) => ("roles", room),
        SettingKey::Actions(room) => ("actions", room),
        SettingKey::Attributes(room) => ("attributes", room),
        SettingKey::SuperChats(room) => ("super_chats", room),
        SettingKey::Reviews(room) => ("reviews", room),
        SettingKey::Words(room) => ("words", room),
        _ => return None,
    })
}

/// Stores the value of a room; `None` removes it.
pub(super) fn put(
    connection: &Connection,
    table: &str,
    room: &RoomId,
    json: Option<String>,
) -> rusqlite::Result<()> {
    match json {
        Some(json) => connection.execute(
            &format!("INSERT OR REPLACE INTO {table} (room, {table}) VALUES (?1, ?2)"),
            params![room.as_str(), json],
        ),
        None => connection.execute(&format!("DELETE FROM {table} WHERE room = ?1"), [room.as_str()]),
    }
    .map(drop)
}
