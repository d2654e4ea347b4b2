//! Writes the rows of a batch.

use barrage_inbox::{BlockChange, Changes, Item, ItemState, Kind, Member, Needs};
use barrage_protocol::{MessageId, Sequence};
use rusqlite::{Transaction, params};

use crate::inbox::codes::{Code, int, settings_text};
use crate::inbox::error::InboxError;

/// Moves the lane's position; fails when it is not at `after`.
pub(super) fn move_mark(
    transaction: &Transaction<'_>,
    lane: u16,
    after: Sequence,
    last: Sequence,
) -> Result<(), InboxError> {
    transaction
        .prepare_cached("INSERT INTO inbox_marks (lane, sequence) VALUES (?1, 0) ON CONFLICT DO NOTHING")?
        .execute([lane])?;
    let moved = transaction
        .prepare_cached("UPDATE inbox_marks SET sequence = ?3 WHERE lane = ?1 AND sequence = ?2")?
        .execute(params![lane, int(after.0), int(last.0)])?;
    if moved == 1 { Ok(()) } else { Err(InboxError::Fenced { lane, expected: after }) }
}

/// Gives numbers to users that the tables do not have.
pub(super) fn new_users(transaction: &Transaction<'_>, needs: &Needs) -> Result<(), InboxError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO inbox_users (id, version, unread, policy, receipts) VALUES (?1, 0, 0, ?2, ?3)
         ON CONFLICT (id) DO NOTHING",
    )?;
    let default = barrage_inbox::Preferences::default();
    for user in &needs.users {
        insert.execute(params![user.as_str(), default.policy.code(), default.receipts.code()])?;
    }
    Ok(())
}

/// Writes all rows of a batch.
pub(super) fn changes(transaction: &Transaction<'_>, changes: &Changes) -> Result<(), InboxError> {
    users(transaction, changes)?;
    conversations(transaction, changes)?;
    members(transaction, &changes.members)?;
    items(transaction, changes)?;
    small_rows(transaction, changes)
}

fn users(transaction: &Transaction<'_>, changes: &Changes) -> Result<(), InboxError> {
    let mut update = transaction.prepare_cached(
        "UPDATE inbox_users SET version = ?2, unread = ?3, policy = ?4, receipts = ?5 WHERE n = ?1",
    )?;
    for user in &changes.users {
        let (policy, receipts) = (user.preferences.policy.code(), user.preferences.receipts.code());
        let (version, unread) = (int(user.version.0), int(user.unread));
        update.execute(params![user.number.0, version, unread, policy, receipts])?;
    }
    Ok(())
}

fn conversations(transaction: &Transaction<'_>, changes: &Changes) -> Result<(), InboxError> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO inbox_conversations (n, id, owner, peer, head_position, head_count, sequence, at_ms,
            members, state, settings)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (n) DO UPDATE SET owner = ?3, head_position = ?5, head_count = ?6, sequence = ?7,
            at_ms = ?8, members = ?9, state = ?10, settings = ?11",
    )?;
    for conversation in &changes.conversations {
        upsert.execute(params![
            conversation.number.0,
            conversation.id.as_str(),
            conversation.owner.0,
            conversation.peer.map(|peer| peer.0),
            int(conversation.head.position.0),
            int(conversation.head.count),
            int(conversation.sequence.0),
            int(conversation.at_ms),
            conversation.members,
            conversation.state.code(),
            settings_text(&conversation.settings)?,
        ])?;
    }
    Ok(())
}

fn members(transaction: &Transaction<'_>, members: &[Member]) -> Result<(), InboxError> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO inbox_members (user_n, conversation, peer, version, folder, notify, role, joined_position,
            left_position, read_position, read_count, own_count, own_read, cleared, pinned, marked, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
         ON CONFLICT (user_n, conversation) DO UPDATE SET version = ?4, folder = ?5, notify = ?6, role = ?7,
            joined_position = ?8, left_position = ?9, read_position = ?10, read_count = ?11, own_count = ?12,
            own_read = ?13, cleared = ?14, pinned = ?15, marked = ?16, at_ms = ?17",
    )?;
    for member in members {
        upsert.execute(params![
            member.user.0,
            member.conversation.0,
            member.peer.map(|peer| peer.0),
            int(member.version.0),
            member.folder.code(),
            member.notify.code(),
            member.role.code(),
            int(member.joined.0),
            member.left.map(|left| int(left.0)),
            int(member.counters.read.position.0),
            int(member.counters.read.count),
            int(member.counters.own_count),
            int(member.counters.own_read),
            int(member.cleared.0),
            member.pinned,
            member.marked,
            int(member.at_ms),
        ])?;
    }
    Ok(())
}

fn items(transaction: &Transaction<'_>, changes: &Changes) -> Result<(), InboxError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO inbox_messages (conversation, position, count, own, sender, id, at_ms, sequence, kind,
            body, target, state, grouped)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    let is_group = |item: &Item| {
        let conversation = changes.conversations.iter().find(|known| known.number == item.conversation);
        conversation.is_some_and(|conversation| conversation.id.kind() == Kind::Group)
    };
    for item in &changes.items {
        insert.execute(params![
            item.conversation.0,
            int(item.position.0),
            int(item.count),
            int(item.own),
            item.sender.0,
            item.id.as_ref().map(MessageId::as_str),
            int(item.at_ms),
            int(item.sequence.0),
            item.kind.code(),
            item.body,
            item.target.map(|target| int(target.0)),
            item.state.code(),
            is_group(item),
        ])?;
    }
    let mut recall = transaction.prepare_cached(
        "UPDATE inbox_messages SET state = ?3, body = '' WHERE conversation = ?1 AND position = ?2",
    )?;
    for (conversation, position) in &changes.recalled {
        recall.execute(params![conversation.0, int(position.0), ItemState::Recalled.code()])?;
    }
    Ok(())
}

fn small_rows(transaction: &Transaction<'_>, changes: &Changes) -> Result<(), InboxError> {
    for hidden in &changes.hidden {
        transaction.prepare_cached("INSERT OR REPLACE INTO inbox_hidden VALUES (?1, ?2, ?3, ?4)")?.execute(
            params![hidden.user.0, hidden.conversation.0, int(hidden.position.0), int(hidden.version.0)],
        )?;
    }
    for mention in &changes.mentions {
        transaction
            .prepare_cached("INSERT OR IGNORE INTO inbox_mentions VALUES (?1, ?2, ?3)")?
            .execute(params![mention.user.0, mention.conversation.0, int(mention.position.0)])?;
    }
    for block in &changes.blocks {
        match *block {
            BlockChange::Begun(user, other, at_ms) => transaction
                .prepare_cached("INSERT OR IGNORE INTO inbox_blocks VALUES (?1, ?2, ?3)")?
                .execute(params![user.0, other.0, int(at_ms)])?,
            BlockChange::Ended(user, other) => transaction
                .prepare_cached("DELETE FROM inbox_blocks WHERE user_n = ?1 AND other = ?2")?
                .execute(params![user.0, other.0])?,
        };
    }
    for note in &changes.undelivered {
        // The same letter may be refused twice in a batch.
        transaction
            .prepare_cached("INSERT OR IGNORE INTO inbox_undelivered VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![
                note.user.0,
                int(note.version.0),
                note.conversation.as_str(),
                note.id.as_str(),
                note.refusal.label(),
                int(note.at_ms),
            ])?;
    }
    Ok(())
}
