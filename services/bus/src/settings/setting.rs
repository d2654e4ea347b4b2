//! One value of the settings, with the kind of its key.

use serde::Serialize;

use super::action::ActionLog;
use super::attribute::RoomAttributes;
use super::change::SettingKey;
use super::emotes::EmoteWords;
use super::partition_plan::PartitionPlan;
use super::restriction::Restrictions;
use super::review::ReviewQueue;
use super::role::RoomRoles;
use super::room::RoomSettings;
use super::room_place::RoomPlace;
use super::sampling::SamplingOverlay;
use super::signal_mark::{SignalMark, StatePart};
use super::super_chat::RoomSuperChats;
use super::switch::Switches;
use super::words::RoomWords;

/// A value that is stored and changed on its own, as JSON without its kind: the key has the kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Setting {
    /// Settings of one room; they are never removed.
    Room(RoomSettings),
    /// Restrictions of a user in a room.
    Restrictions(Restrictions),
    /// Roles of one room, all in one value; they are never removed.
    Roles(RoomRoles),
    /// The last actions of one room; they are never removed.
    Actions(ActionLog),
    /// Attributes of one room, all in one value; they are never removed.
    Attributes(RoomAttributes),
    /// Super chats on top in one room, all in one value; they are never removed.
    SuperChats(RoomSuperChats),
    /// Review queue of one room; it is never removed.
    Reviews(ReviewQueue),
    /// Words of one room; they are never removed.
    Words(RoomWords),
    /// Emotes of the platform or of one room, all in one value.
    Emotes(EmoteWords),
    /// Switches of the platform, all in one value.
    Switches(Switches),
    /// Sampling of traces, as far as it differs from the configuration.
    Sampling(SamplingOverlay),
    /// Tokens minted before this time, in Unix seconds, are refused.
    RevokedBefore(u64),
    /// A medium was removed at this time, in Unix milliseconds; it is never removed from the settings.
    RemovedAtMs(u64),
    /// Wanted number of partitions.
    Partitions(PartitionPlan),
    /// Partitions that the chain of one room is in; it is never removed.
    Place(RoomPlace),
}

impl Setting {
    pub(super) fn room(&self) -> Option<&RoomSettings> {
        if let Setting::Room(room) = self { Some(room) } else { None }
    }

    pub(super) fn restrictions(&self) -> Option<Restrictions> {
        if let Setting::Restrictions(restrictions) = self { Some(*restrictions) } else { None }
    }

    pub(super) fn roles(&self) -> Option<&RoomRoles> {
        if let Setting::Roles(roles) = self { Some(roles) } else { None }
    }

    pub(super) fn actions(&self) -> Option<&ActionLog> {
        if let Setting::Actions(log) = self { Some(log) } else { None }
    }

    pub(super) fn attributes(&self) -> Option<&RoomAttributes> {
        if let Setting::Attributes(attributes) = self { Some(attributes) } else { None }
    }

    pub(super) fn super_chats(&self) -> Option<&RoomSuperChats> {
        if let Setting::SuperChats(chats) = self { Some(chats) } else { None }
    }

    pub(super) fn reviews(&self) -> Option<&ReviewQueue> {
        if let Setting::Reviews(queue) = self { Some(queue) } else { None }
    }

    pub(super) fn words(&self) -> Option<&RoomWords> {
        if let Setting::Words(words) = self { Some(words) } else { None }
    }

    pub(super) fn emotes(&self) -> Option<&EmoteWords> {
        if let Setting::Emotes(emotes) = self { Some(emotes) } else { None }
    }

    pub(super) fn switches(&self) -> Option<Switches> {
        if let Setting::Switches(switches) = self { Some(switches.clone()) } else { None }
    }

    pub(super) fn sampling(&self) -> Option<&SamplingOverlay> {
        if let Setting::Sampling(sampling) = self { Some(sampling) } else { None }
    }

    /// Returns the value with the note that every change up to a version has its signal.
    pub(super) fn signalled(&self, up_to: u64) -> Setting {
        match self {
            Setting::Room(room) => Setting::Room(room.clone().signalled(up_to)),
            Setting::Attributes(attributes) => Setting::Attributes(attributes.signalled(up_to)),
            Setting::SuperChats(chats) => Setting::SuperChats(chats.signalled(up_to)),
            other => other.clone(),
        }
    }

    /// Returns the part of a room's state that the value is, with the mark of its signals.
    pub(super) fn signals(&self) -> Option<(StatePart, SignalMark)> {
        match self {
            Setting::Room(room) => Some((StatePart::Settings, room.signals)),
            Setting::Attributes(attributes) => Some((StatePart::Attributes, attributes.signals())),
            Setting::SuperChats(chats) => Some((StatePart::SuperChats, chats.signals())),
            _ => None,
        }
    }

    pub(super) fn partitions(&self) -> Option<PartitionPlan> {
        if let Setting::Partitions(plan) = self { Some(*plan) } else { None }
    }

    pub(super) fn place(&self) -> Option<&RoomPlace> {
        if let Setting::Place(place) = self { Some(place) } else { None }
    }

    pub(crate) fn revoked_before(&self) -> Option<u64> {
        if let Setting::RevokedBefore(secs) = self { Some(*secs) } else { None }
    }

    pub(super) fn removed_at_ms(&self) -> Option<u64> {
        if let Setting::RemovedAtMs(at_ms) = self { Some(*at_ms) } else { None }
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("settings are plain data")
    }

    /// Parses the output of [`Setting::json`] as the kind of value that the key names.
    pub(crate) fn read(key: &SettingKey, json: &[u8]) -> serde_json::Result<Setting> {
        Ok(match key {
            SettingKey::Room(_) => Setting::Room(serde_json::from_slice(json)?),
            SettingKey::Restriction(..) => Setting::Restrictions(serde_json::from_slice(json)?),
            SettingKey::Roles(_) => Setting::Roles(serde_json::from_slice(json)?),
            SettingKey::Actions(_) => Setting::Actions(serde_json::from_slice(json)?),
            SettingKey::Attributes(_) => Setting::Attributes(serde_json::from_slice(json)?),
            SettingKey::SuperChats(_) => Setting::SuperChats(serde_json::from_slice(json)?),
            SettingKey::Reviews(_) => Setting::Reviews(serde_json::from_slice(json)?),
            SettingKey::Words(_) => Setting::Words(serde_json::from_slice(json)?),
            SettingKey::Partitions => Setting::Partitions(serde_json::from_slice(json)?),
            SettingKey::Place(_) => Setting::Place(serde_json::from_slice(json)?),
            SettingKey::Emotes(_) => Setting::Emotes(EmoteWords::new(serde_json::from_slice(json)?)),
            SettingKey::Switches => Setting::Switches(Switches::read(json)?),
            SettingKey::Sampling => Setting::Sampling(serde_json::from_slice(json)?),
            SettingKey::RemovedMedium(_) => Setting::RemovedAtMs(serde_json::from_slice(json)?),
            SettingKey::Revocation(_) => Setting::RevokedBefore(serde_json::from_slice(json)?),
        })
    }
}
