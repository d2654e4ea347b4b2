//! A token's claims, and the caller that a verified token names.

use std::sync::Arc;

use barrage_protocol::{RoomId, UserAttrs, UserId};
use serde::{Deserialize, Serialize};

/// The JWT's claims, as this project mints them. `Keyring::mint` adds `aud` and `iat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Id of the user to whom the token belongs.
    pub sub: UserId,
    /// Name that viewers see; the user id when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Rooms that the token is valid for.
    pub rooms: Rooms,
    /// Role of the bearer in these rooms.
    pub role: Role,
    /// Unix time in seconds after which the token is refused.
    pub exp: u64,
    /// Unix time in seconds before which the token is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Attributes of the user: badges, level, membership, colour, avatar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attrs: Option<UserAttrs>,
    /// Audience, which must be the verifier's. `Keyring::mint` sets the configured one.
    pub aud: String,
}

/// Room ids of a token, or `*` for all rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rooms(pub Vec<String>);

impl Rooms {
    /// Whether the room is one of these rooms.
    #[must_use]
    pub fn contain(&self, room: &RoomId) -> bool {
        self.0.iter().any(|r| r == "*" || r == room.as_str())
    }
}

/// The role of a user. A later role may do everything that an earlier one may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May join and chat in the room of the probes alone. Counts nowhere.
    Probe,
    /// May watch rooms and send messages; slow mode, mutes and moderation apply.
    #[default]
    Viewer,
    /// May also send in a muted room.
    Moderator,
    /// The user who streams; may do all that a moderator may.
    Host,
    /// May also call the admin API, for the rooms of the token.
    Admin,
}

impl Role {
    /// Returns the stable name, in tokens and as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Role::Probe => "probe",
            Role::Viewer => "viewer",
            Role::Moderator => "moderator",
            Role::Host => "host",
            Role::Admin => "admin",
        }
    }

    /// Whether rules for viewers' texts and names pass this role by: it runs the room, or it is a probe.
    #[must_use]
    pub const fn is_exempt(self) -> bool {
        !matches!(self, Role::Viewer)
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Role::Probe, Role::Viewer, Role::Moderator, Role::Host, Role::Admin]
            .into_iter()
            .find(|role| role.label() == text)
            .ok_or_else(|| format!("{text} is not one of probe, viewer, moderator, host, admin"))
    }
}

/// The caller that a verified token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Id of the user, from the claim `sub`.
    pub user: UserId,
    /// Name as the token has it. Clean the name before viewers see it.
    pub name: String,
    /// Role of the user in these rooms.
    pub role: Role,
    /// Rooms that the token is valid for.
    pub rooms: Rooms,
    /// Unix time in seconds when the token ends.
    pub expires_at_secs: u64,
    /// Unix time in seconds when the token was minted (`iat`), if the token has it. A revocation
    /// refuses older tokens, and tokens without `iat`.
    pub issued_at_secs: Option<u64>,
    /// Attributes of the user, which the server stamps on messages; `None` without any.
    pub attrs: Option<Arc<UserAttrs>>,
}
