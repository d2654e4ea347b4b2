//! Settings that are in force on all instances at once: rooms, restrictions, switches, revocations.

pub(crate) mod action;
pub(crate) mod attribute;
pub(crate) mod change;
pub(crate) mod changed;
pub(crate) mod emotes;
pub(crate) mod error;
pub(crate) mod partition_plan;
pub(crate) mod restriction;
pub(crate) mod review;
pub(crate) mod revocation;
pub(crate) mod role;
pub(crate) mod room;
pub(crate) mod room_place;
pub(crate) mod sampling;
pub(crate) mod setting;
pub(crate) mod signal_mark;
pub(crate) mod super_chat;
pub(crate) mod switch;
#[cfg(test)]
mod tests;
mod version;
pub(crate) mod words;

use std::sync::Arc;

use barrage_protocol::state::RoomState;
use barrage_protocol::{Digest, RoomId, UserId};

use self::action::ActionLog;
use self::attribute::RoomAttributes;
use self::change::SettingKey;
use self::emotes::EmoteWords;
use self::partition_plan::PartitionPlan;
use self::restriction::{Restriction, Restrictions};
use self::review::ReviewQueue;
use self::revocation::Revocations;
use self::role::RoomRoles;
use self::room::{Prewarm, RoomSettings};
use self::room_place::RoomPlace;
use self::sampling::SamplingOverlay;
use self::setting::Setting;
use self::signal_mark::{SignalMark, StatePart};
use self::super_chat::RoomSuperChats;
use self::switch::Switches;
use self::words::RoomWords;
use crate::shared_map::SharedMap;

/// All settings, as one immutable value. A change makes a new value, which shares all but the changed
/// part with the one before.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Settings of the existing rooms, closed ones included.
    pub rooms: SharedMap<RoomId, RoomSettings>,
    /// Restrictions by room and user; those that are over may still be listed.
    pub restrictions: SharedMap<(RoomId, UserId), Restrictions>,
    /// Roles that rooms gave; rooms without a role may be absent.
    pub roles: SharedMap<RoomId, RoomRoles>,
    /// The last actions of rooms that had one.
    pub actions: SharedMap<RoomId, ActionLog>,
    /// Attributes of rooms; rooms that never had one may be absent.
    pub attributes: SharedMap<RoomId, RoomAttributes>,
    /// Super chats on top in rooms; rooms that never had one may be absent.
    pub super_chats: SharedMap<RoomId, RoomSuperChats>,
    /// Review queues of rooms that had one.
    pub reviews: SharedMap<RoomId, ReviewQueue>,
    /// Words of rooms that have some.
    pub words: SharedMap<RoomId, RoomWords>,
    /// Emotes of all rooms.
    pub platform_emotes: EmoteWords,
    /// Emotes of single rooms; rooms without any are absent.
    pub room_emotes: SharedMap<RoomId, EmoteWords>,
    /// Switches that operators set; the default until one is set.
    pub switches: Switches,
    /// Sampling of traces, as far as it differs from the configuration. The same allocation until a
    /// change of it.
    pub sampling: Arc<SamplingOverlay>,
    /// Tokens that are refused before their end. The same allocation until a revocation changes.
    pub revocations: Arc<Revocations>,
    /// Media that were removed, with the times in Unix milliseconds.
    pub removed_media: SharedMap<Digest, u64>,
    /// Wanted number of partitions; the default until an operator sets one.
    pub partitions: PartitionPlan,
    /// Where the chains of rooms are that moved between partitions; other rooms are absent.
    pub places: SharedMap<RoomId, RoomPlace>,
}

impl Settings {
    /// Returns the pre-warms that are not over, earliest first.
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

    /// Returns the gravest restriction in force on a user in a room: a kick before a mute.
    #[must_use]
    pub fn restriction(&self, room: &RoomId, user: &UserId, now_ms: u64) -> Option<Restriction> {
        // Most installations have no restriction at a time: no key is built then.
        if self.restrictions.is_empty() {
            return None;
        }
        self.restrictions.get(&(room.clone(), user.clone()))?.gravest(now_ms)
    }

    /// Returns whether a set of emotes shows a medium, or a message with it waits in a room's reviews.
    #[must_use]
    pub fn shows_medium(&self, digest: Digest, now_ms: u64) -> bool {
        let has = |emotes: &EmoteWords| emotes.media().contains(&digest);
        has(&self.platform_emotes)
            || self.room_emotes.values().any(has)
            || self.reviews.values().any(|queue| queue.shows_medium(digest, now_ms))
    }

    /// Returns the whole state of a room as these settings have it; empty for an unknown room.
    #[must_use]
    pub fn room_state(&self, room: &RoomId) -> RoomState {
        let Some(settings) = self.rooms.get(room) else { return RoomState::default() };
        let attributes = self.attributes.get(room).map(RoomAttributes::state).unwrap_or_default();
        let super_chats = self.super_chats.get(room).map(RoomSuperChats::state).unwrap_or_default();
        RoomState { attributes, super_chats, ..settings.state() }
    }

    /// Returns the parts of rooms' states with a change whose signal is not noted.
    pub fn behind(&self) -> impl Iterator<Item = (&RoomId, StatePart, SignalMark)> {
        let rooms = self.rooms.iter().map(|(room, it)| (room, StatePart::Settings, it.signals));
        let attributes = self.attributes.iter().map(|(room, it)| (room, StatePart::Attributes, it.signals()));
        let chats = self.super_chats.iter().map(|(room, it)| (room, StatePart::SuperChats, it.signals()));
        rooms.chain(attributes).chain(chats).filter(|(_, _, mark)| mark.is_behind())
    }

    /// Returns one part of a room's state as these settings have it.
    #[must_use]
    pub fn state_part(&self, room: &RoomId, part: StatePart) -> RoomState {
        let RoomState { settings, pinned, attributes, poll, super_chats } = self.room_state(room);
        match part {
            StatePart::Settings => RoomState { settings, pinned, poll, ..RoomState::default() },
            StatePart::Attributes => RoomState { attributes, ..RoomState::default() },
            StatePart::SuperChats => RoomState { super_chats, ..RoomState::default() },
        }
    }

    /// Returns the value under a key: a change starts from it.
    pub(crate) fn get(&self, key: &SettingKey) -> Option<Setting> {
        match key {
            SettingKey::Switches => Some(Setting::Switches(self.switches.clone())),
            SettingKey::Sampling => Some(Setting::Sampling(SamplingOverlay::clone(&self.sampling))),
            SettingKey::Room(room) => self.rooms.get(room).cloned().map(Setting::Room),
            SettingKey::Restriction(room, user) => {
                self.restrictions.get(&(room.clone(), user.clone())).copied().map(Setting::Restrictions)
            }
            SettingKey::Roles(room) => self.roles.get(room).cloned().map(Setting::Roles),
            SettingKey::Actions(room) => self.actions.get(room).cloned().map(Setting::Actions),
            SettingKey::Attributes(room) => self.attributes.get(room).cloned().map(Setting::Attributes),
            SettingKey::SuperChats(room) => self.super_chats.get(room).cloned().map(Setting::SuperChats),
            SettingKey::Reviews(room) => self.reviews.get(room).cloned().map(Setting::Reviews),
            SettingKey::Words(room) => self.words.get(room).cloned().map(Setting::Words),
            SettingKey::Partitions => {
                self.partitions.is_set().then_some(Setting::Partitions(self.partitions))
            }
            SettingKey::Place(room) => self.places.get(room).cloned().map(Setting::Place),
            SettingKey::RemovedMedium(digest) => {
                self.removed_media.get(digest).copied().map(Setting::RemovedAtMs)
            }
            SettingKey::Emotes(None) => Some(Setting::Emotes(self.platform_emotes.clone())),
            SettingKey::Emotes(Some(room)) => self.room_emotes.get(room).cloned().map(Setting::Emotes),
            SettingKey::Revocation(None) => self.revocations.all_before.map(Setting::RevokedBefore),
            SettingKey::Revocation(Some(user)) => {
                self.revocations.by_user.get(user).copied().map(Setting::RevokedBefore)
            }
        }
    }

    /// Stores a value under a key; `None` removes the stored one, and so does a value of another
    /// kind than its key, which [`Setting::read`] never returns.
    pub(crate) fn put(&mut self, key: SettingKey, value: Option<Setting>) {
        match (key, value) {
            (SettingKey::Switches, Some(Setting::Switches(switches))) => self.switches = switches,
            (SettingKey::Switches, _) => self.switches = Switches::default(),
            (SettingKey::Sampling, Some(Setting::Sampling(sampling))) => self.sampling = Arc::new(sampling),
            (SettingKey::Sampling, _) => self.sampling = Arc::default(),
            (SettingKey::Room(room), Some(Setting::Room(settings))) => {
                self.rooms.insert(room, settings);
            }
            (SettingKey::Room(room), _) => self.rooms.remove(&room),
            (SettingKey::Restriction(room, user), Some(Setting::Restrictions(restrictions))) => {
                self.restrictions.insert((room, user), restrictions);
            }
            (SettingKey::Restriction(room, user), _) => self.restrictions.remove(&(room, user)),
            (SettingKey::Roles(room), Some(Setting::Roles(roles))) => self.roles.insert(room, roles),
            (SettingKey::Roles(room), _) => self.roles.remove(&room),
            (SettingKey::Actions(room), Some(Setting::Actions(log))) => self.actions.insert(room, log),
            (SettingKey::Actions(room), _) => self.actions.remove(&room),
            (SettingKey::Attributes(room), Some(Setting::Attributes(attributes))) => {
                self.attributes.insert(room, attributes);
            }
            (SettingKey::Attributes(room), _) => self.attributes.remove(&room),
            (SettingKey::SuperChats(room), Some(Setting::SuperChats(chats))) => {
                self.super_chats.insert(room, chats);
            }
            (SettingKey::SuperChats(room), _) => self.super_chats.remove(&room),
            (SettingKey::Reviews(room), Some(Setting::Reviews(queue))) => {
                self.reviews.insert(room, queue);
            }
            (SettingKey::Reviews(room), _) => self.reviews.remove(&room),
            (SettingKey::Words(room), Some(Setting::Words(words))) => self.words.insert(room, words),
            (SettingKey::Words(room), _) => self.words.remove(&room),
            (SettingKey::Partitions, Some(Setting::Partitions(plan))) => self.partitions = plan,
            (SettingKey::Partitions, _) => self.partitions = PartitionPlan::default(),
            (SettingKey::Place(room), Some(Setting::Place(place))) => self.places.insert(room, place),
            (SettingKey::Place(room), _) => self.places.remove(&room),
            (SettingKey::Emotes(None), Some(Setting::Emotes(emotes))) => self.platform_emotes = emotes,
            (SettingKey::Emotes(None), _) => self.platform_emotes = EmoteWords::default(),
            (SettingKey::Emotes(Some(room)), Some(Setting::Emotes(emotes))) => {
                self.room_emotes.insert(room, emotes);
            }
            (SettingKey::Emotes(Some(room)), _) => self.room_emotes.remove(&room),
            // 0 is the time of a removal that was lifted.
            (SettingKey::RemovedMedium(digest), Some(Setting::RemovedAtMs(at_ms))) if at_ms > 0 => {
                self.removed_media.insert(digest, at_ms);
            }
            (SettingKey::RemovedMedium(digest), _) => self.removed_media.remove(&digest),
            (SettingKey::Revocation(user), value) => {
                let before = value.and_then(|value| value.revoked_before());
                Arc::make_mut(&mut self.revocations).put(user, before);
            }
        }
    }
}
