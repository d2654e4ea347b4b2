//! A store in memory that fails as a run says. A call takes time before and after its transaction, so that its
//! caller can be killed in between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrage_protocol::post::History;
use barrage_protocol::{Digest, Message, RoomId, Sequence};
use barrage_store::{
    AccountStore, ArchiveEntry, Attempt, AuditFilter, AuditLine, AuditRecord, DeliveryCounts, DeliveryLine,
    DeliveryState, DeliveryStore, EndpointRecord, GiftRecord, HistoryRange, NewDelivery, PendingDelivery,
    PollStore, Replay, Room, Store, StoreError,
};
use parking_lot::Mutex;

use crate::mutation::Mutation;

/// How a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Works,
    /// Nothing is written, and the answer is a failure.
    Refused,
    /// All is written, and the answer is a failure.
    AnswerLost,
    /// Nothing is written, and there is no answer.
    Silent,
}

/// What is in the database.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) messages: Vec<Arc<Message>>,
    pub(crate) archived: Sequence,
    pub(crate) events: Vec<Row>,
    /// Receivers that get nothing until an operator enables them.
    pub(crate) disabled: BTreeSet<String>,
    pub(crate) read: Option<Sequence>,
    /// A message differs from one that was stored under the same position.
    pub(crate) clash: Option<Sequence>,
}

/// An event of a receiver, with what is known of its attempts.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) endpoint: String,
    pub(crate) new: NewDelivery,
    pub(crate) state: DeliveryState,
    pub(crate) attempts: u32,
    pub(crate) next_at_ms: u64,
}

/// The store, over the lives of its callers.
#[derive(Debug, Default)]
pub(crate) struct SimulatedStore {
    pub(crate) tables: Mutex<Tables>,
    /// Fates of the next calls that write; after them all work.
    pub(crate) fates: Mutex<VecDeque<(Fate, u64)>>,
    mutation: Option<Mutation>,
}

fn failure() -> StoreError {
    StoreError::Query(std::io::Error::other("simulated").into())
}

fn pause(ms: u64) -> tokio::time::Sleep {
    tokio::time::sleep(Duration::from_millis(ms))
}

impl SimulatedStore {
    pub(crate) fn new(mutation: Option<Mutation>) -> Arc<Self> {
        Arc::new(SimulatedStore { mutation, ..SimulatedStore::default() })
    }

    /// Makes a transaction: `mark` alone first when a defect says so, and all of it by `write`.
    async fn transact(
        &self,
        mark: impl FnOnce(&mut Tables),
        write: impl FnOnce(&mut Tables),
    ) -> Result<(), StoreError> {
        let (fate, ms) = self.fates.lock().pop_front().unwrap_or((Fate::Works, 1));
        pause(ms).await;
        match fate {
            Fate::Refused => return Err(failure()),
            Fate::Silent => std::future::pending().await,
            Fate::Works | Fate::AnswerLost => {}
        }
        if matches!(self.mutation, Some(Mutation::MarkBeforeMessages | Mutation::MarkBeforeEvents)) {
            mark(&mut self.tables.lock());
            pause(ms).await;
        }
        write(&mut self.tables.lock());
        pause(ms).await;
        if fate == Fate::AnswerLost { Err(failure()) } else { Ok(()) }
    }
}

impl Tables {
    /// Adds an event that waits for its first attempt.
    pub(crate) fn add(&mut self, endpoint: &str, new: NewDelivery) {
        let (endpoint, next_at_ms) = (endpoint.to_owned(), new.at_ms);
        self.events.push(Row { endpoint, new, state: DeliveryState::Pending, attempts: 0, next_at_ms });
    }

    fn archive(&mut self, entries: &[ArchiveEntry], keeps_known: bool) {
        let mut known: BTreeMap<_, _> =
            self.messages.iter().map(|it| ((it.room.clone(), it.sequence), Arc::clone(it))).collect();
        for ArchiveEntry { at, message, .. } in entries {
            let key = (message.room.clone(), message.sequence);
            match known.get(&key) {
                Some(before) if before.body != message.body => self.clash = Some(message.sequence),
                Some(_) if keeps_known => {}
                Some(_) | None => {
                    known.insert(key, Arc::clone(message));
                    self.messages.push(Arc::clone(message));
                }
            }
            self.archived = self.archived.max(*at);
        }
    }
}

#[async_trait]
impl Store for SimulatedStore {
    async fn append(&self, _: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        let last = entries.last().map(|entry| entry.at).unwrap_or_default();
        let keeps_known = self.mutation != Some(Mutation::ArchiveTwice);
        let mark = |tables: &mut Tables| tables.archived = tables.archived.max(last);
        self.transact(mark, |tables| tables.archive(entries, keeps_known)).await?;
        Ok(entries.len() as u64)
    }

    async fn archived_up_to(&self, _: u16) -> Result<Sequence, StoreError> {
        Ok(self.tables.lock().archived)
    }

    async fn put_room(&self, _: &Room) -> Result<(), StoreError> {
        Ok(())
    }

    async fn room(&self, _: &RoomId) -> Result<Option<Room>, StoreError> {
        Ok(None)
    }

    async fn gifts(&self, _: &RoomId, _: Sequence, _: usize) -> Result<Vec<GiftRecord>, StoreError> {
        unreachable!("no simulated part reads gifts")
    }

    async fn history(&self, _: &RoomId, _: HistoryRange, _: usize) -> Result<History, StoreError> {
        unreachable!("no simulated part reads histories")
    }

    async fn history_by_offset(&self, _: &RoomId, _: u64, _: u64, _: usize) -> Result<History, StoreError> {
        unreachable!("no simulated part reads histories")
    }

    async fn shows_medium(&self, _: Digest) -> Result<bool, StoreError> {
        unreachable!("no simulated part collects media")
    }

    async fn delete_messages(&self, _: u64, _: usize) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn append_audit(&self, _: &[AuditRecord]) -> Result<(), StoreError> {
        unreachable!("no simulated part writes the audit log")
    }

    async fn audit(
        &self,
        _: AuditFilter<'_>,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        unreachable!("no simulated part reads the audit log")
    }

    async fn delete_audit(&self, _: u64, _: usize) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn deliveries(&self) -> &dyn DeliveryStore {
        self
    }

    fn poll_store(&self) -> &dyn PollStore {
        unreachable!("no simulated part has polls")
    }

    fn account_store(&self) -> &dyn AccountStore {
        unreachable!("no simulated part has accounts")
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
}

#[async_trait]
impl DeliveryStore for SimulatedStore {
    async fn mark(&self, _: &str, _: u16) -> Result<Option<Sequence>, StoreError> {
        Ok(self.tables.lock().read)
    }

    async fn enqueue(
        &self,
        endpoint: &str,
        _: u16,
        mark: Sequence,
        events: &[NewDelivery],
    ) -> Result<(), StoreError> {
        let keeps_known = self.mutation != Some(Mutation::EventsTwice);
        let set = |tables: &mut Tables| tables.read = tables.read.max(Some(mark));
        let write = |tables: &mut Tables| {
            for event in events {
                if !keeps_known || tables.events.iter().all(|known| known.new.event != event.event) {
                    tables.add(endpoint, event.clone());
                }
            }
            set(tables);
        };
        self.transact(set, write).await
    }

    async fn put_endpoint(&self, _: &EndpointRecord) -> Result<(), StoreError> {
        Ok(())
    }

    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn endpoint(&self, name: &str) -> Result<Option<EndpointRecord>, StoreError> {
        let record = |_: &String| EndpointRecord {
            name: name.to_owned(),
            url: String::new(),
            events: "*".into(),
            disabled_reason: Some("the receiver answered 410 Gone".into()),
            disabled_at_ms: Some(0),
            seen_at_ms: 0,
        };
        Ok(self.tables.lock().disabled.get(name).map(record))
    }

    async fn disable_endpoint(&self, name: &str, reason: Option<(&str, u64)>) -> Result<bool, StoreError> {
        let write = |tables: &mut Tables| {
            if reason.is_some() {
                tables.disabled.insert(name.to_owned());
            } else {
                tables.disabled.remove(name);
            }
        };
        self.transact(|_| {}, write).await?;
        Ok(true)
    }

    async fn pending(&self, endpoint: &str, limit: usize) -> Result<Vec<PendingDelivery>, StoreError> {
        let tables = self.tables.lock();
        let rows = tables.events.iter().enumerate();
        let waiting = rows.filter(|(_, row)| row.endpoint == endpoint && row.state == DeliveryState::Pending);
        let mut pending: Vec<_> = waiting
            .map(|(at, row)| PendingDelivery {
                id: at as u64,
                event: row.new.event.clone(),
                kind: row.new.kind.clone(),
                at_ms: row.new.at_ms,
                body: row.new.body.clone(),
                attempts: row.attempts,
                next_at_ms: row.next_at_ms,
            })
            .collect();
        pending.sort_by_key(|delivery| (delivery.next_at_ms, delivery.id));
        pending.truncate(limit);
        Ok(pending)
    }

    async fn record_attempt(&self, id: u64, attempt: &Attempt) -> Result<(), StoreError> {
        let is_wait_kept = self.mutation != Some(Mutation::WaitForgotten);
        let write = |tables: &mut Tables| {
            if let Some(row) = usize::try_from(id).ok().and_then(|at| tables.events.get_mut(at)) {
                let next_at_ms = if is_wait_kept { attempt.next_at_ms } else { attempt.at_ms };
                (row.state, row.attempts, row.next_at_ms) = (attempt.state, attempt.attempts, next_at_ms);
            }
        };
        self.transact(|_| {}, write).await
    }

    async fn delivery_log(
        &self,
        _: &str,
        _: Option<DeliveryState>,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<DeliveryLine>, StoreError> {
        unreachable!("no simulated part reads the delivery log")
    }

    async fn delivery_counts(&self, _: &str) -> Result<DeliveryCounts, StoreError> {
        Ok(DeliveryCounts::default())
    }

    async fn replay(&self, _: &str, _: Replay<'_>, _: u64) -> Result<u64, StoreError> {
        unreachable!("no simulated part replays events")
    }

    async fn sweep_deliveries(&self, _: &str, _: u64, _: usize, _: usize) -> Result<u64, StoreError> {
        Ok(0)
    }
}
