//! A bus and a store in a folder, and a store that fails on request.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use barrage_archiver::{ArchiverConfig, ArchiverMetrics};
use barrage_bus::{Bus, BusConfig, BusMetrics, Draft, EmbeddedBus, NatsBus, NatsConfig};
use barrage_protocol::post::History;
use barrage_protocol::{Class, Digest, RoomId, Sequence, UserId};
use barrage_store::{
    AccountStore, ArchiveEntry, AuditFilter, AuditLine, AuditRecord, DeliveryStore, GiftRecord, HistoryRange,
    PollStore, Room, SqliteConfig, SqliteStore, Store, StoreError,
};
use barrage_testkit::{NatsServer, wait};
use prometheus::Registry;
use tokio::sync::watch;

pub(crate) fn room(id: &str) -> RoomId {
    RoomId::parse(id).unwrap()
}

pub(crate) fn open_bus(folder: &Path) -> Arc<dyn Bus> {
    let metrics = BusMetrics::new(&Registry::new()).unwrap();
    EmbeddedBus::open(&EmbeddedBus::file(folder), BusConfig::default(), metrics).unwrap()
}

/// Connects a bus to a NATS server.
pub(crate) async fn connect_bus(server: &NatsServer, partitions: u16) -> Arc<dyn Bus> {
    connect_patient(server, partitions, 30_000).await
}

/// Connects a bus whose publishes wait for at most so long.
pub(crate) async fn connect_patient(
    server: &NatsServer,
    partitions: u16,
    publish_deadline_ms: u64,
) -> Arc<dyn Bus> {
    let config = NatsConfig {
        urls: vec![server.url().into()],
        partitions,
        stream_bytes_max: 64 << 20,
        publish_deadline_ms,
        reconnect_pause_ms_max: 100,
        ..NatsConfig::default()
    };
    let metrics = BusMetrics::new(&Registry::new()).unwrap();
    NatsBus::connect(config, BusConfig::default(), metrics).await.unwrap()
}

/// Awaits an event with a deadline that a busy machine meets.
pub(crate) async fn within<T>(expected: &str, work: impl Future<Output = T>) -> T {
    wait::within(Duration::from_secs(60), expected, work).await
}

pub(crate) async fn open_store(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("store.db"), &SqliteConfig::default()).await.unwrap()
}

pub(crate) fn metrics() -> ArchiverMetrics {
    ArchiverMetrics::new(&Registry::new()).unwrap()
}

/// Returns a configuration with small batches, short waits and no deletion.
pub(crate) fn config() -> ArchiverConfig {
    ArchiverConfig {
        batch_messages_max: 7,
        backoff_initial_ms: 1,
        backoff_max_ms: 2,
        retention_hours: 0,
        ..ArchiverConfig::default()
    }
}

pub(crate) fn draft(id: &str, class: Class, body: &str) -> Draft {
    Draft {
        room: room(id),
        class,
        sender: Some(UserId::parse("ann").unwrap()),
        id: None,
        fingerprint: 0,
        to: None,
        trace: None,
        body: bytes::Bytes::copy_from_slice(body.as_bytes()),
    }
}

pub(crate) fn chat(id: &str) -> Draft {
    draft(id, Class::Chat, r#"{"type":"chat","text":"弹幕"}"#)
}

pub(crate) fn gift(id: &str) -> Draft {
    let body = r#"{"type":"gift","user":"ann","gift":{"name":"Rocket","count":2,"price_minor":50}}"#;
    draft(id, Class::Gift, body)
}

/// Publishes drafts and returns their positions.
pub(crate) async fn publish(bus: &Arc<dyn Bus>, drafts: Vec<Draft>) -> Vec<u64> {
    let receipts = bus.publish(drafts).await.unwrap();
    receipts.iter().map(|receipt| receipt.sequence.0).collect()
}

/// Returns the positions of a room's whole history.
pub(crate) async fn history(store: &dyn Store, id: &str) -> Vec<u64> {
    let range = HistoryRange::After(Sequence::ZERO);
    let page = store.history(&room(id), range, 1_000).await.unwrap();
    assert!(!page.more);
    page.messages.iter().map(|message| message.sequence.0).collect()
}

/// How the first appends of a store fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is written, and the answer is a failure.
    Refused,
    /// The batch is written, and the answer is a failure.
    AnswerLost,
    /// Nothing is written, and there is no answer.
    Silent,
    /// The position is reset, and the messages are still there.
    PositionLost,
}

/// A store that fails its first appends and publishes its progress. It has only the methods that the
/// archiver uses.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: SqliteStore,
    fault: Fault,
    faults_left: AtomicU32,
    pub(crate) appended: watch::Sender<Sequence>,
    pub(crate) deleted: watch::Sender<u64>,
}

impl FaultyStore {
    pub(crate) fn new(inner: SqliteStore, fault: Fault, faults: u32) -> Arc<Self> {
        Arc::new(FaultyStore {
            inner,
            fault,
            faults_left: AtomicU32::new(faults),
            appended: watch::Sender::new(Sequence::ZERO),
            deleted: watch::Sender::new(0),
        })
    }

    fn fails_now(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.faults_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }
}

fn failure() -> StoreError {
    StoreError::Query(std::io::Error::other("injected").into())
}

#[async_trait]
impl Store for FaultyStore {
    async fn append(&self, partition: u16, entries: &[ArchiveEntry]) -> Result<u64, StoreError> {
        if self.fault != Fault::PositionLost && self.fails_now() {
            match self.fault {
                Fault::Refused | Fault::PositionLost => {}
                Fault::AnswerLost => drop(self.inner.append(partition, entries).await?),
                Fault::Silent => std::future::pending().await,
            }
            return Err(failure());
        }
        let new = self.inner.append(partition, entries).await?;
        self.appended.send_replace(entries.last().unwrap().message.sequence);
        Ok(new)
    }

    fn account_store(&self) -> &dyn AccountStore {
        self.inner.account_store()
    }

    fn poll_store(&self) -> &dyn PollStore {
        self.inner.poll_store()
    }

    async fn archived_up_to(&self, partition: u16) -> Result<Sequence, StoreError> {
        if self.fault == Fault::PositionLost && self.fails_now() {
            return Ok(Sequence::ZERO);
        }
        self.inner.archived_up_to(partition).await
    }

    async fn shows_medium(&self, digest: Digest) -> Result<bool, StoreError> {
        self.inner.shows_medium(digest).await
    }

    async fn delete_messages(&self, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        let deleted = self.inner.delete_messages(before_ms, limit).await?;
        self.deleted.send_modify(|total| *total += deleted);
        Ok(deleted)
    }

    async fn put_room(&self, room: &Room) -> Result<(), StoreError> {
        self.inner.put_room(room).await
    }

    async fn room(&self, id: &RoomId) -> Result<Option<Room>, StoreError> {
        self.inner.room(id).await
    }

    async fn gifts(&self, _: &RoomId, _: Sequence, _: usize) -> Result<Vec<GiftRecord>, StoreError> {
        unreachable!()
    }

    async fn history(&self, _: &RoomId, _: HistoryRange, _: usize) -> Result<History, StoreError> {
        unreachable!()
    }

    async fn history_by_offset(&self, _: &RoomId, _: u64, _: u64, _: usize) -> Result<History, StoreError> {
        unreachable!()
    }

    async fn append_audit(&self, _: &[AuditRecord]) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn audit(
        &self,
        _: AuditFilter<'_>,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        unreachable!()
    }

    async fn delete_audit(&self, _: u64, _: usize) -> Result<u64, StoreError> {
        unreachable!()
    }

    fn deliveries(&self) -> &dyn DeliveryStore {
        unreachable!()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
