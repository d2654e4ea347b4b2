//! Which items are too old, and what their removal changes.

use barrage_inbox::{
    Changes, Conversation, ConversationId, ConversationNumber, Kind, Mark, Member, ReadMark, User, Version,
};

/// Items of a conversation that one call removes at most.
pub const TRIM_MAX: u64 = 1_000;

/// A conversation with the time of its oldest item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oldest {
    /// Number of the conversation.
    pub number: ConversationNumber,
    /// Id of the conversation, which chooses its lane.
    pub id: ConversationId,
    /// Unix time of the oldest item that is stored, in milliseconds; `None` without one.
    pub at_ms: Option<u64>,
}

/// A member who has not read up to the last removed item, with its own items up to there.
pub(super) struct Behind {
    pub(super) member: Member,
    pub(super) user: User,
    pub(super) own: u64,
}

/// Moves the read places of members to the last item that is removed: what nobody can read any more is not unread.
/// Each of these users gets a new version.
pub(super) fn moved(conversation: &Conversation, at: Mark, behind: Vec<Behind>) -> Changes {
    let kind = conversation.id.kind();
    let mut changes = Changes::default();
    for Behind { mut member, mut user, own } in behind {
        let before = member.stored(kind, conversation.head);
        // Own items from before an earlier removal are in the counter alone.
        let own = if kind == Kind::Group { own.max(member.counters.own_read) } else { own };
        member.counters.read_to(ReadMark { at, own });
        let after = member.stored(kind, conversation.head);
        user.version = Version(user.version.0 + 1);
        user.unread = user.unread.saturating_sub(before) + after;
        member.version = user.version;
        changes.users.push(user);
        changes.members.push(member);
    }
    changes
}
