//! The calls of webhooks on top of an engine's primitives: written once for both engines.

use async_trait::async_trait;
use barrage_protocol::Sequence;

use super::engine::{Engine, Statement, Value};
use super::page::{int, rows};
use super::row::{self, Columns};
use crate::deliveries::DeliveryStore;
use crate::error::StoreError;
use crate::records::delivery::{
    Attempt, DeliveryCounts, DeliveryLine, DeliveryState, EndpointRecord, NewDelivery, PendingDelivery,
    Replay,
};

const PUT_ENDPOINT: &str = "
    INSERT INTO webhook_endpoints (name, url, events, seen_at_ms) VALUES ($1, $2, $3, $4)
    ON CONFLICT (name) DO UPDATE SET
        url = excluded.url, events = excluded.events, seen_at_ms = excluded.seen_at_ms";
const ENDPOINTS: &str = "SELECT * FROM webhook_endpoints ORDER BY name LIMIT 1000";
const ENDPOINT: &str = "SELECT * FROM webhook_endpoints WHERE name = $1";
const DISABLE: &str =
    "UPDATE webhook_endpoints SET disabled_reason = $2, disabled_at_ms = $3 WHERE name = $1";
const ENABLE: &str =
    "UPDATE webhook_endpoints SET disabled_reason = NULL, disabled_at_ms = NULL WHERE name = $1";
const MARK: &str = "SELECT sequence FROM webhook_marks WHERE endpoint = $1 AND partition = $2";
/// A position never moves back: a second process that read less changes nothing.
const PUT_MARK: &str = "
    INSERT INTO webhook_marks (endpoint, partition, sequence) VALUES ($1, $2, $3)
    ON CONFLICT (endpoint, partition) DO UPDATE SET sequence = excluded.sequence
        WHERE webhook_marks.sequence < excluded.sequence";
const INSERT: &str = "
    INSERT INTO webhook_deliveries (endpoint, event, kind, at_ms, body, state, attempts, next_at_ms)
    VALUES ($1, $2, $3, $4, $5, 'pending', 0, 0) ON CONFLICT (endpoint, event) DO NOTHING";
const PENDING: &str = "
    SELECT id, event, kind, at_ms, body, attempts, next_at_ms FROM webhook_deliveries
    WHERE endpoint = $1 AND state = 'pending' ORDER BY next_at_ms, id LIMIT $2";
const RECORD: &str = "
    UPDATE webhook_deliveries SET state = $2, attempts = $3, next_at_ms = $4, attempted_at_ms = $5,
        status = $6, error = $7
    WHERE id = $1";
const RECORD_UNANSWERED: &str = "
    UPDATE webhook_deliveries SET state = $2, attempts = $3, next_at_ms = $4, attempted_at_ms = $5,
        status = NULL, error = $6
    WHERE id = $1";
const LOG: &str = "
    SELECT id, event, kind, at_ms, state, attempts, next_at_ms, attempted_at_ms, status, error
    FROM webhook_deliveries WHERE endpoint = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
const LOG_OF_STATE: &str = "
    SELECT id, event, kind, at_ms, state, attempts, next_at_ms, attempted_at_ms, status, error
    FROM webhook_deliveries WHERE endpoint = $1 AND id < $2 AND state = $4 ORDER BY id DESC LIMIT $3";
const COUNTS: &str = "
    SELECT state, COUNT(*) AS lines, MIN(at_ms) AS oldest FROM webhook_deliveries
    WHERE endpoint = $1 GROUP BY state";
const REPLAY_EVENT: &str = "
    UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_at_ms = $3
    WHERE endpoint = $1 AND event = $2";
const REPLAY_SINCE: &str = "
    UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_at_ms = $4
    WHERE endpoint = $1 AND state = $2 AND at_ms >= $3";
const SWEEP: &str = "
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries
        WHERE endpoint = $1 AND state <> 'pending' AND (at_ms < $2 OR id <= COALESCE((
            SELECT id FROM webhook_deliveries WHERE endpoint = $1 AND state <> 'pending'
            ORDER BY id DESC LIMIT 1 OFFSET $3), 0))
        ORDER BY id LIMIT $4)";

#[async_trait]
impl<E: Engine> DeliveryStore for E {
    async fn put_endpoint(&self, endpoint: &EndpointRecord) -> Result<(), StoreError> {
        let EndpointRecord { name, url, events, seen_at_ms, .. } = endpoint;
        let values = [Value::text(name), Value::text(url), Value::text(events), Value::Int(int(*seen_at_ms))];
        self.write(&[Statement::new(PUT_ENDPOINT, values)]).await.map(drop)
    }

    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError> {
        self.read(Statement::new(ENDPOINTS, [])).await?.iter().map(endpoint).collect()
    }

    async fn endpoint(&self, name: &str) -> Result<Option<EndpointRecord>, StoreError> {
        let found = self.read(Statement::new(ENDPOINT, [Value::text(name)])).await?;
        found.first().map(endpoint).transpose()
    }

    async fn disable_endpoint(&self, name: &str, reason: Option<(&str, u64)>) -> Result<bool, StoreError> {
        let statement = match reason {
            Some((reason, at_ms)) => {
                Statement::new(DISABLE, [Value::text(name), Value::text(reason), Value::Int(int(at_ms))])
            }
            None => Statement::new(ENABLE, [Value::text(name)]),
        };
        Ok(self.write(&[statement]).await? > 0)
    }

    async fn mark(&self, endpoint: &str, partition: u16) -> Result<Option<Sequence>, StoreError> {
        let values = [Value::text(endpoint), Value::Int(partition.into())];
        let found = self.read(Statement::new(MARK, values)).await?;
        found.first().map(|found| Ok(Sequence(row::uint(found, "sequence")?))).transpose()
    }

    async fn enqueue(
        &self,
        endpoint: &str,
        partition: u16,
        mark: Sequence,
        events: &[NewDelivery],
    ) -> Result<(), StoreError> {
        let insert = |new: &NewDelivery| {
            let (event, kind) = (Value::Text(new.event.clone().into()), Value::Text(new.kind.clone().into()));
            let body = Value::Text(E::storable(&new.body).into_owned().into());
            Statement::new(INSERT, [Value::text(endpoint), event, kind, Value::Int(int(new.at_ms)), body])
        };
        let mut statements: Vec<_> = events.iter().map(insert).collect();
        let values = [Value::text(endpoint), Value::Int(partition.into()), Value::Int(int(mark.0))];
        statements.push(Statement::new(PUT_MARK, values));
        self.write(&statements).await.map(drop)
    }

    async fn pending(&self, endpoint: &str, limit: usize) -> Result<Vec<PendingDelivery>, StoreError> {
        let values = [Value::text(endpoint), Value::Int(rows(limit))];
        self.read(Statement::new(PENDING, values)).await?.iter().map(pending).collect()
    }

    async fn record_attempt(&self, id: u64, attempt: &Attempt) -> Result<(), StoreError> {
        let Attempt { state, attempts, next_at_ms, at_ms, status, error } = attempt;
        let error = error.as_deref().map(E::storable);
        let mut values = vec![
            Value::Int(int(id)),
            Value::text(state.label()),
            Value::Int(i64::from(*attempts)),
            Value::Int(int(*next_at_ms)),
            Value::Int(int(*at_ms)),
        ];
        values.extend(status.map(|status| Value::Int(i64::from(status))));
        values.push(Value::OptionalText(error.as_deref()));
        let sql = if status.is_some() { RECORD } else { RECORD_UNANSWERED };
        self.write(&[Statement::new(sql, values)]).await.map(drop)
    }

    async fn delivery_log(
        &self,
        endpoint: &str,
        state: Option<DeliveryState>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeliveryLine>, StoreError> {
        let before = Value::Int(before.map_or(i64::MAX, int));
        let mut values = vec![Value::text(endpoint), before, Value::Int(rows(limit))];
        values.extend(state.map(|state| Value::text(state.label())));
        let sql = if state.is_some() { LOG_OF_STATE } else { LOG };
        self.read(Statement::new(sql, values)).await?.iter().map(line).collect()
    }

    async fn delivery_counts(&self, endpoint: &str) -> Result<DeliveryCounts, StoreError> {
        let mut counts = DeliveryCounts::default();
        for found in self.read(Statement::new(COUNTS, [Value::text(endpoint)])).await? {
            let lines = row::uint(&found, "lines")?;
            match state(&found)? {
                DeliveryState::Pending => {
                    counts.pending = lines;
                    counts.oldest_pending_at_ms = Some(row::uint(&found, "oldest")?);
                }
                DeliveryState::Delivered => counts.delivered = lines,
                DeliveryState::Failed => counts.failed = lines,
            }
        }
        Ok(counts)
    }

    async fn replay(&self, endpoint: &str, replay: Replay<'_>, now_ms: u64) -> Result<u64, StoreError> {
        let now = Value::Int(int(now_ms));
        let statement = match replay {
            Replay::Event(event) => {
                Statement::new(REPLAY_EVENT, [Value::text(endpoint), Value::text(event), now])
            }
            Replay::Since { state, from_ms } => {
                let from = Value::Int(int(from_ms));
                Statement::new(REPLAY_SINCE, [Value::text(endpoint), Value::text(state.label()), from, now])
            }
        };
        self.write(&[statement]).await
    }

    async fn sweep_deliveries(
        &self,
        endpoint: &str,
        before_ms: u64,
        lines_max: usize,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let lines = Value::Int(i64::try_from(lines_max).unwrap_or(i64::MAX));
        let values = [Value::text(endpoint), Value::Int(int(before_ms)), lines, Value::Int(rows(limit))];
        self.write(&[Statement::new(SWEEP, values)]).await
    }
}

fn state(row: &impl Columns) -> Result<DeliveryState, StoreError> {
    DeliveryState::of_label(row::text(row, "state")?).ok_or(StoreError::Corrupt("state"))
}

fn attempts(row: &impl Columns) -> Result<u32, StoreError> {
    u32::try_from(row::uint(row, "attempts")?).map_err(|_| StoreError::Corrupt("attempts"))
}

fn endpoint(row: &impl Columns) -> Result<EndpointRecord, StoreError> {
    Ok(EndpointRecord {
        name: row::text(row, "name")?.to_owned(),
        url: row::text(row, "url")?.to_owned(),
        events: row::text(row, "events")?.to_owned(),
        disabled_reason: row.text("disabled_reason")?.map(str::to_owned),
        disabled_at_ms: row::optional(row.int("disabled_at_ms")?, "disabled_at_ms")?,
        seen_at_ms: row::uint(row, "seen_at_ms")?,
    })
}

fn pending(row: &impl Columns) -> Result<PendingDelivery, StoreError> {
    Ok(PendingDelivery {
        id: row::uint(row, "id")?,
        event: row::text(row, "event")?.to_owned(),
        kind: row::text(row, "kind")?.to_owned(),
        at_ms: row::uint(row, "at_ms")?,
        body: row::text(row, "body")?.to_owned(),
        attempts: attempts(row)?,
        next_at_ms: row::uint(row, "next_at_ms")?,
    })
}

fn line(row: &impl Columns) -> Result<DeliveryLine, StoreError> {
    let state = state(row)?;
    let next_at_ms = row::uint(row, "next_at_ms")?;
    Ok(DeliveryLine {
        id: row::uint(row, "id")?,
        event: row::text(row, "event")?.to_owned(),
        kind: row::text(row, "kind")?.to_owned(),
        at_ms: row::uint(row, "at_ms")?,
        state,
        attempts: attempts(row)?,
        next_at_ms: (state == DeliveryState::Pending).then_some(next_at_ms),
        attempted_at_ms: row::optional(row.int("attempted_at_ms")?, "attempted_at_ms")?,
        status: row::optional(row.int("status")?, "status")?,
        error: row.text("error")?.map(str::to_owned),
    })
}
