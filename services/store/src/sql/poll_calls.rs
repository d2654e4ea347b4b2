//! The calls of polls on top of an engine's primitives: written once for both engines.

use async_trait::async_trait;
use barrage_protocol::poll::Poll;
use barrage_protocol::{MessageId, RoomId};

use super::engine::{Engine, Statement, Value};
use super::page::{int, rows};
use super::row::{self, Columns};
use crate::error::StoreError;
use crate::poll_store::{POLLS_PER_ROOM_MAX, PollStore};
use crate::records::poll::{Cast, PollRecord, Vote};

const OPEN: &str =
    "INSERT INTO polls (room, id, document) VALUES ($1, $2, $3) ON CONFLICT (room, id) DO NOTHING";
const FORGET_COUNTS: &str = "
    DELETE FROM poll_counts WHERE poll IN (SELECT number FROM polls WHERE room = $1 AND swept AND number <
        (SELECT MIN(number) FROM (SELECT number FROM polls WHERE room = $1 ORDER BY number DESC LIMIT $2) AS newest))";
const FORGET: &str = "
    DELETE FROM polls WHERE room = $1 AND swept AND number <
        (SELECT MIN(number) FROM (SELECT number FROM polls WHERE room = $1 ORDER BY number DESC LIMIT $2) AS newest)";
/// A close that another process made stays.
const CLOSE: &str = "UPDATE polls SET closed_at_ms = $3 WHERE room = $1 AND id = $2 AND closed_at_ms IS NULL";
const POLL: &str = "
    SELECT p.number, p.document, p.closed_at_ms, c.choice, c.votes
    FROM polls AS p LEFT JOIN poll_counts AS c ON c.poll = p.number
    WHERE p.room = $1 AND p.id = $2";
const POLLS: &str = "
    SELECT p.number, p.document, p.closed_at_ms, c.choice, c.votes
    FROM (SELECT * FROM polls WHERE room = $1 ORDER BY number DESC LIMIT $2) AS p
    LEFT JOIN poll_counts AS c ON c.poll = p.number
    ORDER BY p.number DESC";
const SINGLE_VOTES: &str = "
    SELECT COUNT(*) AS votes FROM poll_votes
    WHERE poll = (SELECT number FROM polls WHERE room = $1 AND id = $2)";
const TO_SWEEP: &str =
    "SELECT number FROM polls WHERE NOT swept AND closed_at_ms < $1 ORDER BY closed_at_ms LIMIT 1";
const SWEEP: &str = "
    DELETE FROM poll_votes WHERE poll = $1 AND voter IN
        (SELECT voter FROM poll_votes WHERE poll = $1 LIMIT $2)";
const SWEPT: &str = "UPDATE polls SET swept = TRUE WHERE number = $1";

#[async_trait]
impl<E: Engine> PollStore for E {
    async fn open_poll(&self, room: &RoomId, poll: &Poll) -> Result<PollRecord, StoreError> {
        let document = serde_json::to_string(poll).expect("a poll is plain data");
        let (id, kept) = (Value::text(poll.id.as_str()), Value::Int(int(POLLS_PER_ROOM_MAX as u64)));
        let of_room = Value::text(room.as_str());
        self.write(&[
            Statement::new(OPEN, [of_room.clone(), id, Value::Text(E::storable(&document))]),
            Statement::new(FORGET_COUNTS, [of_room.clone(), kept.clone()]),
            Statement::new(FORGET, [of_room, kept]),
        ])
        .await?;
        self.poll(room, &poll.id).await?.ok_or(StoreError::Corrupt("poll"))
    }

    async fn cast_votes(&self, votes: &[Vote]) -> Result<Vec<Cast>, StoreError> {
        if votes.is_empty() { Ok(Vec::new()) } else { self.cast_batch(votes).await }
    }

    async fn close_poll(
        &self,
        room: &RoomId,
        id: &MessageId,
        now_ms: u64,
    ) -> Result<Option<PollRecord>, StoreError> {
        let values = [Value::text(room.as_str()), Value::text(id.as_str()), Value::Int(int(now_ms))];
        self.write(&[Statement::new(CLOSE, values)]).await?;
        self.poll(room, id).await
    }

    async fn poll(&self, room: &RoomId, id: &MessageId) -> Result<Option<PollRecord>, StoreError> {
        let values = [Value::text(room.as_str()), Value::text(id.as_str())];
        Ok(records(&self.read(Statement::new(POLL, values)).await?)?.pop())
    }

    async fn polls(&self, room: &RoomId, limit: usize) -> Result<Vec<PollRecord>, StoreError> {
        let values = [Value::text(room.as_str()), Value::Int(rows(limit))];
        records(&self.read(Statement::new(POLLS, values)).await?)
    }

    async fn single_votes(&self, room: &RoomId, id: &MessageId) -> Result<u64, StoreError> {
        let values = [Value::text(room.as_str()), Value::text(id.as_str())];
        let found = self.read(Statement::new(SINGLE_VOTES, values)).await?;
        found.first().map_or(Ok(0), |found| row::uint(found, "votes"))
    }

    async fn sweep_votes(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        let found = self.read(Statement::new(TO_SWEEP, [Value::Int(int(before_ms))])).await?;
        let Some(found) = found.first() else { return Ok(0) };
        let number = Value::Int(int(row::uint(found, "number")?));
        let limit = limit.max(1) as u64;
        let deleted = self.write(&[Statement::new(SWEEP, [number.clone(), Value::Int(int(limit))])]).await?;
        if deleted < limit {
            self.write(&[Statement::new(SWEPT, [number])]).await?;
        }
        Ok(deleted)
    }
}

/// Makes records of rows: one for each poll and option with votes, the polls in order.
fn records(rows: &[impl Columns]) -> Result<Vec<PollRecord>, StoreError> {
    let mut records: Vec<PollRecord> = Vec::new();
    let mut last = None;
    for found in rows {
        let number = row::uint(found, "number")?;
        if last != Some(number) {
            let document = row::text(found, "document")?;
            let poll: Poll = serde_json::from_str(document).map_err(|_| StoreError::Corrupt("poll"))?;
            let votes = vec![0; poll.options.len()];
            let closed_at_ms = found.int("closed_at_ms")?.and_then(|at_ms| u64::try_from(at_ms).ok());
            records.push(PollRecord { poll, votes, closed_at_ms });
            last = Some(number);
        }
        let Some(choice) = found.int("choice")? else { continue };
        let votes = records.last_mut().map(|record| &mut record.votes);
        let index = usize::try_from(choice - 1).map_err(|_| StoreError::Corrupt("choice"))?;
        if let Some(count) = votes.and_then(|votes| votes.get_mut(index)) {
            *count = row::uint(found, "votes")?;
        }
    }
    Ok(records)
}
