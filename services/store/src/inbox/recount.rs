//! Recounts: unread numbers by the law, beside a count of the items themselves.

use barrage_inbox::{ConversationState, Folder, ItemKind, Notify, Role, User, UserNumber};
use barrage_protocol::UserId;

use super::codes::Code;

/// Items of one conversation that a recount counts. A conversation with more is compared as far as that.
const COUNTED_MAX: u64 = 10_000;
/// Conversations of one user that a recount looks at.
const CONVERSATIONS_MAX: usize = 1_000;

/// A recount of one user's unread numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recount {
    /// User that was recounted.
    pub user: UserId,
    /// Number of the user in the tables.
    pub number: UserNumber,
    /// Conversations that were recounted.
    pub conversations: usize,
    /// Numbers that differ from the recount: 0, or somebody must act.
    pub errors: u64,
}

/// Unread numbers of one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// The conversation counts in the user's stored total.
    pub(super) is_stored: bool,
    /// By the law, from the counters.
    pub(super) law: i64,
    /// By the items, at most [`COUNTED_MAX`] and one.
    pub(super) items: i64,
}

impl Recount {
    pub(super) fn of(user: &User, rows: &[Counted]) -> Self {
        let max = i64::try_from(COUNTED_MAX).unwrap_or(i64::MAX);
        let is_wrong = |row: &&Counted| if row.items > max { row.law <= max } else { row.law != row.items };
        let mut errors = rows.iter().filter(is_wrong).count() as u64;
        let stored: i64 = rows.iter().filter(|row| row.is_stored).map(|row| row.law).sum();
        // A user with more conversations has a total that cannot be summed here.
        if rows.len() < CONVERSATIONS_MAX && u64::try_from(stored) != Ok(user.unread) {
            errors += 1;
        }
        Recount { user: user.id.clone(), number: user.number, conversations: rows.len(), errors }
    }
}

/// Returns the query of [`Counted`] rows of a user, who is its one parameter. Hidden and cleared items are read.
pub(super) fn recount_query(user: &str) -> String {
    let [recall, applicant, open, main, all] = [
        ItemKind::Recall.code(),
        Role::Applicant.code(),
        ConversationState::Open.code(),
        Folder::Main.code(),
        Notify::All.code(),
    ];
    let limit = COUNTED_MAX + 1;
    format!(
        "SELECT CASE WHEN m.peer IS NOT NULL AND m.folder = {main} AND m.notify = {all} THEN CAST(1 AS BIGINT) ELSE 0 END,
            c.head_count - m.read_count - m.own_count + m.own_read,
            (SELECT COUNT(*) FROM (SELECT 1 FROM inbox_messages AS i WHERE i.conversation = m.conversation
                AND i.position > m.read_position AND i.sender <> m.user_n AND i.kind <> {recall}
                LIMIT {limit}) AS unread)
         FROM inbox_members AS m JOIN inbox_conversations AS c ON c.n = m.conversation
         WHERE m.user_n = {user} AND m.left_position IS NULL AND m.role > {applicant} AND c.state = {open}
         LIMIT {CONVERSATIONS_MAX}"
    )
}

#[cfg(test)]
mod tests {
    use barrage_inbox::{Preferences, Version};

    use super::*;

    #[test]
    fn each_number_that_differs_is_an_error() {
        let id = UserId::parse("ann").unwrap();
        let preferences = Preferences::default();
        let user = User { number: UserNumber(1), id, version: Version(1), unread: 5, preferences };
        let row = |is_stored, law, items| Counted { is_stored, law, items };
        let errors = |rows: &[Counted]| Recount::of(&user, rows).errors;
        assert_eq!(errors(&[row(true, 5, 5), row(false, 7, 7)]), 0);
        assert_eq!(errors(&[row(true, 5, 4)]), 1);
        assert_eq!(errors(&[row(true, 4, 4)]), 1, "the total differs");
        assert_eq!(errors(&[row(true, 5, 5), row(false, 20_000, 10_001)]), 0);
        assert_eq!(errors(&[row(true, 5, 5), row(false, 3, 10_001)]), 1);
    }
}
