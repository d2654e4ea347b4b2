//! Loads the rows that the plan of a batch needs, each by its key.

use std::collections::BTreeSet;

use barrage_inbox::{ConversationId, ConversationNumber, Needs, Position, Rows, SentLetter, UserNumber};
use rusqlite::{OptionalExtension, Transaction, params};

use super::read::one;
use crate::inbox::codes::{Code, int};
use crate::inbox::error::InboxError;
use crate::inbox::parse;

/// Loads all rows. The transaction holds the write lock, so that nothing changes in between.
pub(super) fn rows(transaction: &Transaction<'_>, needs: &Needs) -> Result<Rows, InboxError> {
    let mut rows = Rows::default();
    for id in &needs.users {
        let sql = format!("SELECT {} FROM inbox_users WHERE id = ?1", parse::USER);
        let user = one(transaction, &sql, [id.as_str()], |row| parse::user(row))?;
        rows.add_user(user.ok_or(InboxError::Corrupt("user"))?);
    }
    for id in needs.named.difference(&needs.users) {
        let sql = format!("SELECT {} FROM inbox_users WHERE id = ?1", parse::USER);
        if let Some(user) = one(transaction, &sql, [id.as_str()], |row| parse::user(row))? {
            rows.add_user(user);
        }
    }
    conversations(transaction, needs, &mut rows)?;
    for (conversation, user) in &needs.members {
        if let (Some(number), Some(user)) = (number_of(&rows, conversation), rows.numbers.get(user)) {
            member(transaction, number, *user, &mut rows)?;
        }
    }
    for user in needs.groups.iter().filter_map(|id| rows.numbers.get(id).copied()).collect::<Vec<_>>() {
        rows.groups.insert(user, groups_of(transaction, user)?);
    }
    for (user, other) in &needs.blocks {
        let (Some(user), Some(other)) = (rows.numbers.get(user), rows.numbers.get(other)) else { continue };
        let pair = (*user, *other);
        let mut known =
            transaction.prepare_cached("SELECT 1 FROM inbox_blocks WHERE user_n = ?1 AND other = ?2")?;
        if known.exists([pair.0.0, pair.1.0])? {
            rows.blocks.insert(pair);
        }
    }
    items(transaction, needs, &mut rows)?;
    Ok(rows)
}

fn number_of(rows: &Rows, id: &ConversationId) -> Option<ConversationNumber> {
    rows.conversations.get(id).map(|conversation| conversation.number)
}

/// Loads conversations, with users and members of the direct ones, and finds numbers for new ones.
fn conversations(transaction: &Transaction<'_>, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    let mut new = 0_i64;
    let mut users = BTreeSet::new();
    let sql = format!("SELECT {} FROM inbox_conversations AS c WHERE c.id = ?1", parse::CONVERSATION);
    for id in &needs.conversations {
        let found = one(transaction, &sql, [id.as_str()], |row| parse::conversation(row, 0))?;
        let Some(conversation) = found else {
            new += 1;
            continue;
        };
        for user in conversation.pair().into_iter().flatten() {
            users.insert(user);
            member(transaction, conversation.number, user, rows)?;
        }
        rows.conversations.insert(id.clone(), conversation);
    }
    let sql = format!("SELECT {} FROM inbox_users WHERE n = ?1", parse::USER);
    for number in users {
        if !rows.users.contains_key(&number) {
            let user = one(transaction, &sql, [number.0], |row| parse::user(row))?;
            rows.add_user(user.ok_or(InboxError::Corrupt("user"))?);
        }
    }
    if new > 0 {
        let greatest: Option<i64> = transaction
            .prepare_cached("SELECT MAX(n) FROM inbox_conversations")?
            .query_row([], |row| row.get(0))?;
        let first = greatest.unwrap_or(0) + 1;
        // The plan takes numbers from the end.
        rows.free_numbers = (first..first + new).rev().map(ConversationNumber).collect();
    }
    Ok(())
}

fn member(
    transaction: &Transaction<'_>,
    conversation: ConversationNumber,
    user: UserNumber,
    rows: &mut Rows,
) -> Result<(), InboxError> {
    let sql = format!(
        "SELECT {} FROM inbox_members AS m WHERE m.user_n = ?1 AND m.conversation = ?2",
        parse::MEMBER
    );
    let found = one(transaction, &sql, [user.0, conversation.0], |row| parse::member(row, 0))?;
    rows.members.extend(found.map(|member| ((conversation, user), member)));
    Ok(())
}

/// Returns the number of open groups that a user is in.
fn groups_of(transaction: &Transaction<'_>, user: UserNumber) -> Result<u32, InboxError> {
    let mut count = transaction.prepare_cached(
        "SELECT COUNT(*) FROM inbox_members AS m JOIN inbox_conversations AS c ON c.n = m.conversation
         WHERE m.user_n = ?1 AND m.peer IS NULL AND m.left_position IS NULL AND m.role > ?2 AND c.state = ?3",
    )?;
    let (applicant, open) =
        (barrage_inbox::Role::Applicant.code(), barrage_inbox::ConversationState::Open.code());
    Ok(count.query_row(params![user.0, applicant, open], |row| row.get(0))?)
}

fn items(transaction: &Transaction<'_>, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    let mut sent = transaction.prepare_cached(
        "SELECT position, kind, body FROM inbox_messages WHERE conversation = ?1 AND sender = ?2 AND id = ?3",
    )?;
    for (conversation, user, id) in &needs.letters {
        let Some(number) = number_of(rows, conversation) else { continue };
        let sender = rows.numbers[user];
        let found = sent.query_row(params![number.0, sender.0, id.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i16>(1)?, row.get::<_, String>(2)?))
        });
        if let Some((position, kind, body)) = found.optional()? {
            let position = Position(crate::inbox::codes::uint(position)?);
            let letter = SentLetter { position, kind: Code::of_code(kind)?, body };
            rows.letters.insert((number, sender, id.clone()), letter);
        }
    }
    // In a group, the newest own item up to the place has the number of own items.
    let read = "SELECT count, sender, own, CASE WHEN grouped THEN COALESCE((SELECT mine.own FROM inbox_messages AS mine
            WHERE mine.grouped = 1 AND mine.conversation = ?1 AND mine.sender = ?3 AND mine.position <= ?2
            ORDER BY mine.position DESC LIMIT 1), 0) END
        FROM inbox_messages WHERE conversation = ?1 AND position = ?2";
    for (conversation, user, position) in &needs.reads {
        let Some(number) = number_of(rows, conversation) else { continue };
        let reader = rows.numbers[user];
        let found = one(transaction, read, [number.0, int(position.0), reader.0], |row| {
            parse::read_mark(row, 0, *position, reader)
        })?;
        rows.reads.extend(found.map(|mark| ((number, reader, *position), mark)));
    }
    let target =
        "SELECT sender, at_ms, kind, state FROM inbox_messages WHERE conversation = ?1 AND position = ?2";
    for (conversation, position) in &needs.targets {
        let Some(number) = number_of(rows, conversation) else { continue };
        let found = one(transaction, target, [number.0, int(position.0)], |row| parse::target(row))?;
        rows.targets.extend(found.map(|target| ((number, *position), target)));
    }
    Ok(())
}
