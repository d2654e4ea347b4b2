//! The trait to read and change the settings, and the limits of a change.

use std::sync::Arc;

use async_trait::async_trait;
use barrage_protocol::RoomId;
use tokio::sync::watch;

use crate::config::BusConfig;
use crate::error::BusError;
use crate::settings::Settings;
use crate::settings::change::Change;
use crate::settings::changed::Changed;
use crate::settings::error::{ChangeError, PREWARMS_MAX};
use crate::settings::room::RoomPatch;

/// Maximum rooms with a set of emotes, each of up to 768 KiB; a further set is refused.
const EMOTE_SETS_MAX: usize = 1_000;

/// Stores the settings and applies changes to them.
#[async_trait]
pub trait SettingsStore: Send + Sync + 'static {
    /// Returns the settings in force, as a value that changes with them.
    fn settings(&self) -> watch::Receiver<Arc<Settings>>;

    /// Applies a change to the value as it is stored, and returns when the result is durable and
    /// in force in this process. Two concurrent changes of one value both take effect, whichever
    /// processes make them.
    async fn change(&self, change: Change) -> Result<Changed, BusError>;

    /// Returns when the settings of this process have all changes of a room's state that were durable
    /// before the call, whichever process made them.
    async fn catch_up(&self, room: &RoomId) -> Result<(), BusError>;
}

impl Settings {
    /// Applies a change under the configured limits. Pure: engines and tests share it.
    pub fn apply(&mut self, change: &Change, limits: &BusConfig, now_ms: u64) -> Result<Changed, BusError> {
        let changed = self.decide(change, limits, now_ms)?;
        self.forget_old(limits, now_ms);
        self.put(change.key(), changed.after.clone());
        Ok(changed)
    }

    /// Returns the value that a change is about, before it and after it.
    pub(crate) fn decide(
        &self,
        change: &Change,
        limits: &BusConfig,
        now_ms: u64,
    ) -> Result<Changed, BusError> {
        self.admit(change, limits, now_ms)?;
        let before = self.get(&change.key());
        let after = change.apply(before.as_ref(), now_ms).map_err(BusError::Refused)?;
        Ok(Changed { before, after })
    }

    /// Removes restrictions that are over where the limit is reached.
    pub(crate) fn forget_old(&mut self, limits: &BusConfig, now_ms: u64) {
        if self.restrictions.len() >= limits.restrictions_max {
            self.restrictions.retain(|_, it| !it.is_over(now_ms));
        }
    }

    /// Refuses a change that adds a value where the limit is reached.
    pub(crate) fn admit(&self, change: &Change, limits: &BusConfig, now_ms: u64) -> Result<(), BusError> {
        match change {
            Change::Room(room, _) | Change::Patch(room, RoomPatch::Put { .. } | RoomPatch::Ensure { .. }) => {
                let is_new = !self.rooms.contains_key(room);
                refuse_if(is_new && self.rooms.len() >= limits.rooms_max, BusError::Full("room"))
            }
            Change::Restrict { room, user, .. } => {
                let is_new = !self.restrictions.contains_key(&(room.clone(), user.clone()));
                let is_full = is_new && self.restrictions.len() >= limits.restrictions_max && {
                    let live = self.restrictions.values().filter(|it| !it.is_over(now_ms));
                    live.count() >= limits.restrictions_max
                };
                refuse_if(is_full, BusError::Full("restriction"))
            }
            Change::Emotes { room: Some(room), set, .. } => {
                let is_new = !set.emotes.is_empty() && !self.room_emotes.contains_key(room);
                refuse_if(is_new && self.room_emotes.len() >= EMOTE_SETS_MAX, BusError::Full("set of emotes"))
            }
            Change::Revoke { user: Some(user), .. } => {
                let known = &self.revocations.by_user;
                let is_full = !known.contains_key(user) && known.len() >= limits.revocations_max;
                refuse_if(is_full, BusError::Full("revocation"))
            }
            Change::RemoveMedium { digest, .. } => {
                let known = &self.removed_media;
                let is_full = !known.contains_key(digest) && known.len() >= limits.removed_media_max;
                refuse_if(is_full, BusError::Full("removed medium"))
            }
            Change::Attribute { room, .. } => {
                refuse_if(!self.rooms.contains_key(room), BusError::Refused(ChangeError::UnknownRoom))
            }
            Change::Patch(room, RoomPatch::SetPrewarm(prewarm)) => {
                let live = self.prewarms(now_ms);
                let is_new = !live.iter().any(|(of, known)| *of == room && known.at_ms == prewarm.at_ms);
                let is_full = is_new && live.len() >= PREWARMS_MAX;
                refuse_if(is_full, BusError::Refused(ChangeError::PrewarmsFull))
            }
            // A room that does not exist gets neither words nor a queue, so their number is bounded.
            Change::Review { room, .. } | Change::Words { room, .. } | Change::SuperChats { room, .. } => {
                let is_unknown = !self.rooms.contains_key(room);
                refuse_if(is_unknown, BusError::Refused(ChangeError::UnknownRoom))
            }
            Change::Patch(..)
            | Change::Lift { .. }
            | Change::Role { .. }
            | Change::SeeRole { .. }
            | Change::BeginAction { .. }
            | Change::EndAction { .. }
            | Change::ExpireAttribute { .. }
            | Change::Signalled { .. }
            | Change::Emotes { room: None, .. }
            | Change::Switch { .. }
            | Change::Sampling(_)
            | Change::Revoke { .. }
            | Change::AllowMedium { .. }
            | Change::Partitions(_)
            | Change::PartitionsReady
            | Change::Place { .. } => Ok(()),
        }
    }
}

fn refuse_if(is_full: bool, error: BusError) -> Result<(), BusError> {
    if is_full { Err(error) } else { Ok(()) }
}
