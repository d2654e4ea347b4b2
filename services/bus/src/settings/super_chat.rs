//! Super chats that are on top in a room: all in one value, so that their number and their versions are
//! exact whichever processes write.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrage_protocol::state::{Keyed, Versioned};
use barrage_protocol::super_chat::{OpenSuperChat, SUPER_CHATS_OPEN_MAX};
use barrage_protocol::{Sequence, UserId};
use serde::{Deserialize, Serialize};

use super::signal_mark::SignalMark;
use super::version::next_version;

/// Maximum bytes of the messages on top in a room: every hello has all of them, and must stay below the
/// queue of a viewer.
const OPEN_BYTES_MAX: usize = 64 * 1024;

/// Change of the super chats that are on top in a room.
#[derive(Debug, Clone, PartialEq)]
pub enum SuperChatChange {
    /// Puts one on top; one that is there stays as it is. Beyond the maximum one leaves.
    Open(OpenSuperChat),
    /// Marks one as read, or takes the mark back; changes nothing for one that is not on top.
    Read {
        /// Position of the super chat in the room's chain.
        sequence: Sequence,
        /// Whether it is read from now on.
        on: bool,
    },
    /// Removes those that an action hides: of those before the position of its signal.
    Hide {
        /// Messages that the action hides.
        hidden: Hidden,
        /// Position of its signal; later super chats stay.
        before: Sequence,
    },
    /// Removes those whose time was over at this Unix time in milliseconds.
    Expire {
        /// Unix milliseconds at which those are over that are removed.
        now_ms: u64,
    },
}

/// Messages that an action hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hidden {
    /// The message at one position.
    Message(Sequence),
    /// All messages of a user.
    User(UserId),
    /// All messages of the room.
    All,
}

impl Hidden {
    fn hides(&self, open: &OpenSuperChat) -> bool {
        match self {
            Hidden::Message(sequence) => open.sequence == *sequence,
            Hidden::User(user) => open.message["user"] == user.as_str(),
            Hidden::All => true,
        }
    }
}

/// Super chats that are on top in one room. A clone shares them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct RoomSuperChats(Arc<Stored>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    /// Version of the newest change of any of them.
    version: u64,
    #[serde(skip_serializing_if = "SignalMark::is_default")]
    signals: SignalMark,
    open: BTreeMap<Sequence, Versioned<OpenSuperChat>>,
}

impl From<Stored> for RoomSuperChats {
    fn from(stored: Stored) -> Self {
        RoomSuperChats(Arc::new(stored))
    }
}

impl From<RoomSuperChats> for Stored {
    fn from(chats: RoomSuperChats) -> Self {
        Arc::unwrap_or_clone(chats.0)
    }
}

impl RoomSuperChats {
    /// Returns the version of the newest change; 0 before the first one.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// Returns how far the signals of the changes have come.
    #[must_use]
    pub fn signals(&self) -> SignalMark {
        self.0.signals
    }

    /// Returns the super chat at a position, when it is on top.
    #[must_use]
    pub fn get(&self, sequence: Sequence) -> Option<&OpenSuperChat> {
        self.0.open.get(&sequence).and_then(|entry| entry.value.as_ref())
    }

    /// Returns those on top, in the order of the chain.
    pub fn iter(&self) -> impl Iterator<Item = &OpenSuperChat> {
        self.0.open.values().filter_map(|entry| entry.value.as_ref())
    }

    /// Returns whether an action hides one of them.
    #[must_use]
    pub fn has(&self, hidden: &Hidden) -> bool {
        self.iter().any(|open| hidden.hides(open))
    }

    /// Returns whether the time of one of them is over.
    #[must_use]
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.iter().any(|open| open.until_ms <= now_ms)
    }

    /// Returns them as a whole part of the room's state.
    #[must_use]
    pub fn state(&self) -> Keyed<Sequence, OpenSuperChat> {
        Keyed { complete_to: self.0.version, entries: self.0.open.clone() }
    }

    /// Returns the difference to an earlier value as a change of the room's state: those that are new or
    /// changed, and those that are gone, as removed.
    #[must_use]
    pub fn state_since(&self, before: &RoomSuperChats) -> Keyed<Sequence, OpenSuperChat> {
        let is_new = |(at, entry): &(&Sequence, &Versioned<OpenSuperChat>)| {
            before.0.open.get(at).is_none_or(|known| known.version != entry.version)
        };
        let changed = self.0.open.iter().filter(is_new).map(|(at, entry)| (*at, entry.clone()));
        let is_gone = |at: &&Sequence| !self.0.open.contains_key(at);
        let removed = || Versioned::new(self.0.version, None);
        let gone = before.0.open.keys().filter(is_gone).map(|at| (*at, removed()));
        Keyed { complete_to: 0, entries: changed.chain(gone).collect() }
    }

    /// Applies one change. A change without an effect leaves the version as it is.
    pub(crate) fn changed(&self, change: &SuperChatChange, now_ms: u64) -> Self {
        let mut stored = Stored::clone(&self.0);
        let version = next_version(stored.version, now_ms);
        match change {
            SuperChatChange::Open(open) if stored.open.contains_key(&open.sequence) => {}
            // It would remove all others.
            SuperChatChange::Open(open) if open.message.to_string().len() > OPEN_BYTES_MAX => {}
            SuperChatChange::Open(open) => {
                stored.open.insert(open.sequence, Versioned::new(version, Some(open.clone())));
                stored.make_room();
            }
            SuperChatChange::Read { sequence, on } => {
                if let Some(entry) = stored.open.get_mut(sequence)
                    && let Some(open) = entry.value.as_mut().filter(|open| open.read != *on)
                {
                    open.read = *on;
                    entry.version = version;
                }
            }
            SuperChatChange::Hide { hidden, before } => {
                stored.keep(|open| open.sequence >= *before || !hidden.hides(open));
            }
            SuperChatChange::Expire { now_ms } => stored.keep(|open| open.until_ms > *now_ms),
        }
        if stored.open == self.0.open {
            return self.clone();
        }
        stored.version = version;
        stored.signals = stored.signals.with_change(version);
        stored.into()
    }

    /// Notes that every change up to this version has a signal.
    pub(crate) fn signalled(&self, up_to: u64) -> Self {
        let mut stored = Stored::clone(&self.0);
        stored.signals = stored.signals.with_signals(up_to);
        stored.into()
    }
}

impl Stored {
    /// Bytes of the messages on top, as JSON.
    fn bytes(&self) -> usize {
        let open = self.open.values().filter_map(|entry| entry.value.as_ref());
        open.map(|open| open.message.to_string().len()).sum()
    }

    fn keep(&mut self, is_kept: impl Fn(&OpenSuperChat) -> bool) {
        self.open.retain(|_, entry| entry.value.as_ref().is_some_and(&is_kept));
    }

    /// Removes those beyond the maximum, in number or bytes: the oldest that was read, else the one whose time
    /// ends first.
    fn make_room(&mut self) {
        while self.open.len() > SUPER_CHATS_OPEN_MAX || self.bytes() > OPEN_BYTES_MAX {
            let rank = |entry: &Versioned<OpenSuperChat>| {
                entry.value.as_ref().map_or((false, 0), |open| (!open.read, open.until_ms))
            };
            let Some(first) = self.open.iter().min_by_key(|(_, entry)| rank(entry)).map(|(at, _)| *at) else {
                return;
            };
            self.open.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn open(n: u64, user: &str, secs: u64) -> SuperChatChange {
        SuperChatChange::Open(OpenSuperChat {
            sequence: Sequence(n),
            until_ms: NOW_MS + secs * 1_000,
            read: false,
            message: serde_json::json!({ "type": "super_chat", "user": user }),
        })
    }

    fn hide(hidden: Hidden, before: u64) -> SuperChatChange {
        SuperChatChange::Hide { hidden, before: Sequence(before) }
    }

    fn after(changes: &[SuperChatChange]) -> RoomSuperChats {
        changes.iter().fold(RoomSuperChats::default(), |chats, change| chats.changed(change, NOW_MS))
    }

    fn positions(chats: &RoomSuperChats) -> Vec<u64> {
        chats.iter().map(|open| open.sequence.0).collect()
    }

    #[test]
    fn one_is_on_top_once_and_leaves_by_time_or_by_an_action() {
        let chats = after(&[open(1, "a", 10), open(2, "b", 20), open(3, "a", 30)]);
        assert_eq!(chats.changed(&open(1, "a", 99), NOW_MS), chats, "a retry changes nothing");
        for (change, left) in [
            (SuperChatChange::Expire { now_ms: NOW_MS + 20_000 }, vec![3]),
            (hide(Hidden::User("a".parse().unwrap()), 4), vec![2]),
            (hide(Hidden::Message(Sequence(2)), 4), vec![1, 3]),
            (hide(Hidden::All, 4), vec![]),
            (hide(Hidden::All, 3), vec![3]),
            (hide(Hidden::User("a".parse().unwrap()), 2), vec![2, 3]),
        ] {
            let changed = chats.changed(&change, NOW_MS);
            assert_eq!(positions(&changed), left, "{change:?}");
            assert!(changed.version() > chats.version());
            let since = changed.state_since(&chats);
            assert_eq!(since.entries.len() + left.len(), 3, "each that left is removed by its version");
            let mut seen = chats.state();
            seen.merge(since);
            assert_eq!(seen.values().map(|(at, _)| at.0).collect::<Vec<_>>(), left);
        }
        let stored = serde_json::to_string(&chats).unwrap();
        assert_eq!(serde_json::from_str::<RoomSuperChats>(&stored).unwrap(), chats);
    }

    #[test]
    fn a_mark_has_a_version_of_its_own() {
        let chats = after(&[open(1, "a", 10)]);
        let read = chats.changed(&SuperChatChange::Read { sequence: Sequence(1), on: true }, NOW_MS);
        assert!(read.get(Sequence(1)).unwrap().read && read.version() > chats.version());
        assert_eq!(read.state_since(&chats).entries.len(), 1);
        for change in [
            SuperChatChange::Read { sequence: Sequence(1), on: true },
            SuperChatChange::Read { sequence: Sequence(9), on: true },
        ] {
            assert_eq!(read.changed(&change, NOW_MS), read, "{change:?}");
        }
    }

    #[test]
    fn beyond_the_maximum_a_read_one_leaves_first_and_then_the_one_that_ends_first() {
        let count = SUPER_CHATS_OPEN_MAX as u64;
        let mut chats = after(&(1..=count).map(|n| open(n, "a", 100 + n)).collect::<Vec<_>>());
        chats = chats.changed(&SuperChatChange::Read { sequence: Sequence(7), on: true }, NOW_MS);
        chats = chats.changed(&open(1_001, "a", 500), NOW_MS);
        assert!(chats.get(Sequence(7)).is_none() && chats.get(Sequence(1)).is_some());
        chats = chats.changed(&open(1_002, "a", 500), NOW_MS);
        assert!(chats.get(Sequence(1)).is_none());
        let same = chats.changed(&open(1_003, "a", 1), NOW_MS);
        assert_eq!(same.get(Sequence(1_003)), None, "the new one ends first");
        assert_eq!(positions(&same).len(), SUPER_CHATS_OPEN_MAX);
    }

    #[test]
    fn long_messages_leave_room_for_a_hello() {
        let long = |n: u64, chars: usize| {
            SuperChatChange::Open(OpenSuperChat {
                sequence: Sequence(n),
                until_ms: NOW_MS + n,
                read: false,
                message: serde_json::json!({ "text": "x".repeat(chars) }),
            })
        };
        let chats = after(&(1..=9).map(|n| long(n, 16_000)).collect::<Vec<_>>());
        assert_eq!(positions(&chats), [6, 7, 8, 9]);
        assert_eq!(chats.changed(&long(10, OPEN_BYTES_MAX), NOW_MS), chats, "it has no room alone");
    }

    #[test]
    fn a_change_is_behind_until_its_signal_is_noted() {
        let chats = after(&[open(1, "a", 10)]);
        assert!(chats.signals().is_behind());
        let noted = chats.signalled(chats.version());
        assert_eq!((noted.signals().is_behind(), noted.version()), (false, chats.version()));
        assert!(noted.changed(&open(2, "a", 10), NOW_MS).signals().is_behind());
    }
}
