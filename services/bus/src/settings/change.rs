//! Changes of the settings, as patches.
//!
//! A change names the one thing that it changes and is applied to the value that is stored at
//! that moment, so that two concurrent changes never overwrite each other. The arithmetic here is
//! pure; the engines apply a change under compare-and-swap on the value's revision.

use barrage_protocol::action::RoomRole;
use barrage_protocol::attribute::AttributeKey;
use barrage_protocol::emote::EmoteSet;
use barrage_protocol::words::WordRule;
use barrage_protocol::{Digest, RoomId, UserId};
use serde_json::{Map, Value};

use super::action::{ActionRecord, ActionResult};
use super::attribute::AttributeChange;
use super::emotes::EmoteWords;
use super::error::ChangeError;
use super::partition_plan::PartitionPlan;
use super::restriction::{Restriction, RestrictionKind, Restrictions};
use super::review::ReviewChange;
use super::room::{RoomPatch, RoomSettings};
use super::room_place::RoomPlace;
use super::setting::Setting;
use super::signal_mark::StatePart;
use super::super_chat::SuperChatChange;

/// One change of the settings; it names the one value that it changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Replaces all settings of a room, for tools and tests that own the room. Where others may
    /// change the room at the same time, use [`Change::Patch`].
    Room(RoomId, RoomSettings),
    /// Changes one setting of a room and leaves the others as they are stored.
    Patch(RoomId, RoomPatch),
    /// Adds a mute or a kick. Of this one and the one in force the later end counts.
    Restrict {
        /// Room in which the restriction holds; other rooms are not affected.
        room: RoomId,
        /// User whom the restriction concerns; the room's other users are not affected.
        user: UserId,
        /// Kind of the restriction, and its end in Unix milliseconds.
        restriction: Restriction,
    },
    /// Lifts a mute or a kick; the other kind stays.
    Lift {
        /// Room in which the restriction is lifted; other rooms keep theirs.
        room: RoomId,
        /// User whose restriction is lifted; no error when there is none.
        user: UserId,
        /// Kind of restriction to lift; the other kind stays.
        kind: RestrictionKind,
    },
    /// Gives a user a role in a room; `Viewer` takes it back. Refused beyond the room's maximum.
    Role {
        /// Room in which the role counts; other rooms are not affected.
        room: RoomId,
        /// User who gets the role.
        user: UserId,
        /// Role from now on.
        role: RoomRole,
    },
    /// Remembers the role of a token that posted or acted in a room.
    SeeRole {
        /// Room in which the token was used.
        room: RoomId,
        /// User of the token.
        user: UserId,
        /// Role of the token; an admin's counts as `Host`.
        role: RoomRole,
    },
    /// Remembers an action that begins. A known one stays as it is; the same key with another
    /// content is refused.
    BeginAction {
        /// Room of the action, which has its own log.
        room: RoomId,
        /// Key, content and value of the action, without a result.
        record: ActionRecord,
    },
    /// Remembers the result of an action that began; the first result stays.
    EndAction {
        /// Room of the action.
        room: RoomId,
        /// [`ActionRecord::key`] of the action.
        key: u64,
        /// Result for those who ask again.
        result: ActionResult,
    },
    /// Sets or removes an attribute of a room, within the room's bounds and under its version.
    Attribute {
        /// Room of the attribute.
        room: RoomId,
        /// Key, value and condition of the change, and the request that it comes from.
        change: AttributeChange,
    },
    /// Removes an attribute that is over, unless it has changed since.
    ExpireAttribute {
        /// Room of the attribute.
        room: RoomId,
        /// Key of the attribute.
        key: AttributeKey,
        /// Version of the attribute that is over.
        version: u64,
    },
    /// Changes the super chats that are on top in a room.
    SuperChats {
        /// Room of the super chats.
        room: RoomId,
        /// One that comes, one that is read, or those that leave.
        change: SuperChatChange,
    },
    /// Notes that the changes of a part of a room's state have their signals.
    Signalled {
        /// Room of the state.
        room: RoomId,
        /// Part whose signals were published.
        part: StatePart,
        /// Version up to which every change has its signal.
        up_to: u64,
    },
    /// Changes the review queue of a room.
    Review {
        /// Room of the queue.
        room: RoomId,
        /// Entry, lock or decision.
        change: ReviewChange,
    },
    /// Replaces the words of a room.
    Words {
        /// Room of the words; other rooms keep theirs.
        room: RoomId,
        /// All rules from now on, in the order of the search.
        rules: Vec<WordRule>,
        /// Version that the writer has read; refused when the room has another.
        expected: Option<u64>,
    },
    /// Replaces the emotes of the platform or of a room. The caller has checked them; an empty set
    /// removes the stored one.
    Emotes {
        /// Room of the set; `None` for the platform's.
        room: Option<RoomId>,
        /// Emotes from now on.
        set: EmoteSet,
        /// Emotes that the writer has read; refused when others are stored meanwhile.
        expected: Option<EmoteWords>,
    },
    /// Sets one operator switch on all instances; the others stay.
    Switch {
        /// Name of the switch, one of those that [`Switches::list`](super::switch::Switches::list) returns.
        name: String,
        /// New value of the switch; one that the switch does not take is refused.
        value: Value,
    },
    /// Sets keys of the sampling of traces on all instances; `null` removes a key. The caller has
    /// checked the keys and values.
    Sampling(Map<String, Value>),
    /// Refuses tokens that were minted before a time. Of two such times the later one counts.
    Revoke {
        /// User whose tokens are refused; `None` means all users.
        user: Option<UserId>,
        /// Time in Unix seconds; tokens minted before it are refused.
        before_secs: u64,
    },
    /// Removes a medium everywhere until the removal is lifted: no process shows it, delivers it or takes it again.
    RemoveMedium {
        /// Medium that is removed.
        digest: Digest,
        /// Time of the removal in Unix milliseconds; that of an earlier one stays.
        at_ms: u64,
    },
    /// Lifts the removal of a medium: its file may be uploaded again. What was erased does not come back by itself.
    AllowMedium {
        /// Medium that was removed.
        digest: Digest,
    },
    /// Sets the number of partitions that rooms are to be spread over. Made by the engine alone, which
    /// declares the streams before.
    Partitions(u16),
    /// Notes that no publish is under way that began before the number was set for the first time. Made by
    /// the engine alone.
    PartitionsReady,
    /// Notes a move of a room between partitions. Of concurrent moves the first one counts, and the others
    /// change nothing. Made by the engine alone.
    Place {
        /// Room that moves; other rooms stay.
        room: RoomId,
        /// Place after the move, made from the one that was known.
        place: RoomPlace,
    },
}

/// Name of a value that is stored and changed on its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum SettingKey {
    Switches,
    Sampling,
    Room(RoomId),
    Restriction(RoomId, UserId),
    /// All roles of a room.
    Roles(RoomId),
    /// The last actions of a room.
    Actions(RoomId),
    /// All attributes of a room.
    Attributes(RoomId),
    /// The super chats that are on top in a room.
    SuperChats(RoomId),
    /// The review queue of a room.
    Reviews(RoomId),
    /// The words of a room.
    Words(RoomId),
    /// Emotes of a room; `None` is the platform's set.
    Emotes(Option<RoomId>),
    /// A user's revocation; `None` is the one of all users.
    Revocation(Option<UserId>),
    /// A medium that was removed.
    RemovedMedium(Digest),
    /// The wanted number of partitions.
    Partitions,
    /// The partitions that a room's chain is in.
    Place(RoomId),
}

impl Change {
    /// Returns the key of the value that the change is about.
    pub(crate) fn key(&self) -> SettingKey {
        match self {
            Change::Room(room, _) | Change::Patch(room, _) => SettingKey::Room(room.clone()),
            Change::Restrict { room, user, .. } | Change::Lift { room, user, .. } => {
                SettingKey::Restriction(room.clone(), user.clone())
            }
            Change::Role { room, .. } | Change::SeeRole { room, .. } => SettingKey::Roles(room.clone()),
            Change::BeginAction { room, .. } | Change::EndAction { room, .. } => {
                SettingKey::Actions(room.clone())
            }
            Change::Attribute { room, .. } | Change::ExpireAttribute { room, .. } => {
                SettingKey::Attributes(room.clone())
            }
            Change::SuperChats { room, .. } | Change::Signalled { room, part: StatePart::SuperChats, .. } => {
                SettingKey::SuperChats(room.clone())
            }
            Change::Signalled { room, part: StatePart::Settings, .. } => SettingKey::Room(room.clone()),
            Change::Signalled { room, part: StatePart::Attributes, .. } => {
                SettingKey::Attributes(room.clone())
            }
            Change::Review { room, .. } => SettingKey::Reviews(room.clone()),
            Change::Words { room, .. } => SettingKey::Words(room.clone()),
            Change::Emotes { room, .. } => SettingKey::Emotes(room.clone()),
            Change::Switch { .. } => SettingKey::Switches,
            Change::Sampling(_) => SettingKey::Sampling,
            Change::Revoke { user, .. } => SettingKey::Revocation(user.clone()),
            Change::RemoveMedium { digest, .. } | Change::AllowMedium { digest } => {
                SettingKey::RemovedMedium(*digest)
            }
            Change::Partitions(_) | Change::PartitionsReady => SettingKey::Partitions,
            Change::Place { room, .. } => SettingKey::Place(room.clone()),
        }
    }

    /// Returns the value after the change; `None` removes it. Applying a change twice gives the
    /// same value as once.
    pub(crate) fn apply(
        &self,
        current: Option<&Setting>,
        now_ms: u64,
    ) -> Result<Option<Setting>, ChangeError> {
        let restrictions = || current.and_then(Setting::restrictions).unwrap_or_default();
        let roles = || current.and_then(Setting::roles).cloned().unwrap_or_default();
        let actions = || current.and_then(Setting::actions).cloned().unwrap_or_default();
        let attributes = || current.and_then(Setting::attributes).cloned().unwrap_or_default();
        let in_force = |changed: Restrictions| {
            let left = Restrictions {
                mute_until_ms: changed.until_ms(RestrictionKind::Mute, now_ms),
                kick_until_ms: changed.until_ms(RestrictionKind::Kick, now_ms),
            };
            (!left.is_over(now_ms)).then_some(Setting::Restrictions(left))
        };
        Ok(match self {
            Change::Room(_, settings) => {
                let owned = settings.clone().versioned(current.and_then(Setting::room), now_ms);
                // The owner of the room tells viewers by itself, or has none.
                let version = owned.version;
                Some(Setting::Room(owned.signalled(version)))
            }
            Change::Patch(_, patch) => {
                Some(Setting::Room(patch.apply(current.and_then(Setting::room), now_ms)?))
            }
            Change::Restrict { restriction, .. } => in_force(restrictions().with(*restriction)),
            Change::Lift { kind, .. } => in_force(restrictions().without(*kind)),
            Change::Role { user, role, .. } => Some(Setting::Roles(roles().give(user, *role)?)),
            Change::SeeRole { user, role, .. } => Some(Setting::Roles(roles().see(user, *role))),
            Change::BeginAction { record, .. } => Some(Setting::Actions(actions().begin(record)?)),
            Change::EndAction { key, result, .. } => Some(Setting::Actions(actions().end(*key, *result))),
            Change::Attribute { change, .. } => {
                Some(Setting::Attributes(attributes().changed(change, now_ms)?))
            }
            Change::ExpireAttribute { key, version, .. } => {
                Some(Setting::Attributes(attributes().without_expired(key, *version)))
            }
            Change::SuperChats { change, .. } => {
                let chats = current.and_then(Setting::super_chats).cloned().unwrap_or_default();
                Some(Setting::SuperChats(chats.changed(change, now_ms)))
            }
            Change::Signalled { up_to, .. } => current.map(|current| current.signalled(*up_to)),
            Change::Review { change, .. } => {
                let queue = current.and_then(Setting::reviews).cloned().unwrap_or_default();
                Some(Setting::Reviews(queue.with(change, now_ms)?))
            }
            Change::Words { rules, expected, .. } => {
                let words = current.and_then(Setting::words).cloned().unwrap_or_default();
                Some(Setting::Words(words.replaced(rules, *expected)?))
            }
            Change::Emotes { set, expected, .. } => {
                let current = current.and_then(Setting::emotes).cloned().unwrap_or_default();
                let is_done = current.set() == set;
                if expected.as_ref().is_some_and(|expected| *expected != current) && !is_done {
                    return Err(ChangeError::EmotesChanged);
                }
                (!set.emotes.is_empty()).then(|| Setting::Emotes(EmoteWords::new(set.clone())))
            }
            Change::Switch { name, value } => {
                let switches = current.and_then(Setting::switches).unwrap_or_default();
                Some(Setting::Switches(switches.with(name, value.clone())?))
            }
            Change::Sampling(patch) => {
                let changed = current.and_then(Setting::sampling).cloned().unwrap_or_default().patched(patch);
                (!changed.values().is_empty()).then_some(Setting::Sampling(changed))
            }
            Change::Partitions(partitions) => {
                let plan = current.and_then(Setting::partitions).unwrap_or_default();
                Some(Setting::Partitions(plan.with(*partitions)))
            }
            Change::PartitionsReady => {
                let plan = current.and_then(Setting::partitions).unwrap_or_default();
                plan.is_set().then_some(Setting::Partitions(PartitionPlan { ready: true, ..plan }))
            }
            Change::Place { place, .. } => {
                let known = current.and_then(Setting::place);
                let is_next = known.map_or(0, RoomPlace::epoch) + 1 == place.epoch();
                let stored = if is_next { Some(place) } else { known };
                stored.cloned().map(Setting::Place)
            }
            Change::RemoveMedium { at_ms, .. } => {
                let known = current.and_then(Setting::removed_at_ms).filter(|at_ms| *at_ms > 0);
                Some(Setting::RemovedAtMs(known.unwrap_or(*at_ms)))
            }
            // A value and no deletion: a process that reads all values after an outage keeps those that it misses.
            Change::AllowMedium { .. } => current.map(|_| Setting::RemovedAtMs(0)),
            Change::Revoke { before_secs, .. } => {
                let known = current.and_then(Setting::revoked_before).unwrap_or_default();
                Some(Setting::RevokedBefore(known.max(*before_secs)))
            }
        })
    }
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
