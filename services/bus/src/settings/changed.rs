//! Result of a change.

use super::action::ActionLog;
use super::attribute::RoomAttributes;
use super::restriction::Restrictions;
use super::review::ReviewQueue;
use super::room::RoomSettings;
use super::room_place::RoomPlace;
use super::sampling::SamplingOverlay;
use super::setting::Setting;
use super::signal_mark::StatePart;
use super::super_chat::RoomSuperChats;
use super::switch::Switches;
use super::words::RoomWords;

/// Result of a change: the one value that it is about, before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Value before the change; `None` when there was none.
    pub before: Option<Setting>,
    /// Value after the change; `None` when the change removed it.
    pub after: Option<Setting>,
}

impl Changed {
    /// Returns the room's settings after the change; the default for changes of other things.
    #[must_use]
    pub fn room(&self) -> RoomSettings {
        self.after.as_ref().and_then(Setting::room).cloned().unwrap_or_default()
    }

    /// Returns the user's restrictions after the change; none for changes of other things.
    #[must_use]
    pub fn restrictions(&self) -> Restrictions {
        self.after.as_ref().and_then(Setting::restrictions).unwrap_or_default()
    }

    /// Returns the room's last actions after the change; none for changes of other things.
    #[must_use]
    pub fn actions(&self) -> ActionLog {
        self.after.as_ref().and_then(Setting::actions).cloned().unwrap_or_default()
    }

    /// Returns the room's attributes after the change; none for changes of other things.
    #[must_use]
    pub fn attributes(&self) -> RoomAttributes {
        self.after.as_ref().and_then(Setting::attributes).cloned().unwrap_or_default()
    }

    /// Returns the super chats on top after the change; none for changes of other things.
    #[must_use]
    pub fn super_chats(&self) -> RoomSuperChats {
        self.after.as_ref().and_then(Setting::super_chats).cloned().unwrap_or_default()
    }

    /// Returns the super chats on top before the change; none when there was no value.
    #[must_use]
    pub fn super_chats_before(&self) -> RoomSuperChats {
        self.before.as_ref().and_then(Setting::super_chats).cloned().unwrap_or_default()
    }

    /// Returns the part of the room's state that the change needs a signal for, with the versions before
    /// and after; `None` when viewers see no change.
    #[must_use]
    pub fn signal_step(&self) -> Option<(StatePart, u64, u64)> {
        let (part, after) = self.after.as_ref().and_then(Setting::signals)?;
        let before = self.before.as_ref().and_then(Setting::signals).map_or(0, |(_, mark)| mark.changed);
        (after.changed > before).then_some((part, before, after.changed))
    }

    /// Returns the room's review queue after the change; an empty one for changes of other things.
    #[must_use]
    pub fn reviews(&self) -> ReviewQueue {
        self.after.as_ref().and_then(Setting::reviews).cloned().unwrap_or_default()
    }

    /// Returns the room's review queue before the change; an empty one when there was none.
    #[must_use]
    pub fn reviews_before(&self) -> ReviewQueue {
        self.before.as_ref().and_then(Setting::reviews).cloned().unwrap_or_default()
    }

    /// Returns the room's words after the change; none for changes of other things.
    #[must_use]
    pub fn words(&self) -> RoomWords {
        self.after.as_ref().and_then(Setting::words).cloned().unwrap_or_default()
    }

    /// Returns the room's place after the change; `None` for changes of other things.
    #[must_use]
    pub fn place(&self) -> Option<&RoomPlace> {
        self.after.as_ref().and_then(Setting::place)
    }

    /// Returns the switches after the change; the default for changes of other things.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.after.as_ref().and_then(Setting::switches).unwrap_or_default()
    }

    /// Returns the sampling of traces after the change; empty for changes of other things.
    #[must_use]
    pub fn sampling(&self) -> SamplingOverlay {
        self.after.as_ref().and_then(Setting::sampling).cloned().unwrap_or_default()
    }
}
