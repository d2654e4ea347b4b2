//! Votes in PostgreSQL, a whole batch in each statement.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{PgConnection, PgPool, Row};

use crate::error::StoreError;
use crate::records::poll::{Cast, Vote};
use crate::sql::ballots::{self, Found, Polls, VoteKey};

/// Counts the first vote of each voter, in a fixed number of statements. All statements lock in the
/// order of the keys, so that batches of several processes cannot deadlock.
pub(super) async fn cast(pool: &PgPool, votes: &[Vote]) -> Result<Vec<Cast>, StoreError> {
    let mut transaction = pool.begin().await?;
    let polls = lock(&mut transaction, votes).await?;
    let firsts = ballots::firsts(votes, &polls);
    let new = insert(&mut transaction, &firsts).await?;
    let known = known(&mut transaction, &firsts, &new).await?;
    add(&mut transaction, &ballots::sums(&firsts, &new)).await?;
    transaction.commit().await?;
    Ok(ballots::answers(votes, &polls, &firsts, new, &known))
}

/// Reads the polls of a batch, and keeps the open ones open until the end of the transaction: a close
/// waits for it. Batches of one poll do not wait for each other here.
async fn lock<'a>(connection: &mut PgConnection, votes: &'a [Vote]) -> Result<Polls<'a>, StoreError> {
    let all = ballots::polls(votes);
    let rows = sqlx::query(
        "SELECT room, id, number, closed_at_ms FROM polls
         WHERE (room, id) IN (SELECT * FROM UNNEST($1::text[], $2::text[]))
         ORDER BY room, id FOR SHARE",
    )
    .bind(all.iter().map(|(room, _)| room.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut found = HashMap::new();
    for row in rows {
        let (room, id): (String, String) = (row.try_get("room")?, row.try_get("id")?);
        let is_closed = row.try_get::<Option<i64>, _>("closed_at_ms")?.is_some();
        let state = if is_closed { Found::Closed } else { Found::Open(row.try_get("number")?) };
        found.insert((room, id), state);
    }
    let state = |(room, id): (&'a _, &'a _)| Some(((room, id), *found.get(&key(room, id))?));
    Ok(all.into_iter().filter_map(state).collect())
}

fn key(room: &barrage_protocol::RoomId, id: &barrage_protocol::MessageId) -> (String, String) {
    (room.as_str().to_owned(), id.as_str().to_owned())
}

/// Inserts votes, and returns those that were not there. Waits for another process that inserts the
/// same vote.
async fn insert(
    connection: &mut PgConnection,
    firsts: &BTreeMap<(i64, &str), u8>,
) -> Result<HashSet<VoteKey>, StoreError> {
    let rows = sqlx::query(
        "INSERT INTO poll_votes (poll, voter, choice)
         SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[])
         ON CONFLICT (poll, voter) DO NOTHING RETURNING poll, voter",
    )
    .bind(firsts.keys().map(|(poll, _)| *poll).collect::<Vec<_>>())
    .bind(firsts.keys().map(|(_, voter)| *voter).collect::<Vec<_>>())
    .bind(firsts.values().map(|choice| i64::from(*choice)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("poll")?, row.try_get("voter")?))).collect()
}

/// Returns the choices of voters who had voted before.
async fn known(
    connection: &mut PgConnection,
    firsts: &BTreeMap<(i64, &str), u8>,
    new: &HashSet<VoteKey>,
) -> Result<HashMap<VoteKey, u8>, StoreError> {
    let old: Vec<_> =
        firsts.keys().filter(|(poll, voter)| !new.contains(&(*poll, (*voter).to_owned()))).collect();
    if old.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(
        "SELECT poll, voter, choice FROM poll_votes
         WHERE (poll, voter) IN (SELECT * FROM UNNEST($1::bigint[], $2::text[]))",
    )
    .bind(old.iter().map(|(poll, _)| *poll).collect::<Vec<_>>())
    .bind(old.iter().map(|(_, voter)| *voter).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in rows {
        let choice: i64 = row.try_get("choice")?;
        let choice = u8::try_from(choice).map_err(|_| StoreError::Corrupt("choice"))?;
        known.insert((row.try_get("poll")?, row.try_get("voter")?), choice);
    }
    Ok(known)
}

/// Adds to the sums. This comes last, because batches of one poll wait for each other from here on.
async fn add(connection: &mut PgConnection, sums: &BTreeMap<(i64, u8), i64>) -> Result<(), StoreError> {
    if sums.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO poll_counts AS known (poll, choice, votes)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[])
         ON CONFLICT (poll, choice) DO UPDATE SET votes = known.votes + excluded.votes",
    )
    .bind(sums.keys().map(|(poll, _)| *poll).collect::<Vec<_>>())
    .bind(sums.keys().map(|(_, choice)| i64::from(*choice)).collect::<Vec<_>>())
    .bind(sums.values().copied().collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
