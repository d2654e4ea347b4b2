//! State of a room: what a newcomer gets in `hello.state`, and what signals change of it.
//!
//! Each part of the state has a version, given by the settings of the room. A state merges with
//! another one part by part: the higher version stays. So the order in which a viewer gets states and
//! changes does not matter, nor does a change that comes twice.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attribute::{Attribute, AttributeKey};
use crate::poll::Poll;
use crate::reaction::ReactionName;
use crate::speak::SpeakRules;
use crate::{OpenSuperChat, Sequence};

/// Removed entries of one [`Keyed`] part that a reader remembers, so that an older change of them
/// that comes late does not bring them back.
pub const REMOVED_MAX: usize = 256;

/// State of a room, whole in a `hello` and in part in the `state` of a signal.
///
/// A part that is absent is not changed by a signal. A new part is one more field here, and one more
/// line in [`RoomState::merge`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RoomState {
    /// Title, rules and start of the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Versioned<StateSettings>>,
    /// Message that moderators pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Versioned<PinnedMessage>>,
    /// Attributes of the room by key: texts that its hosts and programs set.
    #[serde(skip_serializing_if = "Keyed::is_empty")]
    pub attributes: Keyed<AttributeKey, Attribute>,
    /// Poll that viewers can vote in now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Versioned<Poll>>,
    /// Super chats that are still on top, by their position in the room's chain.
    #[serde(skip_serializing_if = "Keyed::is_empty")]
    pub super_chats: Keyed<Sequence, OpenSuperChat>,
}

impl RoomState {
    /// Takes what is newer of another state, or of a change: the higher version of each part. Returns
    /// whether anything was newer.
    pub fn merge(&mut self, other: RoomState) -> bool {
        let RoomState { settings, pinned, attributes, poll, super_chats } = other;
        let newer = [
            Versioned::merge(&mut self.settings, settings),
            Versioned::merge(&mut self.pinned, pinned),
            self.attributes.merge(attributes),
            Versioned::merge(&mut self.poll, poll),
            self.super_chats.merge(super_chats),
        ];
        newer.contains(&true)
    }
}

/// A value with the version of its last change; without a value it is removed or not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Versioned<T> {
    /// Grows with each change of the value; it has no other meaning.
    pub version: u64,
    /// The value; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<T>,
}

impl<T> Versioned<T> {
    /// Returns a value as it is from a version on.
    pub fn new(version: u64, value: Option<T>) -> Self {
        Versioned { version, value }
    }

    /// Replaces the known value by a newer one; returns whether it did.
    fn merge(known: &mut Option<Versioned<T>>, other: Option<Versioned<T>>) -> bool {
        let Some(other) = other else { return false };
        let is_newer = known.as_ref().is_none_or(|known| known.version < other.version);
        if is_newer {
            *known = Some(other);
        }
        is_newer
    }
}

/// Values by key, each with its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, bound(deserialize = "K: Ord + Deserialize<'de>, T: Deserialize<'de>"))]
pub struct Keyed<K: Ord, T> {
    /// All changes up to this version are contained: a key that is absent here has no value of this
    /// or a lower version. 0, or absent, in a change.
    #[serde(skip_serializing_if = "is_zero")]
    pub complete_to: u64,
    /// Values by key; one without a value was removed.
    pub entries: BTreeMap<K, Versioned<T>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl<K: Ord, T> Default for Keyed<K, T> {
    fn default() -> Self {
        Keyed { complete_to: 0, entries: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, T> Keyed<K, T> {
    /// Returns whether the part says nothing, not even that there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.complete_to == 0 && self.entries.is_empty()
    }

    /// Returns a change of one key, as a signal carries it.
    pub fn change(key: K, to: Versioned<T>) -> Self {
        Keyed { complete_to: 0, entries: BTreeMap::from([(key, to)]) }
    }

    /// Returns the values that are not removed, by key.
    pub fn values(&self) -> impl Iterator<Item = (&K, &T)> {
        self.entries.iter().filter_map(|(key, entry)| Some((key, entry.value.as_ref()?)))
    }

    /// Takes what is newer of other values. A key that one side alone has stays when it is newer than
    /// all that the other side contains. Returns whether anything was newer.
    pub fn merge(&mut self, other: Keyed<K, T>) -> bool {
        let Keyed { complete_to, mut entries } = other;
        let count = self.entries.len();
        self.entries.retain(|key, entry| entries.contains_key(key) || entry.version > complete_to);
        let mut is_newer = self.entries.len() < count || complete_to > self.complete_to;
        entries.retain(|key, entry| self.entries.contains_key(key) || entry.version > self.complete_to);
        for (key, entry) in entries {
            match self.entries.get_mut(&key) {
                Some(known) if known.version >= entry.version => continue,
                Some(known) => *known = entry,
                None => drop(self.entries.insert(key, entry)),
            }
            is_newer = true;
        }
        self.complete_to = self.complete_to.max(complete_to);
        self.forget_removed();
        is_newer
    }

    /// Forgets removed entries that no change can bring back, and the oldest beyond [`REMOVED_MAX`].
    fn forget_removed(&mut self) {
        let complete_to = self.complete_to;
        self.entries.retain(|_, entry| entry.value.is_some() || entry.version > complete_to);
        loop {
            let removed = self.entries.iter().filter(|(_, entry)| entry.value.is_none());
            if removed.clone().count() <= REMOVED_MAX {
                return;
            }
            let oldest = removed.min_by_key(|(_, entry)| entry.version).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
    }
}

/// Title and rules of a room, as viewers need them. A field that is false or zero is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StateSettings {
    /// Name of the room that pages show; may be empty.
    pub title: String,
    /// The room is closed: joins and posts are refused.
    #[serde(skip_serializing_if = "is_false")]
    pub closed: bool,
    /// Only moderators and above may chat.
    #[serde(skip_serializing_if = "is_false")]
    pub mute_all: bool,
    /// Minimum seconds between two chats of one viewer; 0 while slow mode is off.
    #[serde(skip_serializing_if = "is_zero_secs")]
    pub slow_mode_secs: u32,
    /// Seconds by which viewers get the room's messages later than moderators; 0 for no delay.
    #[serde(skip_serializing_if = "is_zero_secs")]
    pub moderation_delay_secs: u32,
    /// Rules for those who speak that are in force, with the shield's; absent while none is on.
    #[serde(skip_serializing_if = "SpeakRules::is_open")]
    pub speak: SpeakRules,
    /// The room's shield is up.
    #[serde(skip_serializing_if = "is_false")]
    pub shield: bool,
    /// Reactions beside the like, in the order of their buttons; absent while the room has the platform's set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reactions: Option<Vec<ReactionName>>,
    /// Start of the stream in Unix milliseconds.
    pub stream_started_at_ms: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero_secs(secs: &u32) -> bool {
    *secs == 0
}

/// A pinned message, as it was broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinnedMessage {
    /// Position of the message in the room's chain.
    pub sequence: Sequence,
    /// Body of the message.
    pub message: Value,
}

#[cfg(test)]
mod tests;
