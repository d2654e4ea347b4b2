//! Attributes of a room: all in one value, so that their number, their size and their versions are
//! exact whichever processes write.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrage_protocol::attribute::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_PER_ROOM_MAX, Attribute, AttributeKey};
use barrage_protocol::state::{Keyed, Versioned};
use serde::{Deserialize, Serialize};

use super::error::ChangeError;
use super::signal_mark::SignalMark;
use super::version::next_version;

/// Changes that a room remembers, so that one that comes again is not made twice.
const CHANGES_MAX: usize = 64;

/// A change of one attribute, by one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeChange {
    /// Key of the attribute that is set or removed.
    pub key: AttributeKey,
    /// New value; `None` removes the attribute.
    pub value: Option<Attribute>,
    /// Version that the attribute must have, 0 for one that must not exist; `None` for any.
    pub if_version: Option<u64>,
    /// Hash of the sender and of the id that the sender chose.
    pub request: u64,
    /// Hash of the content: the same request with another one is a conflict.
    pub fingerprint: u64,
}

/// A change that was made. Names are short in storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    #[serde(rename = "k")]
    request: u64,
    #[serde(rename = "f")]
    fingerprint: u64,
    #[serde(rename = "v")]
    version: u64,
}

/// The attributes of one room. A clone shares them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct RoomAttributes(Arc<Stored>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    /// Version of the newest change of any key.
    version: u64,
    entries: BTreeMap<AttributeKey, Versioned<Attribute>>,
    /// The last changes, oldest first.
    made: Vec<Made>,
    #[serde(skip_serializing_if = "SignalMark::is_default")]
    signals: SignalMark,
}

impl From<Stored> for RoomAttributes {
    fn from(stored: Stored) -> Self {
        RoomAttributes(Arc::new(stored))
    }
}

impl From<RoomAttributes> for Stored {
    fn from(attributes: RoomAttributes) -> Self {
        Arc::unwrap_or_clone(attributes.0)
    }
}

impl RoomAttributes {
    /// Returns the version of the newest change of any key; 0 before the first one.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// Returns how far the signals of the changes have come.
    #[must_use]
    pub fn signals(&self) -> SignalMark {
        self.0.signals
    }

    /// Notes that every change up to this version has a signal.
    pub(crate) fn signalled(&self, up_to: u64) -> Self {
        let mut stored = Stored::clone(&self.0);
        stored.signals = stored.signals.with_signals(up_to);
        stored.into()
    }

    /// Returns an attribute with its version.
    #[must_use]
    pub fn get(&self, key: &AttributeKey) -> Option<&Versioned<Attribute>> {
        self.0.entries.get(key)
    }

    /// Lists the attributes with their versions, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&AttributeKey, &Versioned<Attribute>)> {
        self.0.entries.iter()
    }

    /// Returns the attributes as a whole part of the room's state.
    #[must_use]
    pub fn state(&self) -> Keyed<AttributeKey, Attribute> {
        Keyed { complete_to: self.0.version, entries: self.0.entries.clone() }
    }

    /// Returns one attribute as it is now, as a change of the room's state; one that is not there, as
    /// removed.
    #[must_use]
    pub fn state_of(&self, key: &AttributeKey) -> Keyed<AttributeKey, Attribute> {
        let removed = || Versioned::new(self.0.version, None);
        Keyed::change(key.clone(), self.get(key).cloned().unwrap_or_else(removed))
    }

    /// Returns the version that a request gave an attribute, when the room remembers the request.
    ///
    /// # Errors
    /// [`ChangeError::ActionConflict`] for the same request with another content.
    pub fn made(&self, request: u64, fingerprint: u64) -> Result<Option<u64>, ChangeError> {
        match self.0.made.iter().find(|made| made.request == request) {
            Some(made) if made.fingerprint != fingerprint => Err(ChangeError::ActionConflict),
            made => Ok(made.map(|made| made.version)),
        }
    }

    /// Returns the attributes that are over, with their versions.
    pub fn expired(&self, now_ms: u64) -> impl Iterator<Item = (&AttributeKey, u64)> {
        let is_over = move |entry: &Versioned<Attribute>| {
            entry.value.as_ref().and_then(|value| value.expires_at_ms).is_some_and(|end| end <= now_ms)
        };
        self.iter().filter(move |(_, entry)| is_over(entry)).map(|(key, entry)| (key, entry.version))
    }

    /// Applies one change. A request that the room remembers changes nothing.
    pub(crate) fn changed(&self, change: &AttributeChange, now_ms: u64) -> Result<Self, ChangeError> {
        let AttributeChange { key, value, if_version, request, fingerprint } = change;
        if self.made(*request, *fingerprint)?.is_some() {
            return Ok(self.clone());
        }
        let version = self.get(key).map_or(0, |entry| entry.version);
        if if_version.is_some_and(|expected| expected != version) {
            return Err(ChangeError::AttributeVersion(version));
        }
        let mut stored = Stored::clone(&self.0);
        stored.version = next_version(stored.version, now_ms);
        stored.signals = stored.signals.with_change(stored.version);
        match value {
            Some(value) => {
                stored.entries.insert(key.clone(), Versioned::new(stored.version, Some(value.clone())));
                stored.check_bounds()?;
            }
            None => drop(stored.entries.remove(key)),
        }
        let forgotten = (stored.made.len() + 1).saturating_sub(CHANGES_MAX);
        stored.made.drain(..forgotten);
        stored.made.push(Made { request: *request, fingerprint: *fingerprint, version: stored.version });
        Ok(stored.into())
    }

    /// Removes an attribute that is over, unless it has changed since.
    pub(crate) fn without_expired(&self, key: &AttributeKey, version: u64) -> Self {
        if self.get(key).is_none_or(|entry| entry.version != version) {
            return self.clone();
        }
        let mut stored = Stored::clone(&self.0);
        stored.entries.remove(key);
        stored.version = stored.version.max(removed_version(version));
        stored.into()
    }
}

/// Returns the version of the removal of an attribute that is over. It is known before the removal, so
/// that the removal can be signalled first, and a process that is killed in between loses none.
#[must_use]
pub fn removed_version(version: u64) -> u64 {
    version + 1
}

impl Stored {
    fn check_bounds(&self) -> Result<(), ChangeError> {
        if self.entries.len() > ATTRIBUTES_PER_ROOM_MAX {
            return Err(ChangeError::AttributesFull);
        }
        let text = |entry: &Versioned<Attribute>| entry.value.as_ref().map_or(0, |value| value.text.len());
        let bytes: usize = self.entries.iter().map(|(key, entry)| key.as_str().len() + text(entry)).sum();
        if bytes > ATTRIBUTES_BYTES_MAX {
            return Err(ChangeError::AttributesTooLarge);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn key(n: usize) -> AttributeKey {
        format!("k{n}").parse().unwrap()
    }

    fn set(n: usize, text: &str, request: u64) -> AttributeChange {
        let value = Some(Attribute { text: text.into(), expires_at_ms: None });
        AttributeChange { key: key(n), value, if_version: None, request, fingerprint: request }
    }

    #[test]
    fn a_change_needs_the_version_that_it_names_and_is_made_once() {
        let new = AttributeChange { if_version: Some(0), ..set(1, "a", 1) };
        let first = RoomAttributes::default().changed(&new, NOW_MS).unwrap();
        let version = first.get(&key(1)).unwrap().version;
        assert_eq!(first.changed(&new, NOW_MS + 9), Ok(first.clone()), "the same request again");
        let second = AttributeChange { request: 2, fingerprint: 2, ..new.clone() };
        assert_eq!(first.changed(&second, NOW_MS), Err(ChangeError::AttributeVersion(version)));
        let other = AttributeChange { fingerprint: 3, ..new };
        assert_eq!(first.changed(&other, NOW_MS), Err(ChangeError::ActionConflict));
        let removal = AttributeChange { value: None, if_version: Some(version), ..set(1, "", 4) };
        let removed = first.changed(&removal, NOW_MS - 5).unwrap();
        assert!(removed.get(&key(1)).is_none() && removed.version() > version, "a clock that goes back");
        let state = removed.state_of(&key(1)).entries.remove(&key(1)).unwrap();
        assert_eq!((state.value, state.version), (None, removed.version()));
        let stored = serde_json::to_string(&removed).unwrap();
        assert_eq!(serde_json::from_str::<RoomAttributes>(&stored).unwrap(), removed);
    }

    #[test]
    fn number_and_size_are_bounded() {
        let mut all = RoomAttributes::default();
        for n in 0..ATTRIBUTES_PER_ROOM_MAX {
            all = all.changed(&set(n, "x", n as u64), NOW_MS).unwrap();
        }
        assert_eq!(all.changed(&set(1_000, "x", 1_000), NOW_MS), Err(ChangeError::AttributesFull));
        assert!(all.changed(&set(5, "y", 1_001), NOW_MS).is_ok(), "a known key may change");
        let mut large = RoomAttributes::default();
        let text = "x".repeat(4_000);
        for n in 0..16 {
            large = large.changed(&set(n, &text, n as u64), NOW_MS).unwrap();
        }
        assert_eq!(large.changed(&set(16, &text, 16), NOW_MS), Err(ChangeError::AttributesTooLarge));
        assert!(serde_json::to_string(&large).unwrap().len() < 2 * ATTRIBUTES_BYTES_MAX);
    }

    #[test]
    fn an_attribute_that_is_over_is_removed_unless_it_has_changed() {
        let value = Some(Attribute { text: "a".into(), expires_at_ms: Some(NOW_MS + 10) });
        let all =
            RoomAttributes::default().changed(&AttributeChange { value, ..set(1, "", 1) }, NOW_MS).unwrap();
        assert_eq!(all.expired(NOW_MS + 9).count(), 0);
        let (_, version) = all.expired(NOW_MS + 10).next().unwrap();
        let changed = all.changed(&set(1, "b", 2), NOW_MS + 11).unwrap();
        assert_eq!(changed.without_expired(&key(1), version), changed);
        assert!(changed.get(&key(1)).unwrap().version > removed_version(version));
        assert!(all.without_expired(&key(1), version).get(&key(1)).is_none());
    }
}
