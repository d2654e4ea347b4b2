//! Readers of the whole log with a durable mark: the archiver, and the reading part of webhooks. They run on
//! the embedded bus and a store that fails, under a paused clock, and are killed at any await.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use barrage_archiver::{ArchiverConfig, ArchiverMetrics};
use barrage_bus::{Bus, BusConfig, Draft, Log};
use barrage_protocol::{Class, Message, Sequence};
use barrage_store::Store;
use barrage_webhooks::{EndpointConfig, WebhooksConfig, WebhooksMetrics};
use prometheus::Registry;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::kind::{Broken, Kind, Scenario};
use crate::disk::Honesty;
use crate::must;
use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::site::{End, Site, now, poll};
use crate::store::{Fate, SimulatedStore};
use crate::trace::Trace;

/// The archiver as the server runs it.
pub(super) const ARCHIVE: Kind = Kind {
    name: "archive",
    about: "every message is archived once and in order, and the archive's mark is never ahead of it",
    events: 40,
    mutations: &[Mutation::MarkBeforeMessages, Mutation::ArchiveTwice],
    start: |_, mutation| Box::new(World::new(Reader::Archiver, mutation)),
};

/// The reading part of webhooks.
pub(super) const WEBHOOKS: Kind = Kind {
    name: "webhooks",
    about: "every message is in one event of the receiver, and its mark is never ahead of its events",
    events: 40,
    mutations: &[Mutation::MarkBeforeEvents, Mutation::EventsTwice],
    start: |_, mutation| Box::new(World::new(Reader::Webhooks, mutation)),
};

static ARCHIVER_METRICS: LazyLock<ArchiverMetrics> =
    LazyLock::new(|| ArchiverMetrics::new(&Registry::new()).expect("names of metrics are valid"));
static WEBHOOKS_METRICS: LazyLock<WebhooksMetrics> =
    LazyLock::new(|| WebhooksMetrics::new(&Registry::new()).expect("names of metrics are valid"));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Archiver,
    Webhooks,
}

struct World {
    site: Site,
    reader: Reader,
    store: Arc<SimulatedStore>,
    runtime: Runtime,
    task: Option<JoinHandle<String>>,
    posted: usize,
    /// Messages as the log has had them, lost ones included.
    given: BTreeMap<Sequence, Arc<Message>>,
    /// Messages in the log now.
    log: Vec<Arc<Message>>,
    /// Events that were counted, and in how many of them each message is, by its number.
    counted: usize,
    counts: BTreeMap<usize, usize>,
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Post,
    Run,
    Kill,
    StoreFails,
    Restart,
}

impl World {
    fn new(reader: Reader, mutation: Option<Mutation>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let mut world = World {
            site: Site::new(BusConfig::default()),
            reader,
            store: SimulatedStore::new(mutation),
            runtime: runtime.expect("a runtime without threads"),
            task: None,
            posted: 0,
            given: BTreeMap::new(),
            log: Vec::new(),
            counted: 0,
            counts: BTreeMap::new(),
        };
        // A new receiver gets what happens from its start on.
        world.start();
        world.pass(20);
        world
    }

    fn start(&mut self) {
        let bus: Arc<dyn Bus> = Arc::clone(self.site.bus()) as Arc<dyn Bus>;
        let store: Arc<dyn Store> = Arc::clone(&self.store) as Arc<dyn Store>;
        self.task = Some(match self.reader {
            Reader::Archiver => {
                let config = ArchiverConfig {
                    batch_messages_max: 5,
                    poll_interval_ms: 50,
                    backoff_initial_ms: 1,
                    backoff_max_ms: 8,
                    append_timeout_ms: 40,
                    retention_hours: 0,
                    ..ArchiverConfig::default()
                };
                let run = barrage_archiver::run(
                    bus,
                    store,
                    config,
                    ARCHIVER_METRICS.clone(),
                    barrage_trace::Tracer::default(),
                    CancellationToken::new(),
                );
                self.runtime.spawn(async move { format!("{:?}", run.await) })
            }
            Reader::Webhooks => {
                let receiver = EndpointConfig {
                    name: "shop".into(),
                    url: "https://shop.example/hook".into(),
                    secret_file: "none".into(),
                    events: vec!["*".into()],
                    rooms: Vec::new(),
                };
                let config = WebhooksConfig {
                    endpoints: vec![receiver],
                    poll_interval_ms: 50,
                    ..WebhooksConfig::default()
                };
                let run = barrage_webhooks::ingest(bus, store, Arc::new(config), WEBHOOKS_METRICS.clone());
                self.runtime.spawn(async move { format!("{:?}", run.await) })
            }
        });
    }

    /// Lets time pass for the reader.
    fn pass(&mut self, ms: u64) {
        self.site.clock.advance(ms);
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(ms)).await });
    }

    fn kill(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            self.runtime.block_on(async { drop(task.await) });
        }
    }

    fn post(&mut self, rng: &mut Rng) -> Result<(), Broken> {
        let count = rng.between(1, 6) as usize;
        let drafts = (0..count).map(|at| {
            let class = rng.weighted(&[(1, Class::Gift), (1, Class::Chat)]);
            let kind = if class == Class::Gift { "gift" } else { "chat" };
            let number = self.posted + at;
            Draft {
                room: rng.weighted(&[(2, "one"), (1, "two")]).parse().expect("a room id"),
                class,
                sender: None,
                id: None,
                fingerprint: 0,
                to: None,
                trace: None,
                body: format!(
                    r#"{{"type":"{kind}","text":"x","gift":{{"name":"Rose","count":1}},"number":{number}}}"#
                )
                .into(),
            }
        });
        for draft in drafts.collect::<Vec<_>>() {
            let bus = Arc::clone(self.site.bus());
            let mut answer = Box::pin(async move { bus.publish(vec![draft]).await });
            drop(poll(&mut answer));
        }
        self.posted += count;
        self.site.commit();
        self.look()
    }

    /// Notes what the log has, and that no position has two texts.
    fn look(&mut self) -> Result<(), Broken> {
        let last = self.log.last().map(|message| message.sequence).unwrap_or_default();
        let stored = now(self.site.bus().read_all(0, last, usize::MAX >> 1));
        let stored = stored.map_err(|error| Broken(format!("the log cannot be read: {error}")))?;
        for message in stored.into_iter().map(|stored| stored.message) {
            if let Some(before) = self.given.insert(message.sequence, Arc::clone(&message)) {
                must!(before.body == message.body, "position {} is given twice", message.sequence);
            }
            self.log.push(message);
        }
        Ok(())
    }

    /// Counts the messages in events that are new.
    fn count(&mut self) {
        let tables = self.store.tables.lock();
        for event in &tables.events[self.counted..] {
            for number in event.new.body.split("\"number\":").skip(1) {
                let digits = number.split(|it: char| !it.is_ascii_digit()).next().unwrap_or_default();
                *self.counts.entry(digits.parse().unwrap_or(usize::MAX)).or_default() += 1;
            }
        }
        self.counted = tables.events.len();
    }

    /// Checks that all up to the mark is in the store, and nothing twice.
    fn check(&mut self) -> Result<(), Broken> {
        self.count();
        let tables = self.store.tables.lock();
        must!(tables.clash.is_none(), "two messages are archived at {:?}", tables.clash);
        match self.reader {
            Reader::Archiver => {
                let mut lasts: BTreeMap<&str, Sequence> = BTreeMap::new();
                for message in &tables.messages {
                    let last = lasts.entry(message.room.as_str()).or_default();
                    must!(message.sequence > *last, "{} is archived after {last}", message.sequence);
                    *last = message.sequence;
                }
                let archived: std::collections::BTreeSet<_> =
                    tables.messages.iter().map(|it| it.sequence).collect();
                for message in self.log.iter().filter(|message| message.sequence <= tables.archived) {
                    must!(
                        archived.contains(&message.sequence),
                        "the mark is at {}, and {} is not archived",
                        tables.archived,
                        message.sequence
                    );
                }
            }
            Reader::Webhooks => {
                let mark = tables.read.unwrap_or_default();
                for message in self.log.iter().filter(|message| message.sequence <= mark) {
                    let number = message.body.rsplit(|byte| *byte == b':').next().unwrap_or_default();
                    let digits = String::from_utf8_lossy(number.trim_ascii_end()).replace('}', "");
                    let count = digits.parse().ok().and_then(|number| self.counts.get(&number)).copied();
                    let count = count.unwrap_or_default();
                    must!(count == 1, "the mark is at {mark}, and {} is in {count} events", message.sequence);
                }
            }
        }
        Ok(())
    }

    fn mark(&self) -> Sequence {
        let tables = self.store.tables.lock();
        match self.reader {
            Reader::Archiver => tables.archived,
            Reader::Webhooks => tables.read.unwrap_or_default(),
        }
    }
}

impl Scenario for World {
    fn event(&mut self, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken> {
        let happens = rng.weighted(&[
            (12, Happens::Post),
            (20, Happens::Run),
            (5, Happens::Kill),
            (8, Happens::StoreFails),
            (3, Happens::Restart),
        ]);
        match happens {
            Happens::Post => {
                self.post(rng)?;
                trace.note(format_args!("{} messages are in the log", self.given.len()));
            }
            Happens::Run => {
                self.pass(rng.weighted(&[(4, 2), (4, 9), (2, 120)]));
                trace.note(format_args!("the mark is at {}", self.mark()));
            }
            Happens::Kill => {
                trace.note(format_args!("the reader is killed at {}", self.mark()));
                self.kill();
                self.start();
            }
            Happens::StoreFails => {
                let fate = rng.weighted(&[
                    (1, Fate::Refused),
                    (2, Fate::AnswerLost),
                    (1, Fate::Works),
                    (1, Fate::Silent),
                ]);
                // Without a limit of its own, a call of webhooks waits for the store's limit.
                let is_endless = fate == Fate::Silent && self.reader == Reader::Webhooks;
                let fate = if is_endless { Fate::Refused } else { fate };
                trace.note(format_args!("a call of the store will be {fate:?}"));
                self.store.fates.lock().push_back((fate, rng.between(1, 6)));
            }
            Happens::Restart => {
                let end =
                    rng.weighted(&[(3, End::Kill), (2, End::PowerCut(Honesty::Honest)), (1, End::Stop)]);
                trace.note(format_args!("the process ends: {end:?}"));
                self.kill();
                // A killed task has dropped the old bus.
                let archived = if self.reader == Reader::Archiver { self.mark() } else { Sequence::ZERO };
                let restarted = self.site.restart(end, rng, archived, |image| image);
                restarted.map_err(|error| Broken(format!("the log cannot be opened: {error}")))?;
                self.log.clear();
                self.look()?;
                self.start();
            }
        }
        self.check()
    }

    fn settle(&mut self, trace: &mut Trace) -> Result<(), Broken> {
        self.store.fates.lock().clear();
        self.kill();
        self.start();
        self.pass(4_000);
        if self.task.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(task) = self.task.take()
        {
            let ended = self.runtime.block_on(task);
            must!(false, "the reader has ended: {ended:?}");
        }
        self.kill();
        let last = self.log.last().map(|message| message.sequence).unwrap_or_default();
        trace.note(format_args!("the log ends at {last}, the mark is at {}", self.mark()));
        must!(self.mark() >= last, "the mark stays at {} before {last}", self.mark());
        self.check()
    }
}
