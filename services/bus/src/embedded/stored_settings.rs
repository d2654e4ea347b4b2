//! The settings in the log's file: one table for each kind, read as a whole at the start.

use barrage_protocol::{Digest, RoomId, UserId};
use rusqlite::{Row, params};

use super::journal::Journal;
use super::room_tables::{self, ROOM_TABLES, room_table};
use super::row;
use crate::settings::Settings;
use crate::settings::change::SettingKey;
use crate::settings::setting::Setting;

impl Journal {
    /// Returns all settings as they were last stored.
    pub(crate) fn settings(&self) -> rusqlite::Result<Settings> {
        let mut settings = Settings::default();
        self.each(&mut settings, "SELECT settings, room FROM rooms", |row| {
            Ok(SettingKey::Room(row::room(row, 1)?))
        })?;
        self.each(&mut settings, "SELECT restriction, room, user FROM restrictions", |row| {
            Ok(SettingKey::Restriction(row::room(row, 1)?, row::parsed(row, 2)?))
        })?;
        for (table, key) in ROOM_TABLES {
            let select = format!("SELECT {table}, room FROM {table}");
            self.each(&mut settings, &select, |row| Ok(key(row::room(row, 1)?)))?;
        }
        self.each(&mut settings, "SELECT emotes, room FROM emotes", |row| {
            let of_all = row.get_ref(1)?.as_str()?.is_empty();
            Ok(SettingKey::Emotes(if of_all { None } else { Some(row::room(row, 1)?) }))
        })?;
        self.each(&mut settings, "SELECT switches FROM switches", |_| Ok(SettingKey::Switches))?;
        self.each(&mut settings, "SELECT sampling FROM sampling", |_| Ok(SettingKey::Sampling))?;
        self.each(&mut settings, "SELECT at_ms, digest FROM removed_media", |row| {
            let digest = Digest::parse(row.get_ref(1)?.as_str()?);
            Ok(SettingKey::RemovedMedium(digest.map_err(|error| row::corrupt(1, error))?))
        })?;
        self.each(&mut settings, "SELECT before_secs, user FROM revocations", |row| {
            let of_all = row.get_ref(1)?.as_str()?.is_empty();
            Ok(SettingKey::Revocation(if of_all { None } else { Some(row::parsed(row, 1)?) }))
        })?;
        Ok(settings)
    }

    /// Puts the value in the first column of each row under the row's key.
    fn each(
        &self,
        settings: &mut Settings,
        query: &str,
        key: impl Fn(&Row<'_>) -> rusqlite::Result<SettingKey>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = key(row)?;
            let json = row.get_ref(0)?.as_str()?.as_bytes();
            let value = Setting::read(&key, json).map_err(|error| row::corrupt(0, error))?;
            settings.put(key, Some(value));
        }
        Ok(())
    }

    /// Stores one setting durably; `None` removes it.
    pub(crate) fn put(&mut self, key: &SettingKey, value: Option<&Setting>) -> rusqlite::Result<()> {
        self.sync_mode(true)?;
        let connection = &self.connection;
        let user = |user: &Option<UserId>| user.as_ref().map_or("", UserId::as_str).to_owned();
        let json = value.map(Setting::json);
        if let Some((table, room)) = room_table(key) {
            return room_tables::put(connection, table, room, json);
        }
        match (key, json) {
            // This engine has one partition, and nothing moves.
            (SettingKey::Partitions | SettingKey::Place(_), _) => Ok(0),
            (SettingKey::Room(room), Some(json)) => connection.execute(
                "INSERT OR REPLACE INTO rooms (room, settings) VALUES (?1, ?2)",
                params![room.as_str(), json],
            ),
            (SettingKey::Room(room), None) => {
                connection.execute("DELETE FROM rooms WHERE room = ?1", [room.as_str()])
            }
            (SettingKey::Restriction(room, user), Some(json)) => connection.execute(
                "INSERT OR REPLACE INTO restrictions (room, user, restriction) VALUES (?1, ?2, ?3)",
                params![room.as_str(), user.as_str(), json],
            ),
            (SettingKey::Restriction(room, user), None) => connection.execute(
                "DELETE FROM restrictions WHERE room = ?1 AND user = ?2",
                params![room.as_str(), user.as_str()],
            ),
            (SettingKey::Emotes(of), Some(json)) => connection.execute(
                "INSERT OR REPLACE INTO emotes (room, emotes) VALUES (?1, ?2)",
                params![of.as_ref().map_or("", RoomId::as_str), json],
            ),
            (SettingKey::Emotes(of), None) => connection
                .execute("DELETE FROM emotes WHERE room = ?1", [of.as_ref().map_or("", RoomId::as_str)]),
            (SettingKey::Switches, Some(json)) => {
                connection.execute("INSERT OR REPLACE INTO switches (id, switches) VALUES (0, ?1)", [json])
            }
            (SettingKey::Sampling, Some(json)) => {
                connection.execute("INSERT OR REPLACE INTO sampling (id, sampling) VALUES (0, ?1)", [json])
            }
            (SettingKey::Sampling, None) => connection.execute("DELETE FROM sampling", []),
            (SettingKey::Switches, None) => connection.execute("DELETE FROM switches", []),
            (SettingKey::RemovedMedium(digest), Some(json)) => connection.execute(
                "INSERT OR REPLACE INTO removed_media (digest, at_ms) VALUES (?1, ?2)",
                params![digest.to_string(), json],
            ),
            (SettingKey::RemovedMedium(digest), None) => {
                connection.execute("DELETE FROM removed_media WHERE digest = ?1", [digest.to_string()])
            }
            (SettingKey::Revocation(of), Some(json)) => connection.execute(
                "INSERT OR REPLACE INTO revocations (user, before_secs) VALUES (?1, ?2)",
                params![user(of), json],
            ),
            (SettingKey::Revocation(of), None) => {
                connection.execute("DELETE FROM revocations WHERE user = ?1", [user(of)])
            }
            (
                SettingKey::Roles(_)
                | SettingKey::Actions(_)
                | SettingKey::Attributes(_)
                | SettingKey::SuperChats(_)
                | SettingKey::Reviews(_)
                | SettingKey::Words(_),
                _,
            ) => unreachable!("a value of a room has a table of its own"),
        }?;
        Ok(())
    }
}
