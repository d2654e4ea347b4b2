//! Super chats that stay on top: the tier that the uplink stamps on each, and those that are open.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Sequence;

/// Super chats of one room that are on top at a time. Beyond, one that the host has read leaves first,
/// else the one whose time is over first, which may be the new one.
pub const SUPER_CHATS_OPEN_MAX: usize = 50;

/// Tier of a super chat by its amount, as the configuration has it. The uplink writes it on the body as
/// `tier`; a post cannot carry one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuperChatTier {
    /// Rank of the tier among those of its currency: 1 for the least amount.
    pub level: u16,
    /// Background as RGB, 0 to 16,777,215.
    pub color: u32,
    /// Seconds on top from `at_ms` of the body; 0 for a super chat that is never on top.
    pub top_secs: u32,
}

/// A super chat that pages still show on top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenSuperChat {
    /// Position of the message in the room's chain.
    pub sequence: Sequence,
    /// Unix milliseconds until which the message stays on top.
    pub until_ms: u64,
    /// The host, or a moderator, has read it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read: bool,
    /// Body of the message, as it was broadcast.
    pub message: Value,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
