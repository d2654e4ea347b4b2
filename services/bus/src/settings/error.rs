//! Why a change does not fit the settings.

use barrage_protocol::UserId;
use barrage_protocol::attribute::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_PER_ROOM_MAX};

use super::role::ROLES_PER_ROOM_MAX;
use super::switch::SwitchError;

/// Maximum number of pre-warms of all rooms that are not over; a further one is refused.
pub const PREWARMS_MAX: usize = 64;

/// Why a change does not fit the settings as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The patch needs an existing room, and there is none with this id.
    #[error("there is no such room; PUT /v1/admin/rooms/{{room}} makes one")]
    UnknownRoom,
    /// The switch does not exist, or does not take the value.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// [`PREWARMS_MAX`] pre-warms that are not over are announced already, in all rooms together.
    #[error("at most {PREWARMS_MAX} pre-warms at a time; take one back, or wait until one is over")]
    PrewarmsFull,
    /// The room has no pre-warm for this time.
    #[error("there is no such pre-warm, or it is over")]
    UnknownPrewarm,
    /// The same sender used this id for another action in the room.
    #[error("this action id was used for another action; choose a new id")]
    ActionConflict,
    /// The room has a running poll already.
    #[error("a poll runs in this room; close it first, or wait for its end")]
    PollRunning,
    /// The room gives [`ROLES_PER_ROOM_MAX`] roles already.
    #[error("a room gives at most {ROLES_PER_ROOM_MAX} roles; take one back first")]
    RolesFull,
    /// The attribute has another version than the change names; 0 when it does not exist.
    #[error("if_version: the attribute has version {0} now (0: it does not exist); read it and try again")]
    AttributeVersion(u64),
    /// The room has [`ATTRIBUTES_PER_ROOM_MAX`] attributes already.
    #[error("a room has at most {ATTRIBUTES_PER_ROOM_MAX} attributes; remove one first")]
    AttributesFull,
    /// The keys and texts of the room would exceed [`ATTRIBUTES_BYTES_MAX`] bytes.
    #[error("the attributes of a room have at most {ATTRIBUTES_BYTES_MAX} bytes together; remove one first")]
    AttributesTooLarge,
    /// The room's review queue is full, by number or by bytes.
    #[error("the review queue of this room is full; its moderators have to decide first")]
    ReviewsFull,
    /// As many reports of this sender wait in the room as one sender may have.
    #[error("too many of your reports wait in this room; moderators will see them")]
    ReportsFull,
    /// The room has no such review, or decided it long ago.
    #[error("there is no such review, or it was decided long ago")]
    UnknownReview,
    /// Another moderator looks at the review.
    #[error("{by} looks at this review now")]
    ReviewLocked {
        /// Moderator who has the lock.
        by: UserId,
        /// Milliseconds until the lock lapses.
        retry_ms: u64,
    },
    /// The review was decided otherwise before.
    #[error("{by} has decided this review before: {decision}")]
    ReviewDecided {
        /// Moderator who decided first, or `fallback`.
        by: UserId,
        /// Name of the first decision.
        decision: &'static str,
    },
    /// The words have another version than their writer has read.
    #[error("the words of this room have changed, to version {0}; read them again")]
    WordsChanged(u64),
    /// The emotes are not those that their writer has read.
    #[error("the emotes have changed meanwhile; read them again")]
    EmotesChanged,
}
