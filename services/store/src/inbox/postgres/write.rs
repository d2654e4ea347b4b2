//! Writes the rows of a batch, each table by one statement.

use std::collections::HashSet;

use barrage_inbox::{
    BlockChange, Changes, Conversation, Item, ItemState, Kind, Member, Mention, Needs, Preferences, User,
};
use barrage_protocol::{MessageId, Sequence, UserId};
use sqlx::{PgConnection, PgPool};

use crate::inbox::codes::{Code, int, settings_text};
use crate::inbox::error::InboxError;

/// Moves the lane's position; fails when it is not at `after`. The row stays locked until the transaction ends,
/// so that a second courier of the lane waits and then fails.
pub(super) async fn move_mark(
    connection: &mut PgConnection,
    lane: u16,
    after: Sequence,
    last: Sequence,
) -> Result<(), InboxError> {
    sqlx::query("INSERT INTO inbox_marks (lane, sequence) VALUES ($1, 0) ON CONFLICT DO NOTHING")
        .bind(i64::from(lane))
        .execute(&mut *connection)
        .await?;
    let moved = sqlx::query("UPDATE inbox_marks SET sequence = $3 WHERE lane = $1 AND sequence = $2")
        .bind(i64::from(lane))
        .bind(int(after.0))
        .bind(int(last.0))
        .execute(connection)
        .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(InboxError::Fenced { lane, expected: after }) }
}

/// Gives numbers to users that the tables do not have, in the order of ids: two couriers that create the same
/// users wait for each other in one order.
pub(super) async fn new_users(pool: &PgPool, needs: &Needs) -> Result<(), InboxError> {
    let default = Preferences::default();
    let ids: Vec<&str> = needs.users.iter().map(UserId::as_str).collect();
    let known = sqlx::query("SELECT id FROM inbox_users WHERE id = ANY($1::text[])");
    if known.bind(&ids).fetch_all(pool).await?.len() == ids.len() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO inbox_users (id, version, unread, policy, receipts)
         SELECT id, 0, 0, $2, $3 FROM UNNEST($1::text[]) AS asked (id)
         WHERE NOT EXISTS (SELECT 1 FROM inbox_users AS known WHERE known.id = asked.id)
         ORDER BY id COLLATE \"C\" ON CONFLICT (id) DO NOTHING",
    )
    .bind(&ids)
    .bind(default.policy.code())
    .bind(default.receipts.code())
    .execute(pool)
    .await?;
    Ok(())
}

/// Writes all rows of a batch.
pub(super) async fn changes(connection: &mut PgConnection, changes: &Changes) -> Result<(), InboxError> {
    users(connection, &changes.users).await?;
    conversations(connection, &changes.conversations).await?;
    members(connection, &changes.members).await?;
    items(connection, changes).await?;
    recalled(connection, changes).await?;
    hidden(connection, changes).await?;
    mentions(connection, &changes.mentions).await?;
    blocks(connection, &changes.blocks).await?;
    undelivered(connection, changes).await
}

/// Collects one column of the rows of a table.
fn column<R, T>(rows: &[R], of: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

async fn users(connection: &mut PgConnection, users: &[User]) -> Result<(), InboxError> {
    if users.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE inbox_users AS u SET version = new.version, unread = new.unread, policy = new.policy,
            receipts = new.receipts
         FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::smallint[])
            AS new (n, version, unread, policy, receipts)
         WHERE u.n = new.n",
    )
    .bind(column(users, |user| user.number.0))
    .bind(column(users, |user| int(user.version.0)))
    .bind(column(users, |user| int(user.unread)))
    .bind(column(users, |user| user.preferences.policy.code()))
    .bind(column(users, |user| user.preferences.receipts.code()))
    .execute(connection)
    .await?;
    Ok(())
}

async fn conversations(connection: &mut PgConnection, rows: &[Conversation]) -> Result<(), InboxError> {
    if rows.is_empty() {
        return Ok(());
    }
    let settings: Vec<_> = rows.iter().map(|row| settings_text(&row.settings)).collect::<Result<_, _>>()?;
    sqlx::query(
        "INSERT INTO inbox_conversations (n, id, owner, peer, head_position, head_count, sequence, at_ms,
            members, state, settings)
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::smallint[], $11::text[])
         ON CONFLICT (n) DO UPDATE SET owner = excluded.owner, head_position = excluded.head_position,
            head_count = excluded.head_count, sequence = excluded.sequence, at_ms = excluded.at_ms,
            members = excluded.members, state = excluded.state, settings = excluded.settings",
    )
    .bind(column(rows, |row| row.number.0))
    .bind(column(rows, |row| row.id.as_str().to_owned()))
    .bind(column(rows, |row| row.owner.0))
    .bind(column(rows, |row| row.peer.map(|peer| peer.0)))
    .bind(column(rows, |row| int(row.head.position.0)))
    .bind(column(rows, |row| int(row.head.count)))
    .bind(column(rows, |row| int(row.sequence.0)))
    .bind(column(rows, |row| int(row.at_ms)))
    .bind(column(rows, |row| i64::from(row.members)))
    .bind(column(rows, |row| row.state.code()))
    .bind(settings)
    .execute(connection)
    .await?;
    Ok(())
}

async fn members(connection: &mut PgConnection, rows: &[Member]) -> Result<(), InboxError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO inbox_members (user_n, conversation, peer, version, folder, notify, role, joined_position,
            left_position, read_position, read_count, own_count, own_read, cleared, pinned, marked, at_ms)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[],
            $6::smallint[], $7::smallint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
            $12::bigint[], $13::bigint[], $14::bigint[], $15::boolean[], $16::boolean[], $17::bigint[])
         ON CONFLICT (user_n, conversation) DO UPDATE SET version = excluded.version, folder = excluded.folder,
            notify = excluded.notify, role = excluded.role, joined_position = excluded.joined_position,
            left_position = excluded.left_position, read_position = excluded.read_position,
            read_count = excluded.read_count, own_count = excluded.own_count, own_read = excluded.own_read,
            cleared = excluded.cleared, pinned = excluded.pinned, marked = excluded.marked,
            at_ms = excluded.at_ms",
    )
    .bind(column(rows, |row| row.user.0))
    .bind(column(rows, |row| row.conversation.0))
    .bind(column(rows, |row| row.peer.map(|peer| peer.0)))
    .bind(column(rows, |row| int(row.version.0)))
    .bind(column(rows, |row| row.folder.code()))
    .bind(column(rows, |row| row.notify.code()))
    .bind(column(rows, |row| row.role.code()))
    .bind(column(rows, |row| int(row.joined.0)))
    .bind(column(rows, |row| row.left.map(|left| int(left.0))))
    .bind(column(rows, |row| int(row.counters.read.position.0)))
    .bind(column(rows, |row| int(row.counters.read.count)))
    .bind(column(rows, |row| int(row.counters.own_count)))
    .bind(column(rows, |row| int(row.counters.own_read)))
    .bind(column(rows, |row| int(row.cleared.0)))
    .bind(column(rows, |row| row.pinned))
    .bind(column(rows, |row| row.marked))
    .bind(column(rows, |row| int(row.at_ms)))
    .execute(connection)
    .await?;
    Ok(())
}

async fn items(connection: &mut PgConnection, changes: &Changes) -> Result<(), InboxError> {
    let rows: &[Item] = &changes.items;
    if rows.is_empty() {
        return Ok(());
    }
    let groups = changes.conversations.iter().filter(|known| known.id.kind() == Kind::Group);
    let groups: HashSet<_> = groups.map(|known| known.number).collect();
    sqlx::query(
        "INSERT INTO inbox_messages (conversation, position, count, own, sender, id, at_ms, sequence, kind,
            body, target, state, grouped)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
            $7::bigint[], $8::bigint[], $9::smallint[], $10::text[], $11::bigint[], $12::smallint[],
            $13::boolean[])",
    )
    .bind(column(rows, |row| row.conversation.0))
    .bind(column(rows, |row| int(row.position.0)))
    .bind(column(rows, |row| int(row.count)))
    .bind(column(rows, |row| int(row.own)))
    .bind(column(rows, |row| row.sender.0))
    .bind(column(rows, |row| row.id.as_ref().map(|id| MessageId::as_str(id).to_owned())))
    .bind(column(rows, |row| int(row.at_ms)))
    .bind(column(rows, |row| int(row.sequence.0)))
    .bind(column(rows, |row| row.kind.code()))
    // PostgreSQL cannot store NUL: one body must not stop a lane.
    .bind(column(rows, |row| row.body.replace('\0', "\u{fffd}")))
    .bind(column(rows, |row| row.target.map(|target| int(target.0))))
    .bind(column(rows, |row| row.state.code()))
    .bind(column(rows, |row| groups.contains(&row.conversation)))
    .execute(connection)
    .await?;
    Ok(())
}

async fn recalled(connection: &mut PgConnection, changes: &Changes) -> Result<(), InboxError> {
    let rows = &changes.recalled;
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE inbox_messages AS i SET state = $3, body = ''
         FROM UNNEST($1::bigint[], $2::bigint[]) AS recall (conversation, position)
         WHERE i.conversation = recall.conversation AND i.position = recall.position",
    )
    .bind(column(rows, |row| row.0.0))
    .bind(column(rows, |row| int(row.1.0)))
    .bind(ItemState::Recalled.code())
    .execute(connection)
    .await?;
    Ok(())
}

async fn hidden(connection: &mut PgConnection, changes: &Changes) -> Result<(), InboxError> {
    let rows = &changes.hidden;
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO inbox_hidden (user_n, conversation, position, version)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
         ON CONFLICT (user_n, conversation, position) DO UPDATE SET version = excluded.version",
    )
    .bind(column(rows, |row| row.user.0))
    .bind(column(rows, |row| row.conversation.0))
    .bind(column(rows, |row| int(row.position.0)))
    .bind(column(rows, |row| int(row.version.0)))
    .execute(connection)
    .await?;
    Ok(())
}

async fn mentions(connection: &mut PgConnection, rows: &[Mention]) -> Result<(), InboxError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO inbox_mentions (user_n, conversation, position)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) ON CONFLICT DO NOTHING",
    )
    .bind(column(rows, |row| row.user.0))
    .bind(column(rows, |row| row.conversation.0))
    .bind(column(rows, |row| int(row.position.0)))
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes each block by itself: a batch has few, and each pair once.
async fn blocks(connection: &mut PgConnection, rows: &[BlockChange]) -> Result<(), InboxError> {
    for block in rows {
        let query = match *block {
            BlockChange::Begun(user, other, at_ms) => sqlx::query(
                "INSERT INTO inbox_blocks (user_n, other, at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(user.0)
            .bind(other.0)
            .bind(int(at_ms)),
            BlockChange::Ended(user, other) => {
                sqlx::query("DELETE FROM inbox_blocks WHERE user_n = $1 AND other = $2")
                    .bind(user.0)
                    .bind(other.0)
            }
        };
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn undelivered(connection: &mut PgConnection, changes: &Changes) -> Result<(), InboxError> {
    let rows = &changes.undelivered;
    if rows.is_empty() {
        return Ok(());
    }
    // The same letter may be refused twice in a batch.
    sqlx::query(
        "INSERT INTO inbox_undelivered (user_n, version, conversation, id, refusal, at_ms)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[])
         ON CONFLICT DO NOTHING",
    )
    .bind(column(rows, |row| row.user.0))
    .bind(column(rows, |row| int(row.version.0)))
    .bind(column(rows, |row| row.conversation.as_str().to_owned()))
    .bind(column(rows, |row| row.id.as_str().to_owned()))
    .bind(column(rows, |row| row.refusal.label()))
    .bind(column(rows, |row| int(row.at_ms)))
    .execute(connection)
    .await?;
    Ok(())
}
