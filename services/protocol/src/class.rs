//! The class of a message: the only thing that decides what is dropped first.

use serde::{Deserialize, Serialize};

/// Message class, most precious first. `Ord` follows preciousness: a greater
/// class may be dropped before a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Mute-all, recall, kick, room closed.
    Signal,
    /// Gift or super chat: money.
    Gift,
    /// A danmaku.
    Chat,
    /// Likes, entries, exits: only their sums travel, and they have no sequence.
    Pulse,
}

impl Class {
    /// All classes, most precious first.
    pub const ALL: [Class; 4] = [Class::Signal, Class::Gift, Class::Chat, Class::Pulse];

    /// Stable name, used on the wire and as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Class::Signal => "signal",
            Class::Gift => "gift",
            Class::Chat => "chat",
            Class::Pulse => "pulse",
        }
    }

    /// Whether the server must never leave it out between acceptance and a
    /// viewer that stays connected.
    #[must_use]
    pub const fn is_precious(self) -> bool {
        matches!(self, Class::Signal | Class::Gift)
    }
}
