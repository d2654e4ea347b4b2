//! The class of a message: under load, the class alone decides which message is dropped first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Class of a message, most precious first. `Ord` follows that order: a greater class may be dropped
/// before a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Control messages: mute-all, recall, kick, room closed.
    Signal,
    /// Gifts and super chats, which were paid.
    Gift,
    /// Danmaku; the server may drop it under load.
    Chat,
    /// Likes, entries, exits: viewers receive their totals only, without a sequence.
    Pulse,
}

impl Class {
    /// All classes, most precious first: the order of `Ord`.
    pub const ALL: [Class; 4] = [Class::Signal, Class::Gift, Class::Chat, Class::Pulse];

    /// Returns the stable name on the wire and in metric labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Class::Signal => "signal",
            Class::Gift => "gift",
            Class::Chat => "chat",
            Class::Pulse => "pulse",
        }
    }

    /// Reports whether the server must never drop it between acceptance and a viewer that stays
    /// connected.
    #[must_use]
    pub const fn is_precious(self) -> bool {
        matches!(self, Class::Signal | Class::Gift)
    }
}
