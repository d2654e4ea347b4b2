//! Events in lanes, a running courier, and the comparison with tables in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{LaneDraft, Lanes};
use barrage_courier::{Batch, CourierConfig, CourierError, CourierMetrics, MailSink, NoMail, Parts, Report};
use barrage_inbox::model::{Recount, Tables, Workload};
use barrage_inbox::{ConversationId, Entry, Event, Version};
use barrage_protocol::{Sequence, UserId};
use barrage_store::{AwayRange, InboxStore, ItemRange};
use barrage_testkit::wait;
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for a state that must come.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);

/// Random events, in their order. What they do follows from the tables alone.
pub(crate) fn events(seed: u64, batches: usize) -> Vec<Event> {
    let (mut workload, mut tables, mut recount) =
        (Workload::new(seed), Tables::default(), Recount::default());
    let mut events = Vec::new();
    for _ in 0..batches {
        let entries = workload.batch(10, &recount);
        let changes = tables.project(&entries);
        for (entry, outcome) in entries.into_iter().zip(changes.outcomes) {
            recount.take(&entry, outcome);
            events.push(entry.event);
        }
    }
    events
}

pub(crate) fn draft(event: &Event) -> LaneDraft {
    // The lane refuses a key that comes again with another text; the inbox must decide here.
    LaneDraft { key: None, fingerprint: event.fingerprint(), body: Bytes::from(event.to_json()) }
}

pub(crate) async fn append(lanes: &dyn Lanes, events: &[Event]) -> Sequence {
    let mut last = Sequence::ZERO;
    for some in events.chunks(20) {
        let receipts = lanes.append(0, some.iter().map(draft).collect()).await.unwrap();
        last = receipts.last().unwrap().sequence;
    }
    last
}

/// A courier that a test may stop or kill.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    pub(crate) metrics: prometheus::Registry,
    task: JoinHandle<Result<Report, CourierError>>,
}

impl Running {
    pub(crate) fn start(lanes: Arc<dyn Lanes>, store: Arc<dyn InboxStore>, config: CourierConfig) -> Self {
        Running::start_with(lanes, store, Arc::new(NoMail), config)
    }

    pub(crate) fn start_with(
        lanes: Arc<dyn Lanes>,
        store: Arc<dyn InboxStore>,
        sink: Arc<dyn MailSink>,
        config: CourierConfig,
    ) -> Self {
        let (shutdown, registry) = (CancellationToken::new(), prometheus::Registry::new());
        let metrics = CourierMetrics::new(&registry).unwrap();
        let parts = Parts { lanes, store, sink };
        let task = tokio::spawn(barrage_courier::run(config, parts, metrics, shutdown.clone()));
        Running { shutdown, metrics: registry, task }
    }

    pub(crate) async fn stop(self) -> Result<Report, CourierError> {
        self.shutdown.cancel();
        self.task.await.unwrap()
    }

    /// Ends the courier at whatever it is doing.
    pub(crate) async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let sum: f64 = family.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum();
        format!("{sum:.0}").parse().unwrap()
    }
}

/// A sink that keeps all batches.
#[derive(Default)]
pub(crate) struct Kept(parking_lot::Mutex<Vec<Batch>>);

impl Kept {
    pub(crate) fn take(&self) -> Vec<Batch> {
        std::mem::take(&mut self.0.lock())
    }
}

impl MailSink for Kept {
    fn committed(&self, batch: Batch) {
        self.0.lock().push(batch);
    }

    fn lost(&self, _: u16) {}
}

/// A configuration without waits.
pub(crate) fn config() -> CourierConfig {
    CourierConfig {
        backoff_initial_ms: 5,
        backoff_max_ms: 50,
        poll_interval_ms: 100,
        ..CourierConfig::default()
    }
}

pub(crate) async fn until_taken(store: &dyn InboxStore, sequence: Sequence) {
    wait::until_true(WAIT_MAX, "the inbox has the lane", async || {
        store.mark(0).await.is_ok_and(|mark| mark >= sequence)
    })
    .await;
}

/// Compares items and unread numbers of a store with those of the lane's events, taken in one go.
pub(crate) async fn assert_taken_once(lanes: &dyn Lanes, store: &dyn InboxStore) {
    let (mut tables, mut recount) = (Tables::default(), Recount::default());
    let mut after = Sequence::ZERO;
    loop {
        let read = lanes.read(0, after, 1_000).await.unwrap();
        let Some(last) = read.last() else { break };
        after = last.sequence;
        for entry in read {
            let Ok(event) = Event::from_json(&entry.body) else { continue };
            let entry = Entry { sequence: entry.sequence, at_ms: entry.at_ms, event };
            let outcome = tables.project(std::slice::from_ref(&entry)).outcomes[0];
            recount.take(&entry, outcome);
        }
    }
    assert_unread(store, &recount).await;
    let expected: BTreeMap<ConversationId, Vec<(Sequence, UserId, String)>> = tables
        .items
        .iter()
        .map(|(number, items)| {
            let items = items
                .iter()
                .map(|item| (item.sequence, tables.users[&item.sender].id.clone(), item.body.clone()));
            (tables.conversations[number].id.clone(), items.collect())
        })
        .collect();
    assert!(!expected.is_empty());
    for (id, expected) in expected {
        let items = store.items(&id, ItemRange::After(barrage_inbox::Position(0)), 1_000).await.unwrap();
        let found: Vec<_> = items.into_iter().map(|s| (s.item.sequence, s.sender, s.item.body)).collect();
        assert_eq!(found, expected[..expected.len().min(1_000)], "{id}");
    }
}

async fn assert_unread(store: &dyn InboxStore, recount: &Recount) {
    let mut unread = BTreeMap::new();
    for (user, total) in recount.totals() {
        let away = store.away(&user, AwayRange::after(Version(0)), 1_000).await.unwrap().unwrap();
        assert_eq!(away.user.unread, total, "total of {user}");
        for known in away.memberships {
            let is_open = known.conversation.state == barrage_inbox::ConversationState::Open;
            if is_open && known.member.is_present() {
                let number = known.member.unread(known.conversation.head);
                unread.insert((user.clone(), known.conversation.id), number);
            }
        }
    }
    let totals = recount.totals();
    let expected = recount.unread().into_iter().filter(|(key, _)| totals.contains_key(&key.0));
    assert_eq!(unread, expected.collect());
}
