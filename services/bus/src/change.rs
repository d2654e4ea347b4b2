//! Changes of the settings, as patches: each names the one thing that it changes and is applied
//! to the value of that moment, so that two changes at once never overwrite each other. Pure;
//! the engines apply a change under compare-and-swap on the value's revision.

use barrage_protocol::{RoomId, UserId};
use serde::Serialize;
use serde_json::Value;

use crate::bus::BusError;
use crate::config::BusConfig;
use crate::restriction::{Restriction, RestrictionKind, Restrictions};
use crate::settings::{Prewarm, RoomSettings, Settings};
use crate::switch::{SwitchError, Switches};

/// Crowds announced and not over, of all rooms; a further announcement is refused.
pub const PREWARMS_MAX: usize = 64;

/// One change of the settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Replaces all settings of a room, for tools and tests to which the room belongs. Where
    /// others may change the room, too, use [`Change::Patch`].
    Room(RoomId, RoomSettings),
    /// Changes one thing of a room.
    Patch(RoomId, RoomPatch),
    /// Adds a mute or a kick. It ends when the later of this one and the one in force does.
    Restrict {
        /// Where.
        room: RoomId,
        /// Whom.
        user: UserId,
        /// What, and until when.
        restriction: Restriction,
    },
    /// Lifts a mute, or a kick; the other one stays.
    Lift {
        /// Where.
        room: RoomId,
        /// Whom.
        user: UserId,
        /// What.
        kind: RestrictionKind,
    },
    /// Sets one switch.
    Switch {
        /// Its name, see [`Switches::list`].
        name: String,
        /// Its new value.
        value: Value,
    },
    /// Refuses tokens that were minted before a time. Of two times the later one stays.
    Revoke {
        /// Whose; `None` means all users.
        user: Option<UserId>,
        /// Unix seconds.
        before_secs: u64,
    },
}

/// A change of one thing of a room. All but [`RoomPatch::Put`] and [`RoomPatch::Ensure`] want
/// the room to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomPatch {
    /// Creates the room, or opens it when it was closed; sets what is given.
    Put {
        /// Name to show.
        title: Option<String>,
        /// When the stream began, Unix milliseconds; now for a new room.
        stream_started_at_ms: Option<u64>,
    },
    /// Creates the room under this title unless it is there.
    Ensure {
        /// Name to show.
        title: String,
    },
    /// Only moderators and above may chat, or everybody may again.
    MuteAll(bool),
    /// Seconds between two chats of one viewer; 0 is off.
    SlowMode {
        /// Seconds.
        secs: u32,
    },
    /// Nobody may join or send any more.
    Close,
    /// Announces a crowd, or changes the one announced for the same time.
    Announce(Prewarm),
    /// Takes back the crowd announced for this time.
    TakeBack {
        /// When it was to come, Unix milliseconds.
        at_ms: u64,
    },
}

/// Why a change does not fit the settings as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The room is not there.
    #[error("there is no such room; PUT /v1/admin/rooms/{{room}} makes one")]
    UnknownRoom,
    /// The switch is not there, or does not take the value.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// Too many crowds are announced.
    #[error("at most {PREWARMS_MAX} pre-warms at a time; take one back, or wait until one is over")]
    PrewarmsFull,
    /// No such crowd is announced.
    #[error("there is no such pre-warm, or it is over")]
    NotAnnounced,
}

/// What a change did to the one value that it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Before; `None` when there was nothing.
    pub before: Option<Setting>,
    /// After; `None` when it was removed.
    pub after: Option<Setting>,
}

impl Changed {
    /// The room's settings after the change; the default for changes of other things.
    #[must_use]
    pub fn room(&self) -> RoomSettings {
        self.after.as_ref().and_then(Setting::room).cloned().unwrap_or_default()
    }

    /// The user's restrictions after the change; none for changes of other things.
    #[must_use]
    pub fn restrictions(&self) -> Restrictions {
        self.after.as_ref().and_then(Setting::restrictions).unwrap_or_default()
    }

    /// The switches after the change; the default for changes of other things.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.after.as_ref().and_then(Setting::switches).unwrap_or_default()
    }
}

/// The name of a value that is changed on its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum SettingKey {
    Switches,
    Room(RoomId),
    Restriction(RoomId, UserId),
    /// `None` is that of all users.
    Revocation(Option<UserId>),
}

/// A value that is changed on its own. It is stored as JSON without its kind: the key tells that.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Setting {
    /// A room's.
    Room(RoomSettings),
    /// A user's in a room.
    Restrictions(Restrictions),
    /// The platform's.
    Switches(Switches),
    /// Tokens minted before this time, in Unix seconds, are refused.
    RevokedBefore(u64),
}

impl Setting {
    fn room(&self) -> Option<&RoomSettings> {
        if let Setting::Room(room) = self { Some(room) } else { None }
    }

    fn restrictions(&self) -> Option<Restrictions> {
        if let Setting::Restrictions(restrictions) = self { Some(*restrictions) } else { None }
    }

    fn switches(&self) -> Option<Switches> {
        if let Setting::Switches(switches) = self { Some(*switches) } else { None }
    }

    pub(crate) fn revoked_before(&self) -> Option<u64> {
        if let Setting::RevokedBefore(secs) = self { Some(*secs) } else { None }
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("settings are plain data")
    }

    /// Reads what [`Setting::json`] wrote.
    pub(crate) fn read(key: &SettingKey, json: &[u8]) -> serde_json::Result<Setting> {
        Ok(match key {
            SettingKey::Room(_) => Setting::Room(serde_json::from_slice(json)?),
            SettingKey::Restriction(..) => Setting::Restrictions(serde_json::from_slice(json)?),
            SettingKey::Switches => Setting::Switches(serde_json::from_slice(json)?),
            SettingKey::Revocation(_) => Setting::RevokedBefore(serde_json::from_slice(json)?),
        })
    }
}

impl Change {
    /// The value that it is about.
    pub(crate) fn key(&self) -> SettingKey {
        match self {
            Change::Room(room, _) | Change::Patch(room, _) => SettingKey::Room(room.clone()),
            Change::Restrict { room, user, .. } | Change::Lift { room, user, .. } => {
                SettingKey::Restriction(room.clone(), user.clone())
            }
            Change::Switch { .. } => SettingKey::Switches,
            Change::Revoke { user, .. } => SettingKey::Revocation(user.clone()),
        }
    }

    /// The value after the change; `None` removes it.
    pub(crate) fn apply(
        &self,
        current: Option<&Setting>,
        now_ms: u64,
    ) -> Result<Option<Setting>, ChangeError> {
        let restrictions = || current.and_then(Setting::restrictions).unwrap_or_default();
        let in_force = |changed: Restrictions| {
            let left = Restrictions {
                mute_until_ms: changed.until_ms(RestrictionKind::Mute, now_ms),
                kick_until_ms: changed.until_ms(RestrictionKind::Kick, now_ms),
            };
            (!left.is_over(now_ms)).then_some(Setting::Restrictions(left))
        };
        Ok(match self {
            Change::Room(_, settings) => Some(Setting::Room(settings.clone())),
            Change::Patch(_, patch) => {
                Some(Setting::Room(patch.apply(current.and_then(Setting::room), now_ms)?))
            }
            Change::Restrict { restriction, .. } => in_force(restrictions().with(*restriction)),
            Change::Lift { kind, .. } => in_force(restrictions().without(*kind)),
            Change::Switch { name, value } => {
                let switches = current.and_then(Setting::switches).unwrap_or_default();
                Some(Setting::Switches(switches.with(name, value.clone())?))
            }
            Change::Revoke { before_secs, .. } => {
                let known = current.and_then(Setting::revoked_before).unwrap_or_default();
                Some(Setting::RevokedBefore(known.max(*before_secs)))
            }
        })
    }

    /// Whether there is room for it among all settings.
    pub(crate) fn admit(&self, settings: &Settings, limits: &BusConfig, now_ms: u64) -> Result<(), BusError> {
        match self {
            Change::Room(room, _) | Change::Patch(room, RoomPatch::Put { .. } | RoomPatch::Ensure { .. }) => {
                let is_new = !settings.rooms.contains_key(room);
                refuse(is_new && settings.rooms.len() >= limits.rooms_max, BusError::Full("room"))
            }
            Change::Restrict { room, user, .. } => {
                let is_new = !settings.restrictions.contains_key(&(room.clone(), user.clone()));
                let is_full = is_new && settings.restrictions.len() >= limits.restrictions_max && {
                    let live = settings.restrictions.values().filter(|it| !it.is_over(now_ms));
                    live.count() >= limits.restrictions_max
                };
                refuse(is_full, BusError::Full("restriction"))
            }
            Change::Revoke { user: Some(user), .. } => {
                let known = &settings.revocations.by_user;
                let is_full = !known.contains_key(user) && known.len() >= limits.revocations_max;
                refuse(is_full, BusError::Full("revocation"))
            }
            Change::Patch(room, RoomPatch::Announce(prewarm)) => {
                let live = settings.prewarms(now_ms);
                let is_new = !live.iter().any(|(of, known)| *of == room && known.at_ms == prewarm.at_ms);
                let is_full = is_new && live.len() >= PREWARMS_MAX;
                refuse(is_full, BusError::Refused(ChangeError::PrewarmsFull))
            }
            Change::Patch(..) | Change::Lift { .. } | Change::Switch { .. } | Change::Revoke { .. } => Ok(()),
        }
    }
}

fn refuse(is_full: bool, error: BusError) -> Result<(), BusError> {
    if is_full { Err(error) } else { Ok(()) }
}

impl RoomPatch {
    fn apply(&self, room: Option<&RoomSettings>, now_ms: u64) -> Result<RoomSettings, ChangeError> {
        let fresh = || RoomSettings { stream_started_at_ms: now_ms, ..RoomSettings::default() };
        let makes = matches!(self, RoomPatch::Put { .. } | RoomPatch::Ensure { .. });
        let mut after = match room {
            Some(room) => room.clone(),
            None if makes => fresh(),
            None => return Err(ChangeError::UnknownRoom),
        };
        match self {
            RoomPatch::Put { title, stream_started_at_ms } => {
                after.title = title.clone().unwrap_or(after.title);
                after.stream_started_at_ms = stream_started_at_ms.unwrap_or(after.stream_started_at_ms);
                after.closed = false;
            }
            RoomPatch::Ensure { title } if room.is_none() => after.title.clone_from(title),
            RoomPatch::Ensure { .. } => {}
            RoomPatch::MuteAll(on) => after.mute_all = *on,
            RoomPatch::SlowMode { secs } => after.slow_mode_secs = *secs,
            RoomPatch::Close => after.closed = true,
            RoomPatch::Announce(prewarm) => {
                after.prewarms.retain(|known| known.at_ms != prewarm.at_ms && !known.is_over(now_ms));
                after.prewarms.push(*prewarm);
            }
            RoomPatch::TakeBack { at_ms } => {
                after.prewarms.retain(|known| !known.is_over(now_ms));
                let known = after.prewarms.len();
                after.prewarms.retain(|known| known.at_ms != *at_ms);
                if after.prewarms.len() == known {
                    return Err(ChangeError::NotAnnounced);
                }
            }
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn room() -> RoomId {
        "r".parse().unwrap()
    }

    fn patched(current: Option<&RoomSettings>, patch: RoomPatch) -> Result<RoomSettings, ChangeError> {
        let current = current.cloned().map(Setting::Room);
        let after = Change::Patch(room(), patch).apply(current.as_ref(), NOW_MS)?;
        Ok(after.unwrap().room().cloned().unwrap())
    }

    #[test]
    fn a_patch_changes_one_thing_and_keeps_the_others() {
        let prewarm = Prewarm { at_ms: NOW_MS + 60_000, lasts_secs: 60, viewers: 5 };
        let put =
            |title: Option<&str>| RoomPatch::Put { title: title.map(Into::into), stream_started_at_ms: None };
        let mut room = patched(None, put(Some("A"))).unwrap();
        let patches = [
            RoomPatch::MuteAll(true),
            RoomPatch::SlowMode { secs: 5 },
            RoomPatch::Announce(prewarm),
            RoomPatch::Close,
        ];
        for patch in patches {
            room = patched(Some(&room), patch).unwrap();
        }
        let expected = RoomSettings {
            title: "A".into(),
            closed: true,
            mute_all: true,
            slow_mode_secs: 5,
            stream_started_at_ms: NOW_MS,
            prewarms: vec![prewarm],
        };
        assert_eq!(room, expected);
        let opened = patched(Some(&room), put(None)).unwrap();
        assert_eq!(opened, RoomSettings { closed: false, ..expected.clone() });
        let ensured = patched(Some(&room), RoomPatch::Ensure { title: "B".into() }).unwrap();
        assert_eq!(ensured, expected, "a room that is there stays as it is");
        let taken_back = patched(Some(&room), RoomPatch::TakeBack { at_ms: prewarm.at_ms }).unwrap();
        assert_eq!(taken_back, RoomSettings { prewarms: vec![], ..expected });
        let again = patched(Some(&taken_back), RoomPatch::TakeBack { at_ms: prewarm.at_ms });
        assert_eq!(again, Err(ChangeError::NotAnnounced));
    }

    #[test]
    fn a_patch_of_a_room_that_is_not_there_is_refused() {
        for patch in [RoomPatch::MuteAll(true), RoomPatch::SlowMode { secs: 5 }, RoomPatch::Close] {
            assert_eq!(patched(None, patch), Err(ChangeError::UnknownRoom));
        }
    }

    #[test]
    fn a_crowd_announced_again_is_changed_and_those_over_make_room() {
        let mut settings = Settings::default();
        let announce = |at_secs: u64| {
            let at_ms = NOW_MS + at_secs * 1_000;
            Change::Patch(room(), RoomPatch::Announce(Prewarm { at_ms, lasts_secs: 50, viewers: 1 }))
        };
        settings.rooms.insert(room(), RoomSettings::default());
        let mut apply = |change: &Change, now_ms: u64| {
            settings.apply(change, &BusConfig::default(), now_ms)?;
            Ok(settings.rooms[&room()].prewarms.len())
        };
        for n in 0..PREWARMS_MAX as u64 {
            apply(&announce(100 * n), NOW_MS).unwrap();
        }
        let full = Err(BusError::Refused(ChangeError::PrewarmsFull));
        assert_eq!(apply(&announce(50), NOW_MS), full);
        assert_eq!(apply(&announce(100), NOW_MS), Ok(PREWARMS_MAX));
        assert_eq!(apply(&announce(150), NOW_MS + 50_000), Ok(PREWARMS_MAX));
    }

    #[test]
    fn a_revocation_keeps_the_later_time_and_that_of_all_users_covers_earlier_ones() {
        let mut settings = Settings::default();
        let mut revoke = |user: Option<&str>, before_secs| {
            let change = Change::Revoke { user: user.map(|user| user.parse().unwrap()), before_secs };
            settings.apply(&change, &BusConfig::default(), NOW_MS).unwrap();
            settings.revocations.clone()
        };
        revoke(Some("a"), 10);
        revoke(Some("b"), 30);
        assert_eq!(revoke(Some("a"), 5).by_user[&"a".parse().unwrap()], 10);
        let revoked = revoke(None, 20);
        assert_eq!((revoked.all_before, revoked.by_user.len()), (Some(20), 1));
        assert_eq!(revoke(None, 10).all_before, Some(20));
        assert_eq!(revoke(Some("a"), 15).by_user.len(), 1, "the time for all users covers it");
    }

    #[test]
    fn a_restriction_that_is_over_leaves_nothing_behind() {
        let user: UserId = "u".parse().unwrap();
        let mute = Restriction { kind: RestrictionKind::Mute, until_ms: NOW_MS };
        let change = Change::Restrict { room: room(), user: user.clone(), restriction: mute };
        assert_eq!(change.apply(None, NOW_MS), Ok(None));
        let both = Restrictions { mute_until_ms: Some(NOW_MS - 1), kick_until_ms: Some(NOW_MS + 1) };
        let lift = Change::Lift { room: room(), user, kind: RestrictionKind::Kick };
        assert_eq!(lift.apply(Some(&Setting::Restrictions(both)), NOW_MS), Ok(None));
    }
}
