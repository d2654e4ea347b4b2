//! The sending part of webhooks: receivers that refuse, throttle, hang and come back, a store that fails, and a
//! process that is killed at any await, under a paused clock.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use barrage_flow::BreakerConfig;
use barrage_store::{DeliveryState, NewDelivery, Store};
use barrage_webhooks::{EndpointConfig, Outside, WebhooksConfig, WebhooksMetrics};
use prometheus::Registry;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::kind::{Broken, Kind, Scenario};
use crate::must;
use crate::mutation::Mutation;
use crate::receiver::{Line, Mood, Receivers, start_ms};
use crate::rng::Rng;
use crate::store::{Fate, SimulatedStore};
use crate::trace::Trace;

/// The sending part of webhooks, with its breaker, its pauses and its schedule.
pub(super) const SENDING: Kind = Kind {
    name: "sending",
    about: "each stored event reaches its receiver or has used up its attempts, and no receiver waits for another",
    events: 40,
    mutations: &[Mutation::AnyAnswerDelivers, Mutation::WaitForgotten, Mutation::RequestsInOneLine],
    start: |rng, mutation| Box::new(World::new(rng, mutation)),
};

/// Receivers of a run.
const NAMES: [&str; 3] = ["shop", "stats", "wall"];
/// Waits between the attempts for one event, in seconds.
const RETRY_SECS: [u64; 5] = [1, 3, 8, 20, 20];
/// Longest pause that a receiver gets by asking for it, in seconds.
const PAUSE_SECS_MAX: u64 = 10;
/// Longest pause of the breaker, in milliseconds.
const BREAKER_MS_MAX: u64 = 8_000;
const POLL_MS: u64 = 1_000;
/// Milliseconds within which a receiver that works gets a new event: a look at the store, and a request.
const FRESH_MS: u64 = POLL_MS + 100;
/// Milliseconds after which waits, pauses and the breaker of a receiver that works have ended.
const CALM_MS: u64 = 60_000;

static METRICS: LazyLock<WebhooksMetrics> =
    LazyLock::new(|| WebhooksMetrics::new(&Registry::new()).expect("names of metrics are valid"));

struct World {
    runtime: Runtime,
    config: Arc<WebhooksConfig>,
    store: Arc<SimulatedStore>,
    receivers: Arc<Receivers>,
    task: Option<JoinHandle<String>>,
    stored: usize,
    /// Has the file with the secret of all receivers, which the sending part reads for each round.
    _folder: TempDir,
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Store,
    Pass,
    Mood,
    Kill,
    StoreFails,
    Enable,
}

fn config(secret_file: &Path) -> WebhooksConfig {
    let endpoint = |name: &&str| EndpointConfig {
        name: (*name).to_owned(),
        url: "https://shop.example/hook".into(),
        secret_file: secret_file.to_owned(),
        events: vec!["*".into()],
        rooms: Vec::new(),
    };
    WebhooksConfig {
        endpoints: NAMES.iter().map(endpoint).collect(),
        timeout_ms: 2_000,
        parallel_max: 2,
        retry_secs: RETRY_SECS.to_vec(),
        retry_after_secs_max: PAUSE_SECS_MAX,
        poll_interval_ms: POLL_MS,
        breaker: BreakerConfig { pause_ms_max: BREAKER_MS_MAX, ..WebhooksConfig::default().breaker },
        ..WebhooksConfig::default()
    }
}

impl World {
    fn new(rng: &mut Rng, mutation: Option<Mutation>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without threads");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("whsec_{}\n", "A".repeat(44))).expect("the folder takes a file");
        let config = Arc::new(config(&secret));
        let (chance, of) = (Rng::new(rng.bits()), Arc::clone(&config));
        let receivers = runtime.block_on(async move { Receivers::new(of, mutation, chance) });
        let store = SimulatedStore::new(mutation);
        let mut world = World { runtime, config, store, receivers, task: None, stored: 0, _folder: folder };
        world.start();
        world
    }

    fn start(&mut self) {
        let store: Arc<dyn Store> = Arc::clone(&self.store) as Arc<dyn Store>;
        let receivers = Arc::clone(&self.receivers);
        receivers.new_life();
        let outside = move |name: &str| -> Box<dyn Outside> {
            Box::new(Line { name: name.to_owned(), receivers: Arc::clone(&receivers) })
        };
        let sending = barrage_webhooks::deliver(store, Arc::clone(&self.config), METRICS.clone(), outside);
        self.task = Some(self.runtime.spawn(async move { format!("{:?}", sending.await) }));
    }

    fn kill(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            self.runtime.block_on(async { drop(task.await) });
        }
    }

    fn pass(&self, ms: u64) {
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(ms)).await });
    }

    fn now_ms(&self) -> u64 {
        self.runtime.block_on(async { start_ms() + self.receivers.steady_ms() })
    }

    /// Stores an event for a receiver, as the reading part does.
    fn store(&mut self, name: &str) {
        let at_ms = self.now_ms();
        let event = format!("event/{}", self.stored);
        self.stored += 1;
        let new = NewDelivery { event, kind: "gift.created".into(), at_ms, body: "{}".into() };
        self.store.tables.lock().add(name, new);
    }

    fn enable(&self, name: &str) {
        self.store.tables.lock().disabled.remove(name);
        self.receivers.enabled(name);
    }

    /// Checks what the store says about each event.
    fn check(&self) -> Result<(), Broken> {
        if let Some(broken) = &*self.receivers.broken.lock() {
            return Err(Broken(broken.clone()));
        }
        let latest_ms = self.now_ms() + 1_000 * RETRY_SECS[RETRY_SECS.len() - 1].max(PAUSE_SECS_MAX) * 6 / 5;
        let receivers = self.receivers.all.lock();
        for row in &self.store.tables.lock().events {
            let (event, name, attempts) = (&row.new.event, &row.endpoint, row.attempts as usize);
            match row.state {
                DeliveryState::Delivered => {
                    must!(receivers[name].taken.contains(event), "{name} never took {event}");
                }
                DeliveryState::Failed => {
                    must!(attempts > RETRY_SECS.len(), "{event} has failed after {attempts} attempts");
                }
                DeliveryState::Pending => {
                    let next_ms = row.next_at_ms;
                    must!(next_ms <= latest_ms, "{event} waits until {next_ms}, beyond {latest_ms}");
                }
            }
        }
        Ok(())
    }

    /// Checks that receivers with a fresh event and a good mood have it.
    fn check_fresh(&mut self, names: &[&str]) -> Result<(), Broken> {
        for name in names {
            self.store(name);
        }
        self.pass(FRESH_MS);
        let tables = self.store.tables.lock();
        for row in &tables.events[tables.events.len() - names.len()..] {
            let (name, event) = (&row.endpoint, &row.new.event);
            must!(
                row.state == DeliveryState::Delivered,
                "{name} works, and has no {event} after {FRESH_MS} ms"
            );
        }
        Ok(())
    }
}

impl Scenario for World {
    fn event(&mut self, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken> {
        let happens = rng.weighted(&[
            (12, Happens::Store),
            (20, Happens::Pass),
            (10, Happens::Mood),
            (4, Happens::Kill),
            (5, Happens::StoreFails),
            (3, Happens::Enable),
        ]);
        let name = NAMES[rng.below(NAMES.len())];
        match happens {
            Happens::Store => {
                let count = rng.between(1, 6);
                (0..count).for_each(|_| self.store(name));
                trace.note(format_args!("{name} has {count} new events"));
            }
            Happens::Pass => {
                let ms = rng.weighted(&[(3, 40), (4, 1_300), (3, 5_000), (2, 25_000)]);
                self.pass(ms);
                let requests =
                    self.receivers.all.lock().values().map(|receiver| receiver.requests).sum::<u64>();
                trace.note(format_args!("{ms} ms pass: {requests} requests in all"));
            }
            Happens::Mood => {
                let mood = rng.weighted(&[
                    (4, Mood::Takes(5)),
                    (2, Mood::Takes(700)),
                    (2, Mood::AnswerLost),
                    (2, Mood::Refuses(500)),
                    (1, Mood::Refuses(404)),
                    (1, Mood::Refuses(410)),
                    (2, Mood::Throttles(6)),
                    (1, Mood::Throttles(86_400)),
                    (3, Mood::Hangs),
                ]);
                trace.note(format_args!("{name} {mood:?}"));
                self.receivers.with(name, |receiver| receiver.mood = mood);
            }
            Happens::Kill => {
                trace.note(format_args!("the process is killed"));
                self.kill();
                self.start();
            }
            Happens::StoreFails => {
                let fate = rng.weighted(&[(1, Fate::Refused), (2, Fate::AnswerLost), (1, Fate::Works)]);
                trace.note(format_args!("a call of the store will be {fate:?}"));
                self.store.fates.lock().push_back((fate, rng.between(1, 6)));
            }
            Happens::Enable => {
                trace.note(format_args!("an operator enables {name}"));
                self.enable(name);
            }
        }
        self.check()
    }

    fn settle(&mut self, trace: &mut Trace) -> Result<(), Broken> {
        self.store.fates.lock().clear();
        let (slow, healthy) = (NAMES[0], &NAMES[1..]);
        for name in NAMES {
            let mood = if name == slow { Mood::Hangs } else { Mood::Takes(5) };
            self.receivers.with(name, |receiver| receiver.mood = mood);
            self.store(name);
        }
        // What was on its way ends, and a receiver that has answered 410 meanwhile is enabled.
        for _ in 0..2 {
            self.pass(2 * self.config.timeout_ms);
            NAMES.iter().for_each(|name| self.enable(name));
        }
        self.pass(CALM_MS);
        (0..4).for_each(|_| self.store(slow));
        self.check_fresh(healthy)?;
        self.check()?;
        self.receivers.with(slow, |receiver| receiver.mood = Mood::Takes(5));
        self.pass(CALM_MS);
        self.check_fresh(&NAMES)?;
        self.check()?;
        for row in &self.store.tables.lock().events {
            let (event, name) = (&row.new.event, &row.endpoint);
            must!(row.state != DeliveryState::Pending, "{name} works, and {event} still waits");
        }
        if self.task.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(task) = self.task.take()
        {
            let ended = self.runtime.block_on(task);
            must!(false, "the sending has ended: {ended:?}");
        }
        self.kill();
        let failed =
            self.store.tables.lock().events.iter().filter(|row| row.state == DeliveryState::Failed).count();
        trace.note(format_args!("{} events, {failed} have used up their attempts", self.stored));
        Ok(())
    }
}
