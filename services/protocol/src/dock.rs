//! Tokens that a moderator asks for, to open a page of one room on another program, such as a dock of OBS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::SecretText;
use crate::{RoomId, UserId};

/// Shortest life of such a token in seconds.
pub const DOCK_SECS_MIN: u64 = 60;
/// Longest life of such a token in seconds: twelve hours, more than most streams.
pub const DOCK_SECS_MAX: u64 = 43_200;
/// Life of such a token in seconds when the request names none: four hours.
const DOCK_SECS: u64 = 14_400;

/// Body of `POST /v1/rooms/{room}/tokens`: asks for a token of the caller for this room alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DockTokenRequest {
    /// Life in seconds, 60 to 43,200; never beyond the end of the caller's own token.
    #[schemars(range(min = 60, max = 43_200))]
    pub ttl_secs: u64,
}

impl Default for DockTokenRequest {
    fn default() -> Self {
        DockTokenRequest { ttl_secs: DOCK_SECS }
    }
}

/// Answer with a token. A page takes it in the fragment of its address, which no server and no log sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DockTokenAnswer {
    /// Token for this room alone, of the role below.
    pub token: SecretText,
    /// User of the token: the caller.
    pub user: UserId,
    /// Room of the token.
    pub room: RoomId,
    /// Role in the token: the lesser one of the caller's token and `moderator`.
    pub role: String,
    /// Unix time in milliseconds at which the token ends.
    pub expires_at_ms: u64,
}
