//! Refusals of the inbox, with what to do next.

use barrage_bus::BusError;
use barrage_inbox::Refusal as Reason;
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use barrage_store::InboxError;

/// Milliseconds after which a client may try again when the tables cannot be read.
const READ_RETRY_MS: u64 = 1_000;
/// Milliseconds after which a client may try again when a lane is full or behind.
const BEHIND_RETRY_MS: u64 = 30_000;

/// Returns the refusal for a reason of the rules.
pub(super) fn refused(reason: Reason) -> Refusal {
    let (code, message) = match reason {
        Reason::ToOneself => (Code::BadRequest, "a user cannot write to itself"),
        Reason::Blocked => (Code::Blocked, "one of the two users blocks the other"),
        Reason::RequestsOnly => {
            (Code::RequestsOnly, "this user takes no letters, or no more letters, before answering")
        }
        Reason::NotMember => (Code::NotMember, "you are not in this conversation"),
        Reason::Muted => (Code::Muted, "you may read in this group and not send"),
        Reason::Conflict | Reason::Exists => {
            (Code::Conflict, "this id was used for something else; choose a new id")
        }
        Reason::NoItem => (Code::NotFound, "the conversation has no such item"),
        Reason::TooLate => (Code::Forbidden, "the time for a recall is over"),
        Reason::Forbidden => (Code::Forbidden, "your role in this group does not allow it"),
        Reason::GroupFull => (Code::GroupFull, "the group has as many members as a group may have"),
        Reason::TooManyGroups => (Code::TooManyGroups, "you are in as many groups as a user may be"),
        Reason::OwnerStays => (Code::Forbidden, "make another member the owner first"),
    };
    Refusal::new(code, message)
}

/// Returns the refusal for tables that cannot be read.
pub(super) fn unreadable(error: &InboxError) -> Refusal {
    tracing::debug!(%error, "the inbox cannot be read");
    let refusal =
        Refusal::new(Code::Unavailable, "the inbox cannot be read just now; letters are still taken");
    refusal.retry_after_ms(READ_RETRY_MS)
}

/// Returns the refusal for an event that the lane did not take.
pub(super) fn not_taken(error: BusError) -> Refusal {
    match error {
        BusError::Full(_) => behind(),
        BusError::TooLarge => Refusal::new(Code::TooLarge, "the letters are too large for one request"),
        other => other.into(),
    }
}

/// Returns the refusal for a lane whose letters are not read in time.
pub(super) fn behind() -> Refusal {
    let message = "letters wait for the inbox for too long already; try again later";
    Refusal::new(Code::InboxBehind, message).retry_after_ms(BEHIND_RETRY_MS)
}

/// Returns the refusal for a user whose inbox was erased.
pub(super) fn erased() -> Refusal {
    Refusal::new(Code::Forbidden, "the inbox of this user was erased; a new inbox needs another user id")
}

/// Returns the refusal for a malformed id, position or cursor.
pub(super) fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, message)
}
