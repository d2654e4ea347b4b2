//! Settings that are in force everywhere at once: rooms, restrictions, switches, revocations.

use std::collections::HashMap;
use std::sync::Arc;

use barrage_protocol::{RoomId, UserId};
use serde::{Deserialize, Serialize};

use crate::bus::BusError;
use crate::change::{Change, Changed, Setting, SettingKey};
use crate::config::BusConfig;
use crate::restriction::{Restriction, Restrictions};
use crate::switch::Switches;

/// One room's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomSettings {
    /// Name to show.
    pub title: String,
    /// Nobody may join or send any more.
    pub closed: bool,
    /// Only moderators and above may chat.
    pub mute_all: bool,
    /// Seconds between two chats of one viewer; 0 is off.
    pub slow_mode_secs: u32,
    /// When the stream began, Unix milliseconds: offsets into it start here.
    pub stream_started_at_ms: u64,
    /// Crowds that are announced; those that are over may still stand here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prewarms: Vec<Prewarm>,
}

/// A crowd that a room expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prewarm {
    /// When it comes, Unix milliseconds.
    pub at_ms: u64,
    /// How long it stays.
    pub lasts_secs: u64,
    /// How many come.
    pub viewers: u64,
}

impl Prewarm {
    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.at_ms.saturating_add(self.lasts_secs.saturating_mul(1_000)) <= now_ms
    }
}

/// Tokens that were taken back before their end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    /// By user: tokens minted before this time, in Unix seconds, are refused.
    pub by_user: HashMap<UserId, u64>,
    /// Tokens of any user minted before this time, in Unix seconds, are refused.
    pub all_before: Option<u64>,
}

impl Revocations {
    /// Sets the time before which a user's tokens (`None`: all tokens) are refused. Entries that
    /// the time for all users covers are dropped.
    fn put(&mut self, user: Option<UserId>, before_secs: Option<u64>) {
        match (user, before_secs) {
            (Some(user), Some(before)) if self.all_before.is_none_or(|all| all < before) => {
                self.by_user.insert(user, before);
            }
            (Some(user), _) => drop(self.by_user.remove(&user)),
            (None, before) => {
                self.all_before = before;
                self.by_user.retain(|_, of_user| before.is_none_or(|all| all < *of_user));
            }
        }
    }
}

/// All settings, as one immutable value.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Rooms that exist.
    pub rooms: HashMap<RoomId, RoomSettings>,
    /// Restrictions by room and user; those whose end has passed may still stand here.
    pub restrictions: HashMap<(RoomId, UserId), Restrictions>,
    /// What operators turned off.
    pub switches: Switches,
    /// Tokens that are refused before their end. The same allocation until it changes.
    pub revocations: Arc<Revocations>,
}

impl Settings {
    /// The crowds that are announced and not over, the first to come first.
    #[must_use]
    pub fn prewarms(&self, now_ms: u64) -> Vec<(&RoomId, Prewarm)> {
        let all = self
            .rooms
            .iter()
            .flat_map(|(room, settings)| settings.prewarms.iter().map(move |it| (room, *it)));
        let mut live: Vec<_> = all.filter(|(_, prewarm)| !prewarm.is_over(now_ms)).collect();
        live.sort_by(|a, b| (a.1.at_ms, a.0).cmp(&(b.1.at_ms, b.0)));
        live
    }

    /// The gravest restriction in force on a user in a room: a kick before a mute.
    #[must_use]
    pub fn restriction(&self, room: &RoomId, user: &UserId, now_ms: u64) -> Option<Restriction> {
        // Most installations restrict nobody at a time: no key is built then.
        if self.restrictions.is_empty() {
            return None;
        }
        self.restrictions.get(&(room.clone(), user.clone()))?.gravest(now_ms)
    }

    /// Applies a change. Pure: engines and tests go by it.
    pub fn apply(&mut self, change: &Change, limits: &BusConfig, now_ms: u64) -> Result<Changed, BusError> {
        change.admit(self, limits, now_ms)?;
        if self.restrictions.len() >= limits.restrictions_max {
            self.restrictions.retain(|_, it| !it.is_over(now_ms));
        }
        let key = change.key();
        let before = self.get(&key);
        let after = change.apply(before.as_ref(), now_ms).map_err(BusError::Refused)?;
        self.put(key, after.clone());
        Ok(Changed { before, after })
    }

    /// The value under a key, as a change starts from it.
    pub(crate) fn get(&self, key: &SettingKey) -> Option<Setting> {
        match key {
            SettingKey::Switches => Some(Setting::Switches(self.switches)),
            SettingKey::Room(room) => self.rooms.get(room).cloned().map(Setting::Room),
            SettingKey::Restriction(room, user) => {
                self.restrictions.get(&(room.clone(), user.clone())).copied().map(Setting::Restrictions)
            }
            SettingKey::Revocation(None) => self.revocations.all_before.map(Setting::RevokedBefore),
            SettingKey::Revocation(Some(user)) => {
                self.revocations.by_user.get(user).copied().map(Setting::RevokedBefore)
            }
        }
    }

    /// Puts a value under a key; `None` removes what is there. A value of another kind than its
    /// key removes, too: no key reads back as such.
    pub(crate) fn put(&mut self, key: SettingKey, value: Option<Setting>) {
        match (key, value) {
            (SettingKey::Switches, Some(Setting::Switches(switches))) => self.switches = switches,
            (SettingKey::Switches, _) => self.switches = Switches::default(),
            (SettingKey::Room(room), Some(Setting::Room(settings))) => {
                self.rooms.insert(room, settings);
            }
            (SettingKey::Room(room), _) => drop(self.rooms.remove(&room)),
            (SettingKey::Restriction(room, user), Some(Setting::Restrictions(restrictions))) => {
                self.restrictions.insert((room, user), restrictions);
            }
            (SettingKey::Restriction(room, user), _) => drop(self.restrictions.remove(&(room, user))),
            (SettingKey::Revocation(user), value) => {
                let before = value.and_then(|value| value.revoked_before());
                Arc::make_mut(&mut self.revocations).put(user, before);
            }
        }
    }
}
