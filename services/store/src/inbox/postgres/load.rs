//! Loads the rows that the plan of a batch needs, each table by one statement.

use std::collections::BTreeSet;

use barrage_inbox::{
    ConversationId, ConversationNumber, ConversationState, Needs, Position, Role, Rows, SentLetter,
    UserNumber,
};
use barrage_protocol::UserId;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use crate::inbox::codes::{Code, int};
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};

/// Loads all rows. The users stay locked until the transaction ends. Conversations and members need no lock:
/// one lane alone writes them, and the transaction holds the row of the lane.
pub(super) async fn rows(connection: &mut PgConnection, needs: &Needs) -> Result<Rows, InboxError> {
    let mut rows = Rows::default();
    conversations(connection, needs, &mut rows).await?;
    users(connection, needs, &mut rows).await?;
    members(connection, needs, &mut rows).await?;
    groups(connection, needs, &mut rows).await?;
    blocks(connection, needs, &mut rows).await?;
    letters(connection, needs, &mut rows).await?;
    reads(connection, needs, &mut rows).await?;
    targets(connection, needs, &mut rows).await?;
    Ok(rows)
}

async fn conversations(
    connection: &mut PgConnection,
    needs: &Needs,
    rows: &mut Rows,
) -> Result<(), InboxError> {
    if needs.conversations.is_empty() {
        return Ok(());
    }
    let sql =
        format!("SELECT {} FROM inbox_conversations AS c WHERE c.id = ANY($1::text[])", parse::CONVERSATION);
    let ids: Vec<&str> = needs.conversations.iter().map(ConversationId::as_str).collect();
    for row in sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&ids).fetch_all(&mut *connection).await? {
        let conversation = parse::conversation(&row, 0)?;
        rows.conversations.insert(conversation.id.clone(), conversation);
    }
    let new = ids.len() - rows.conversations.len();
    if new > 0 {
        let numbers = sqlx::query_scalar::<_, i64>(
            "SELECT NEXTVAL('inbox_conversation_numbers') FROM GENERATE_SERIES(1, $1)",
        );
        let numbers = numbers.bind(i64::try_from(new).unwrap_or(0)).fetch_all(connection).await?;
        // The plan takes numbers from the end.
        rows.free_numbers = numbers.into_iter().rev().map(ConversationNumber).collect();
    }
    Ok(())
}

/// Locks the users in ascending order of their numbers, over all lanes: so no two couriers deadlock.
async fn users(connection: &mut PgConnection, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    let pairs = rows.conversations.values().filter_map(barrage_inbox::Conversation::pair);
    let numbers: BTreeSet<i64> = pairs.flatten().map(|user| user.0).collect();
    let sql = format!(
        "SELECT {} FROM inbox_users WHERE id = ANY($1::text[]) OR n = ANY($2::bigint[]) ORDER BY n FOR UPDATE",
        parse::USER
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(needs.users.union(&needs.named).map(UserId::as_str).collect::<Vec<_>>())
        .bind(numbers.into_iter().collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    for row in &found {
        rows.add_user(parse::user(row)?);
    }
    if needs.users.iter().all(|id| rows.numbers.contains_key(id)) {
        Ok(())
    } else {
        Err(InboxError::Corrupt("user"))
    }
}

/// Loads the named members of groups, and both members of each direct conversation.
async fn members(connection: &mut PgConnection, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    let mut keys = BTreeSet::new();
    for (id, user) in &needs.members {
        let (known, user) = (rows.conversations.get(id), rows.numbers.get(user));
        keys.extend(known.zip(user).map(|(known, user)| (user.0, known.number.0)));
    }
    for conversation in rows.conversations.values() {
        let pair = conversation.pair().into_iter().flatten();
        keys.extend(pair.map(|user| (user.0, conversation.number.0)));
    }
    if keys.is_empty() {
        return Ok(());
    }
    let (users, conversations): (Vec<i64>, Vec<i64>) = keys.into_iter().unzip();
    let sql = format!(
        "SELECT {} FROM UNNEST($1::bigint[], $2::bigint[]) AS asked (user_n, conversation)
         JOIN inbox_members AS m ON m.user_n = asked.user_n AND m.conversation = asked.conversation",
        parse::MEMBER
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(users).bind(conversations);
    for row in found.fetch_all(connection).await? {
        let member = parse::member(&row, 0)?;
        rows.members.insert((member.conversation, member.user), member);
    }
    Ok(())
}

async fn groups(connection: &mut PgConnection, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    if needs.groups.is_empty() {
        return Ok(());
    }
    let found = sqlx::query(
        "SELECT m.user_n, COUNT(*) FROM inbox_members AS m
         JOIN inbox_conversations AS c ON c.n = m.conversation
         WHERE m.user_n = ANY($1::bigint[]) AND m.peer IS NULL AND m.left_position IS NULL AND m.role > $2
            AND c.state = $3
         GROUP BY m.user_n",
    )
    .bind(needs.groups.iter().filter_map(|id| Some(rows.numbers.get(id)?.0)).collect::<Vec<_>>())
    .bind(Role::Applicant.code())
    .bind(ConversationState::Open.code())
    .fetch_all(connection)
    .await?;
    for row in &found {
        let groups = u32::try_from(row.int(1)?).unwrap_or(u32::MAX);
        rows.groups.insert(UserNumber(row.int(0)?), groups);
    }
    Ok(())
}

async fn blocks(connection: &mut PgConnection, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    if needs.blocks.is_empty() {
        return Ok(());
    }
    let number = |id: &UserId| rows.numbers.get(id).map(|number| number.0);
    let pairs = needs.blocks.iter().filter_map(|(one, other)| Some((number(one)?, number(other)?)));
    let (users, others): (Vec<i64>, Vec<i64>) = pairs.unzip();
    let found = sqlx::query(
        "SELECT b.user_n, b.other FROM UNNEST($1::bigint[], $2::bigint[]) AS asked (user_n, other)
         JOIN inbox_blocks AS b ON b.user_n = asked.user_n AND b.other = asked.other",
    )
    .bind(users)
    .bind(others)
    .fetch_all(connection)
    .await?;
    for row in &found {
        rows.blocks.insert((UserNumber(row.int(0)?), UserNumber(row.int(1)?)));
    }
    Ok(())
}

/// Returns the place of the asked key in the first column of a row.
fn asked<'a, K>(row: &PgRow, keys: &[&'a K]) -> Result<&'a K, InboxError> {
    let place = usize::try_from(row.int(0)? - 1).ok().and_then(|place| keys.get(place));
    place.copied().ok_or(InboxError::Corrupt("place"))
}

async fn letters(connection: &mut PgConnection, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    let known = needs.letters.iter().filter(|key| rows.conversations.contains_key(&key.0));
    let keys: Vec<_> = known.collect();
    if keys.is_empty() {
        return Ok(());
    }
    let found = sqlx::query(
        "SELECT asked.place, i.position, i.kind, i.body
         FROM UNNEST($1::bigint[], $2::bigint[], $3::text[]) WITH ORDINALITY
            AS asked (conversation, sender, id, place)
         JOIN inbox_messages AS i ON i.conversation = asked.conversation AND i.sender = asked.sender
            AND i.id = asked.id",
    )
    .bind(keys.iter().map(|key| rows.conversations[&key.0].number.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| rows.numbers[&key.1].0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.2.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    for row in &found {
        let (conversation, user, id) = asked(row, &keys)?;
        let key = (rows.conversations[conversation].number, rows.numbers[user], id.clone());
        let letter = SentLetter {
            position: row.position(1)?,
            kind: Code::of_code(row.small(2)?)?,
            body: row.text(3)?,
        };
        rows.letters.insert(key, letter);
    }
    Ok(())
}

async fn reads(connection: &mut PgConnection, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    let known = needs.reads.iter().filter(|key| rows.conversations.contains_key(&key.0));
    let keys: Vec<_> = known.collect();
    if keys.is_empty() {
        return Ok(());
    }
    // In a group, the newest own item up to the place has the number of own items.
    let found = sqlx::query(
        "SELECT asked.place, i.count, i.sender, i.own,
            CASE WHEN i.grouped THEN COALESCE((SELECT mine.own FROM inbox_messages AS mine
                WHERE mine.grouped AND mine.conversation = asked.conversation AND mine.sender = asked.reader
                    AND mine.position <= asked.position
                ORDER BY mine.position DESC LIMIT 1), 0) END
         FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY
            AS asked (conversation, reader, position, place)
         JOIN inbox_messages AS i ON i.conversation = asked.conversation AND i.position = asked.position",
    )
    .bind(keys.iter().map(|key| rows.conversations[&key.0].number.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| rows.numbers[&key.1].0).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| int(key.2.0)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    for row in &found {
        let (conversation, user, position) = asked(row, &keys)?;
        let (number, reader) = (rows.conversations[conversation].number, rows.numbers[user]);
        rows.reads.insert((number, reader, *position), parse::read_mark(row, 1, *position, reader)?);
    }
    Ok(())
}

async fn targets(connection: &mut PgConnection, needs: &Needs, rows: &mut Rows) -> Result<(), InboxError> {
    let known = needs.targets.iter().filter_map(|(id, position)| {
        rows.conversations.get(id).map(|conversation| (conversation.number.0, int(position.0)))
    });
    let (conversations, positions): (Vec<i64>, Vec<i64>) = known.unzip();
    if conversations.is_empty() {
        return Ok(());
    }
    let found = sqlx::query(
        "SELECT i.sender, i.at_ms, i.kind, i.state, i.conversation, i.position
         FROM UNNEST($1::bigint[], $2::bigint[]) AS asked (conversation, position)
         JOIN inbox_messages AS i ON i.conversation = asked.conversation AND i.position = asked.position",
    )
    .bind(conversations)
    .bind(positions)
    .fetch_all(connection)
    .await?;
    for row in &found {
        let key = (ConversationNumber(row.int(4)?), Position(row.count(5)?));
        rows.targets.insert(key, parse::target(row)?);
    }
    Ok(())
}
