//! How far the signals of a part of a room's state have come. A process that ends between a change and its
//! signal leaves the mark behind the change, and another process publishes the signal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Part of a room's state that is stored, and signalled, on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatePart {
    /// Title, rules, pinned message and poll: [`RoomSettings`](super::room::RoomSettings).
    Settings,
    /// The attributes of the room: [`RoomAttributes`](super::attribute::RoomAttributes).
    Attributes,
    /// Super chats on top: [`RoomSuperChats`](super::super_chat::RoomSuperChats).
    SuperChats,
}

impl StatePart {
    /// All parts that a signal may change.
    pub const ALL: [StatePart; 3] = [StatePart::Settings, StatePart::Attributes, StatePart::SuperChats];

    /// Returns the stable name, for ids of signals and for logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            StatePart::Settings => "settings",
            StatePart::Attributes => "attributes",
            StatePart::SuperChats => "super_chats",
        }
    }
}

/// Version of the last change that viewers see, and version up to which every such change has a signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SignalMark {
    /// Version of the last change that viewers see; 0 before the first one.
    pub changed: u64,
    /// Version up to which the signals were published.
    pub signalled: u64,
}

impl SignalMark {
    /// Returns whether a change has no signal that is noted.
    #[must_use]
    pub const fn is_behind(self) -> bool {
        self.signalled < self.changed
    }

    pub(crate) const fn with_change(self, version: u64) -> Self {
        SignalMark { changed: version, ..self }
    }

    pub(crate) fn with_signals(self, up_to: u64) -> Self {
        SignalMark { signalled: self.signalled.max(up_to.min(self.changed)), ..self }
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == SignalMark::default()
    }
}
