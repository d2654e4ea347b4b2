//! Parses rows of either engine. Every query lists its columns as the constants here do.

use barrage_inbox::{
    Conversation, ConversationId, ConversationNumber, Counters, HiddenItem, Item, Mark, Member, Mention,
    Position, Undelivered, User, UserNumber, Version,
};
use barrage_inbox::{Preferences, ReadMark, Target};
use barrage_protocol::{MessageId, Sequence, UserId};

use super::codes::{Code, refusal_of, settings_of, uint};
use super::error::InboxError;
use super::reads::GroupMember;
use super::records::{Membership, StoredItem};
use super::recount::Counted;
use super::reports::{NewReport, ReportRecord};
use super::retention::Oldest;

mod push;

pub(super) use push::{
    DEVICE, called_condition, campaign, campaign_query, device, device_at, due, due_query, follower,
    followers_query, lowering_query, newest_unread_query, push_service, queue_conflict, total_query,
};

/// Columns of `inbox_users`, for [`user`].
pub(super) const USER: &str = "n, id, version, unread, policy, receipts";
/// Columns of `inbox_conversations` as `c`, for [`conversation`].
pub(super) const CONVERSATION: &str = "c.n, c.id, c.owner, c.peer, c.head_position, c.head_count, c.sequence, \
    c.at_ms, c.members, c.state, c.settings";
/// Number of columns in [`CONVERSATION`].
pub(super) const CONVERSATION_COLUMNS: usize = 11;
/// Columns of `inbox_members` as `m`, for [`member`].
pub(super) const MEMBER: &str = "m.user_n, m.conversation, m.peer, m.version, m.folder, m.notify, m.role, \
    m.joined_position, m.left_position, m.read_position, m.read_count, m.own_count, m.own_read, m.cleared, \
    m.pinned, m.marked, m.at_ms";
/// Number of columns in [`MEMBER`].
pub(super) const MEMBER_COLUMNS: usize = 17;
/// Columns of `inbox_messages` as `i`, for [`item`].
pub(super) const ITEM: &str = "i.conversation, i.position, i.count, i.own, i.sender, i.id, i.at_ms, i.sequence, \
    i.kind, i.body, i.target, i.state";
/// Columns of `inbox_reports`, for [`report`].
pub(super) const REPORT: &str = "id, at_ms, reporter, target, conversation, reason, evidence, closed_at_ms, closed_by, \
    note";
/// Number of columns in [`ITEM`].
pub(super) const ITEM_COLUMNS: usize = 12;

/// Values of a row by the place of the column.
pub(super) trait Row {
    fn int(&self, place: usize) -> Result<i64, InboxError>;
    fn optional_int(&self, place: usize) -> Result<Option<i64>, InboxError>;
    fn small(&self, place: usize) -> Result<i16, InboxError>;
    fn flag(&self, place: usize) -> Result<bool, InboxError>;
    fn text(&self, place: usize) -> Result<String, InboxError>;
    fn optional_text(&self, place: usize) -> Result<Option<String>, InboxError>;

    fn count(&self, place: usize) -> Result<u64, InboxError> {
        uint(self.int(place)?)
    }

    fn position(&self, place: usize) -> Result<Position, InboxError> {
        self.count(place).map(Position)
    }

    fn optional_position(&self, place: usize) -> Result<Option<Position>, InboxError> {
        self.optional_int(place)?.map(uint).transpose().map(|found| found.map(Position))
    }
}

pub(super) fn user(row: &impl Row) -> Result<User, InboxError> {
    Ok(User {
        number: UserNumber(row.int(0)?),
        id: user_id(row, 1)?,
        version: Version(row.count(2)?),
        unread: row.count(3)?,
        preferences: Preferences {
            policy: Code::of_code(row.small(4)?)?,
            receipts: Code::of_code(row.small(5)?)?,
        },
    })
}

pub(super) fn conversation(row: &impl Row, at: usize) -> Result<Conversation, InboxError> {
    Ok(Conversation {
        number: ConversationNumber(row.int(at)?),
        id: conversation_id(row, at + 1)?,
        owner: UserNumber(row.int(at + 2)?),
        peer: row.optional_int(at + 3)?.map(UserNumber),
        head: Mark { position: row.position(at + 4)?, count: row.count(at + 5)? },
        sequence: Sequence(row.count(at + 6)?),
        at_ms: row.count(at + 7)?,
        members: u32::try_from(row.int(at + 8)?).map_err(|_| InboxError::Corrupt("members"))?,
        state: Code::of_code(row.small(at + 9)?)?,
        settings: settings_of(row.optional_text(at + 10)?.as_deref())?,
    })
}

pub(super) fn member(row: &impl Row, at: usize) -> Result<Member, InboxError> {
    Ok(Member {
        user: UserNumber(row.int(at)?),
        conversation: ConversationNumber(row.int(at + 1)?),
        peer: row.optional_int(at + 2)?.map(UserNumber),
        version: Version(row.count(at + 3)?),
        folder: Code::of_code(row.small(at + 4)?)?,
        notify: Code::of_code(row.small(at + 5)?)?,
        role: Code::of_code(row.small(at + 6)?)?,
        joined: row.position(at + 7)?,
        left: row.optional_position(at + 8)?,
        counters: Counters {
            read: Mark { position: row.position(at + 9)?, count: row.count(at + 10)? },
            own_count: row.count(at + 11)?,
            own_read: row.count(at + 12)?,
        },
        cleared: row.position(at + 13)?,
        pinned: row.flag(at + 14)?,
        marked: row.flag(at + 15)?,
        at_ms: row.count(at + 16)?,
    })
}

/// Returns the query of [`membership`], without its condition. The place that the other user has read is there
/// when both show it.
pub(super) fn membership_query() -> String {
    let shown = barrage_inbox::Receipts::Shown.code();
    format!(
        "SELECT {MEMBER}, {CONVERSATION}, u.id, CASE WHEN u.receipts = {shown} AND me.receipts = {shown}
            THEN pm.read_position END
         FROM inbox_members AS m JOIN inbox_conversations AS c ON c.n = m.conversation
            JOIN inbox_users AS me ON me.n = m.user_n LEFT JOIN inbox_users AS u ON u.n = m.peer
            LEFT JOIN inbox_members AS pm ON pm.user_n = m.peer AND pm.conversation = m.conversation"
    )
}

pub(super) fn membership(row: &impl Row) -> Result<Membership, InboxError> {
    let peer = MEMBER_COLUMNS + CONVERSATION_COLUMNS;
    Ok(Membership {
        member: member(row, 0)?,
        conversation: conversation(row, MEMBER_COLUMNS)?,
        peer: row.optional_text(peer)?.map(|_| user_id(row, peer)).transpose()?,
        peer_read: row.optional_position(peer + 1)?,
    })
}

/// Parses a member of a group: id and number of the user, role.
pub(super) fn group_member(row: &impl Row) -> Result<GroupMember, InboxError> {
    Ok(GroupMember {
        user: user_id(row, 0)?,
        number: UserNumber(row.int(1)?),
        role: Code::of_code(row.small(2)?)?,
    })
}

/// Parses unread numbers: whether they are stored, by the law, by the items.
pub(super) fn counted(row: &impl Row) -> Result<Counted, InboxError> {
    Ok(Counted { is_stored: row.int(0)? == 1, law: row.int(1)?, items: row.int(2)? })
}

pub(super) fn report(row: &impl Row) -> Result<ReportRecord, InboxError> {
    let closed_at_ms = row.optional_int(7)?.map(uint).transpose()?;
    let closed = closed_at_ms.map(|at_ms| {
        let text = |place| row.optional_text(place).map(Option::unwrap_or_default);
        Ok::<_, InboxError>((text(8)?, at_ms, text(9)?))
    });
    Ok(ReportRecord {
        id: row.count(0)?,
        report: NewReport {
            at_ms: row.count(1)?,
            reporter: user_id(row, 2)?,
            target: user_id(row, 3)?,
            conversation: conversation_id(row, 4)?,
            reason: row.text(5)?,
            evidence: row.text(6)?,
        },
        closed: closed.transpose()?,
    })
}

/// Returns the query of conversations with the times of their oldest items, from one on.
pub(super) fn oldest_query(after: &str, limit: &str) -> String {
    format!(
        "SELECT c.n, c.id, (SELECT i.at_ms FROM inbox_messages AS i WHERE i.conversation = c.n
            ORDER BY i.position LIMIT 1)
         FROM inbox_conversations AS c WHERE c.n > {after} ORDER BY c.n LIMIT {limit}"
    )
}

pub(super) fn oldest(row: &impl Row) -> Result<Oldest, InboxError> {
    Ok(Oldest {
        number: ConversationNumber(row.int(0)?),
        id: conversation_id(row, 1)?,
        at_ms: row.optional_int(2)?.map(uint).transpose()?,
    })
}

/// Parses an item and the id of its sender.
pub(super) fn stored_item(row: &impl Row) -> Result<StoredItem, InboxError> {
    Ok(StoredItem { item: item(row)?, sender: user_id(row, ITEM_COLUMNS)? })
}

/// Returns the query of the unread items of a user's groups that count, with one parameter.
pub(super) fn group_unread_query(parameter: &str, greatest: &str) -> String {
    let [applicant, main, all, open] = [
        barrage_inbox::Role::Applicant.code(),
        barrage_inbox::Folder::Main.code(),
        barrage_inbox::Notify::All.code(),
        barrage_inbox::ConversationState::Open.code(),
    ];
    format!(
        "SELECT CAST(COALESCE(SUM({greatest}(c.head_count - m.read_count - m.own_count + m.own_read, 0)), 0) AS BIGINT)
         FROM inbox_members AS m JOIN inbox_conversations AS c ON c.n = m.conversation
         WHERE m.user_n = {parameter} AND m.peer IS NULL AND m.left_position IS NULL AND m.role > {applicant}
            AND m.folder = {main} AND m.notify = {all} AND c.state = {open}"
    )
}

pub(super) fn item(row: &impl Row) -> Result<Item, InboxError> {
    Ok(Item {
        conversation: ConversationNumber(row.int(0)?),
        position: row.position(1)?,
        count: row.count(2)?,
        own: row.count(3)?,
        sender: UserNumber(row.int(4)?),
        id: row.optional_text(5)?.map(|id| message_id(&id)).transpose()?,
        at_ms: row.count(6)?,
        sequence: Sequence(row.count(7)?),
        kind: Code::of_code(row.small(8)?)?,
        body: row.text(9)?,
        target: row.optional_position(10)?,
        state: Code::of_code(row.small(11)?)?,
    })
}

/// Parses what a recall needs of an item: sender, time, kind, state.
pub(super) fn target(row: &impl Row) -> Result<Target, InboxError> {
    Ok(Target {
        sender: UserNumber(row.int(0)?),
        at_ms: row.count(1)?,
        kind: Code::of_code(row.small(2)?)?,
        state: Code::of_code(row.small(3)?)?,
    })
}

/// Parses a place that a user reads up to: count and sender of the item there, own items of its sender, and
/// own items of the reader in a group, null in a direct conversation.
pub(super) fn read_mark(
    row: &impl Row,
    at: usize,
    position: Position,
    reader: UserNumber,
) -> Result<ReadMark, InboxError> {
    let place = Mark { position, count: row.count(at)? };
    Ok(match row.optional_int(at + 3)? {
        Some(own) => ReadMark { at: place, own: uint(own)? },
        None => ReadMark::in_direct(place, UserNumber(row.int(at + 1)?), row.count(at + 2)?, reader),
    })
}

/// Parses a hidden item: user, conversation, position, version.
pub(super) fn hidden(row: &impl Row) -> Result<HiddenItem, InboxError> {
    Ok(HiddenItem {
        user: UserNumber(row.int(0)?),
        conversation: ConversationNumber(row.int(1)?),
        position: row.position(2)?,
        version: Version(row.count(3)?),
    })
}

/// Parses a mention: user, conversation, position.
pub(super) fn mention(row: &impl Row) -> Result<Mention, InboxError> {
    Ok(Mention {
        user: UserNumber(row.int(0)?),
        conversation: ConversationNumber(row.int(1)?),
        position: row.position(2)?,
    })
}

/// Parses a letter without an effect: user, version, conversation, id, refusal, time.
pub(super) fn undelivered(row: &impl Row) -> Result<Undelivered, InboxError> {
    Ok(Undelivered {
        user: UserNumber(row.int(0)?),
        version: Version(row.count(1)?),
        conversation: conversation_id(row, 2)?,
        id: message_id(&row.text(3)?)?,
        refusal: refusal_of(&row.text(4)?)?,
        at_ms: row.count(5)?,
    })
}

/// Parses the position of a lane: lane, position.
pub(super) fn lane(row: &impl Row) -> Result<(u16, Sequence), InboxError> {
    let lane = u16::try_from(row.int(0)?).map_err(|_| InboxError::Corrupt("lane"))?;
    Ok((lane, Sequence(row.count(1)?)))
}

pub(super) fn user_id(row: &impl Row, place: usize) -> Result<UserId, InboxError> {
    UserId::parse(&row.text(place)?).map_err(|_| InboxError::Corrupt("user id"))
}

fn conversation_id(row: &impl Row, place: usize) -> Result<ConversationId, InboxError> {
    ConversationId::parse(&row.text(place)?).map_err(|_| InboxError::Corrupt("conversation id"))
}

pub(super) fn message_id(text: &str) -> Result<MessageId, InboxError> {
    MessageId::parse(text).map_err(|_| InboxError::Corrupt("message id"))
}
