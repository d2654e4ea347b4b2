//! Settings that are in force everywhere at once: rooms, restrictions, switches.

use std::collections::HashMap;

use barrage_protocol::{RoomId, UserId};
use serde::{Deserialize, Serialize};

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

/// What a user may not do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestrictionKind {
    /// May watch, may not send.
    Mute,
    /// May not be there.
    Kick,
}

/// A mute or a kick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// Which.
    pub kind: RestrictionKind,
    /// Unix milliseconds when it ends.
    pub until_ms: u64,
}

/// All settings, as one immutable value.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Rooms that exist.
    pub rooms: HashMap<RoomId, RoomSettings>,
    /// Restrictions by room and user; those whose end has passed may still stand here.
    pub restrictions: HashMap<(RoomId, UserId), Restriction>,
    /// What operators turned off.
    pub switches: Switches,
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

    /// The restriction in force on a user in a room.
    #[must_use]
    pub fn restriction(&self, room: &RoomId, user: &UserId, now_ms: u64) -> Option<Restriction> {
        let found = self.restrictions.get(&(room.clone(), user.clone()))?;
        (found.until_ms > now_ms).then_some(*found)
    }
}

/// One change of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Creates or replaces a room's settings.
    Room(RoomId, RoomSettings),
    /// Sets or lifts a restriction.
    Restrict {
        /// Where.
        room: RoomId,
        /// Whom.
        user: UserId,
        /// `None` lifts it.
        restriction: Option<Restriction>,
    },
    /// Sets all switches.
    Switches(Switches),
}
