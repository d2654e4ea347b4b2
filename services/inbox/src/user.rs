//! A user's row: the version of the inbox, the total, and who may write.

use barrage_protocol::UserId;
use serde::{Deserialize, Serialize};

use crate::id::UserNumber;
use crate::law::Version;

/// Maximum number of groups that a user is in.
pub const GROUPS_PER_USER_MAX: u32 = 500;

/// A user as the inbox sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Number in the tables.
    pub number: UserNumber,
    /// Id from the token.
    pub id: UserId,
    /// Version of the inbox.
    pub version: Version,
    /// Unread letters of the direct conversations that count. The groups' part is computed on reading.
    pub unread: u64,
    /// Rules of the user for letters.
    pub preferences: Preferences,
}

/// Rules of a user for letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// Who may begin a conversation with the user.
    #[serde(default)]
    pub policy: WritePolicy,
    /// Whether the user shows how far it has read, and sees it of others.
    #[serde(default)]
    pub receipts: Receipts,
}

/// Rule for letters of users to whom the receiver has not written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WritePolicy {
    /// Letters of strangers come to the main folder.
    Everyone,
    /// Letters of strangers wait in the folder of requests.
    #[default]
    Requests,
    /// Letters of strangers are refused.
    Known,
}

/// Whether a user takes part in read receipts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipts {
    /// Peers see how far the user has read, when they take part too.
    #[default]
    Shown,
    /// No peer sees it.
    Hidden,
}
