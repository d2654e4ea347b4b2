//! Votes in SQLite, in chunks of rows.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::error::StoreError;
use crate::records::poll::{Cast, Vote};
use crate::sql::ballots::{self, Found, Polls, VoteKey};

/// Rows of one statement: 3 values each, far below SQLite's maximum of 32,766.
const CHUNK_ROWS: usize = 1_000;

/// Counts the first vote of each voter. The transaction holds the write lock, so that no poll can be
/// closed meanwhile.
pub(super) async fn cast(connection: &mut SqliteConnection, votes: &[Vote]) -> Result<Vec<Cast>, StoreError> {
    let mut polls = Polls::new();
    for (room, id) in ballots::polls(votes) {
        let found = sqlx::query("SELECT number, closed_at_ms FROM polls WHERE room = $1 AND id = $2")
            .bind(room.as_str())
            .bind(id.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(found) = found {
            let is_closed = found.try_get::<Option<i64>, _>("closed_at_ms")?.is_some();
            let state = if is_closed { Found::Closed } else { Found::Open(found.try_get("number")?) };
            polls.insert((room, id), state);
        }
    }
    let firsts = ballots::firsts(votes, &polls);
    let new = insert(connection, &firsts).await?;
    let mut known = HashMap::new();
    for (poll, voter) in firsts.keys() {
        let key = (*poll, (*voter).to_owned());
        if !new.contains(&key) {
            let query = sqlx::query("SELECT choice FROM poll_votes WHERE poll = $1 AND voter = $2");
            let found = query.bind(*poll).bind(*voter).fetch_one(&mut *connection).await?;
            known.insert(key, found.try_get("choice")?);
        }
    }
    for ((poll, choice), more) in ballots::sums(&firsts, &new) {
        sqlx::query(
            "INSERT INTO poll_counts (poll, choice, votes) VALUES ($1, $2, $3)
             ON CONFLICT (poll, choice) DO UPDATE SET votes = votes + excluded.votes",
        )
        .bind(poll)
        .bind(choice)
        .bind(more)
        .execute(&mut *connection)
        .await?;
    }
    Ok(ballots::answers(votes, &polls, &firsts, new, &known))
}

/// Inserts votes, and returns those that were not there.
async fn insert(
    connection: &mut SqliteConnection,
    firsts: &BTreeMap<(i64, &str), u8>,
) -> Result<HashSet<VoteKey>, StoreError> {
    let all: Vec<_> = firsts.iter().collect();
    let mut new = HashSet::with_capacity(all.len());
    for chunk in all.chunks(CHUNK_ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO poll_votes (poll, voter, choice) ");
        query.push_values(chunk, |mut values, ((poll, voter), choice)| {
            values.push_bind(*poll).push_bind((*voter).to_owned()).push_bind(**choice);
        });
        query.push(" ON CONFLICT (poll, voter) DO NOTHING RETURNING poll, voter");
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            new.insert((row.try_get("poll")?, row.try_get("voter")?));
        }
    }
    Ok(new)
}
