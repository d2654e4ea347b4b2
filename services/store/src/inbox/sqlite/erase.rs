//! Erases what a user wrote.

use barrage_inbox::ItemState;
use barrage_protocol::UserId;
use rusqlite::{Connection, params};

use crate::inbox::codes::Code;
use crate::inbox::error::InboxError;

/// Removes the bodies of at most `limit` items of a user, which keep their positions and counts. Returns the number.
pub(super) fn erase(connection: &mut Connection, user: &UserId, limit: usize) -> Result<u64, InboxError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let erased = connection.execute(
        "UPDATE inbox_messages SET body = '', state = ?3 WHERE (conversation, position) IN (
            SELECT i.conversation, i.position FROM inbox_users AS u JOIN inbox_members AS m ON m.user_n = u.n
                JOIN inbox_messages AS i ON i.conversation = m.conversation AND i.sender = u.n
                    AND i.id IS NOT NULL
            WHERE u.id = ?1 AND i.state <> ?3 LIMIT ?2)",
        params![user.as_str(), limit, ItemState::Recalled.code()],
    )?;
    Ok(erased as u64)
}

/// Gives a user's row another id, if no row has that id. Returns whether it did.
pub(super) fn rename(connection: &mut Connection, user: &UserId, id: &UserId) -> Result<bool, InboxError> {
    let renamed = connection.execute(
        "UPDATE inbox_users SET id = ?2 WHERE id = ?1
            AND NOT EXISTS (SELECT 1 FROM inbox_users AS other WHERE other.id = ?2)",
        params![user.as_str(), id.as_str()],
    )?;
    Ok(renamed > 0)
}
