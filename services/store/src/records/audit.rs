//! The audit log: actions of moderators, operators and moderation rules.

use barrage_protocol::{RoomId, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Record of one action of a moderator, an operator or a moderation rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRecord {
    /// Time of the action in Unix milliseconds; retention deletes by it.
    pub at_ms: u64,
    /// Room of the action; `None` for the whole platform.
    pub room: Option<RoomId>,
    /// User whom the action concerns, if any.
    pub user: Option<UserId>,
    /// Actor: a user id, or a moderation rule.
    pub actor: String,
    /// Action: `mask`, `refuse`, `hold`, `mute`, `kick`, `switch`...
    pub action: String,
    /// Details as JSON. May contain a user's text.
    pub detail: serde_json::Value,
}

/// Conditions that all lines of an audit page meet; the default is met by every line.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter<'a> {
    /// Room of the action.
    pub room: Option<&'a RoomId>,
    /// User whom the action concerns.
    pub user: Option<&'a UserId>,
    /// Actor: a user id, or the name of a moderation rule.
    pub actor: Option<&'a str>,
    /// Name of the action, such as `mute`.
    pub action: Option<&'a str>,
}

/// A stored record with its id; ids grow with time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditLine {
    /// Id; the next page begins before it.
    pub id: u64,
    /// Record of the action; in JSON its fields are beside `id`.
    #[serde(flatten)]
    pub record: AuditRecord,
}
