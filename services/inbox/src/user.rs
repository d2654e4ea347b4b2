//! A user's row: the version of the inbox, the total, and who may write.

use barrage_protocol::UserId;
use barrage_protocol::inbox::Preferences;

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
