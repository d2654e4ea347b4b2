//! What was done to people and their messages, and by whom.

use barrage_protocol::{RoomId, UserId};
use serde::{Deserialize, Serialize};

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Where; `None` for the whole platform.
    pub room: Option<RoomId>,
    /// To whom, if it was somebody.
    pub user: Option<UserId>,
    /// By whom: a user id, or a rule of the moderation.
    pub actor: String,
    /// What: `mask`, `refuse`, `hold`, `mute`, `kick`, `switch`...
    pub action: String,
    /// Anything more, as JSON. May hold a person's words.
    pub detail: serde_json::Value,
}

/// A line and its place; places grow with time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// For the next page: ask for what is before it.
    pub id: u64,
    /// The line.
    #[serde(flatten)]
    pub record: AuditRecord,
}
