//! The engine's face: hands publishes to the sequencer, answers reads from memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use barrage_protocol::{Message, RoomId, Sequence};
use tokio::sync::{mpsc, oneshot, watch};

use super::condition::Condition;
use super::file::LogFile;
use super::journal::{Journal, JournalReader, Loss};
use super::sequencer::{Command, Sequencer, TICK_EVERY};
use super::topic_log::{DedupKey, Seen, TopicLog};
use crate::bus::{
    Bus, BusError, Draft, Event, PulseDraft, Range, RangeLimits, Receipt, Subscription, Topic, one_topic,
};
use crate::change::{Change, Changed};
use crate::clock::{Clock, LogClock, SystemClock};
use crate::config::BusConfig;
use crate::events::EventSender;
use crate::metrics::BusMetrics;
use crate::registry::{InstanceReport, Registered, Role};
use crate::settings::Settings;

/// A gateway that said nothing for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Instances at most; beyond, reports of new ones are refused.
const INSTANCES_MAX: usize = 1_024;

/// Locks; a panic elsewhere leaves data that is still whole, so poison is ignored.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct TopicState {
    pub(crate) log: Mutex<TopicLog>,
    pub(crate) events: EventSender,
}

/// All topics. Bounded by the rooms that may exist: only existing rooms are
/// published to or subscribed.
pub(crate) struct Topics {
    map: RwLock<HashMap<Topic, Arc<TopicState>>>,
    lag_max: usize,
    /// Where every chain begins that is not in the log: zero, unless the log has lost its end.
    base: Sequence,
}

impl Topics {
    pub(crate) fn get(&self, topic: &Topic) -> Option<Arc<TopicState>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    pub(crate) fn get_or_create(&self, topic: &Topic) -> Arc<TopicState> {
        self.get(topic).unwrap_or_else(|| self.insert(topic.clone(), TopicLog::starting_at(self.base)))
    }

    fn insert(&self, topic: Topic, log: TopicLog) -> Arc<TopicState> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(TopicState { log: Mutex::new(log), events: EventSender::new(self.lag_max) });
        Arc::clone(map.entry(topic).or_insert_with(fresh))
    }

    pub(crate) fn last(&self, topic: &Topic) -> Sequence {
        self.get(topic).map_or(self.base, |state| lock(&state.log).last())
    }

    pub(crate) fn seen(&self, topic: &Topic, key: &DedupKey) -> Option<Seen> {
        lock(&self.get(topic)?.log).seen(key)
    }

    /// Every chain goes on after `base`.
    fn break_at(&self, base: Sequence) {
        for state in self.map.read().unwrap_or_else(PoisonError::into_inner).values() {
            lock(&state.log).break_at(base);
        }
    }

    pub(crate) fn expire(&self, now_ms: u64, config: &BusConfig) {
        let all: Vec<_> = self.map.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for state in all {
            lock(&state.log).expire(now_ms, config);
        }
    }
}

/// The embedded engine.
pub struct EmbeddedBus {
    commands: mpsc::Sender<Command>,
    topics: Arc<Topics>,
    settings: watch::Receiver<Arc<Settings>>,
    tail: watch::Receiver<Sequence>,
    reader: Arc<Mutex<JournalReader>>,
    condition: Arc<Condition>,
    instances: Mutex<HashMap<(Role, String), (InstanceReport, Instant)>>,
    metrics: BusMetrics,
}

impl EmbeddedBus {
    /// Opens the log at `path` (made when absent) and goes on where it ended. Only one engine
    /// has a log open at a time; a second one is refused.
    pub fn open(path: &Path, config: BusConfig, metrics: BusMetrics) -> Result<Arc<Self>, BusError> {
        EmbeddedBus::open_after(path, config, metrics, Sequence::ZERO)
    }

    /// The same, beside an archive that ends at `archived`. A log that ends before that, or
    /// before its own high-water mark, has lost messages: that is logged as an error, and
    /// positions go on behind all that were given.
    pub fn open_after(
        path: &Path,
        config: BusConfig,
        metrics: BusMetrics,
        archived: Sequence,
    ) -> Result<Arc<Self>, BusError> {
        EmbeddedBus::open_by(Box::new(SystemClock), path, config, metrics, archived)
    }

    pub(crate) fn open_by(
        clock: Box<dyn Clock>,
        path: &Path,
        config: BusConfig,
        metrics: BusMetrics,
        archived: Sequence,
    ) -> Result<Arc<Self>, BusError> {
        let unavailable =
            |error: rusqlite::Error| BusError::Unavailable(format!("{}: {error}", path.display()));
        let file = Arc::new(LogFile::open(path)?);
        let (journal, loss) = Journal::open(path, Arc::clone(&file), archived)?;
        let clock = LogClock::new(clock, journal.clock_ms().map_err(unavailable)?);
        let topics = Arc::new(load(&journal, &config, &clock, loss).map_err(unavailable)?);
        if let Some(Loss { ends_at, reached, goes_on_after }) = loss {
            tracing::error!(
                path = %path.display(), %ends_at, %reached, %goes_on_after,
                "the message log has lost its newest messages, and the settings made since: no position is given \
                 twice, a resume from before is answered `gone`; what was archived is in the history"
            );
        }
        let settings = watch::Sender::new(Arc::new(journal.settings().map_err(unavailable)?));
        let reader = JournalReader::open(path, file).map_err(unavailable)?;
        let condition = Arc::new(Condition::default());
        let next = journal.next_sequence();
        let tail = watch::Sender::new(Sequence(next - 1));
        let (commands, received) = mpsc::channel(config.queue_max);
        let bus = Arc::new(EmbeddedBus {
            commands,
            topics: Arc::clone(&topics),
            settings: settings.subscribe(),
            tail: tail.subscribe(),
            reader: Arc::new(Mutex::new(reader)),
            condition: Arc::clone(&condition),
            instances: Mutex::default(),
            metrics: metrics.clone(),
        });
        let swept_ms = clock.now_ms();
        let committed = Sequence::ZERO;
        let sequencer = Sequencer {
            journal,
            topics,
            settings,
            tail,
            config,
            metrics,
            next,
            committed,
            clock,
            condition,
            swept_ms,
        };
        let ticks = bus.commands.downgrade();
        spawn("bus-sequencer", move || sequencer.run(received))?;
        spawn("bus-ticks", move || tick(&ticks))?;
        Ok(bus)
    }

    #[cfg(test)]
    pub(crate) fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    /// The usual file name inside of a data directory.
    #[must_use]
    pub fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("bus.sqlite")
    }

    async fn send<T>(
        &self,
        command: impl FnOnce(super::sequencer::Reply<T>) -> Command,
    ) -> Result<T, BusError> {
        let (reply, answer) = oneshot::channel();
        if self.commands.try_send(command(reply)).is_err() {
            self.metrics.refused_full.inc();
            return Err(BusError::Unavailable("its queue is full".into()));
        }
        answer.await.unwrap_or_else(|_| Err(BusError::Unavailable("it has stopped".into())))
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), BusError> {
    let spawned = std::thread::Builder::new().name(name.into()).spawn(run);
    spawned.map(drop).map_err(|error| BusError::Unavailable(error.to_string()))
}

/// Wakes the sequencer every second, until the engine is dropped. A full queue needs no tick:
/// its commits show whether the log can be written.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, which does nothing else")]
fn tick(commands: &mpsc::WeakSender<Command>) {
    loop {
        std::thread::sleep(TICK_EVERY);
        let Some(commands) = commands.upgrade() else { return };
        drop(commands.try_send(Command::Tick));
    }
}

fn load(
    journal: &Journal,
    config: &BusConfig,
    clock: &LogClock,
    loss: Option<Loss>,
) -> rusqlite::Result<Topics> {
    let base = loss.map_or(Sequence::ZERO, |loss| loss.goes_on_after);
    let topics = Topics { map: RwLock::default(), lag_max: config.subscriber_lag_max, base };
    let now_ms = clock.now_ms();
    let mut lasts: HashMap<Topic, Sequence> = journal.topics()?.into_iter().collect();
    let kept_from = now_ms.saturating_sub(config.retention_secs.max(config.dedup_secs).saturating_mul(1_000));
    journal.recent(kept_from, |entry| {
        let state = topics.get(&entry.topic).unwrap_or_else(|| {
            topics.insert(entry.topic.clone(), TopicLog::starting_at(entry.message.previous))
        });
        lasts.remove(&entry.topic);
        lock(&state.log).push(entry.message, entry.fingerprint, entry.clock_ms, config);
    })?;
    for (topic, last) in lasts {
        topics.insert(topic, TopicLog::starting_at(last));
    }
    topics.expire(now_ms, config);
    topics.break_at(base);
    Ok(topics)
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError> {
        one_topic(&drafts)?;
        let timer = self.metrics.publish_duration_seconds.start_timer();
        let result = self.send(|reply| Command::Publish { drafts, reply }).await;
        timer.observe_duration();
        result
    }

    fn pulse(&self, room: &RoomId, pulse: PulseDraft) {
        if let Some(state) = self.topics.get(&Topic::Room(room.clone())) {
            // Nobody watching: a pulse may always be left out.
            state.events.send(&Event::Pulse(pulse));
        }
    }

    async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        let state = self.topics.get_or_create(topic);
        // The sequencer pushes and sends under this lock: everything after the position arrives,
        // and nothing before it.
        let log = lock(&state.log);
        let events = state.events.subscribe();
        Ok(Subscription { start: log.last(), events })
    }

    async fn range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        Ok(match self.topics.get(topic) {
            Some(state) => lock(&state.log).range(after, before, limits),
            None => TopicLog::starting_at(self.topics.base).range(after, before, limits),
        })
    }

    async fn last(&self, topic: &Topic) -> Result<Sequence, BusError> {
        Ok(self.topics.last(topic))
    }

    async fn read_all(
        &self,
        _partition: u16,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BusError> {
        let reader = Arc::clone(&self.reader);
        let condition = Arc::clone(&self.condition);
        let read = tokio::task::spawn_blocking(move || {
            lock(&reader).room_messages(after, limit).inspect_err(|error| condition.read_failed(error))
        });
        match read.await {
            Ok(Ok(messages)) => Ok(messages),
            Ok(Err(error)) => Err(BusError::Unavailable(error.to_string())),
            Err(error) => Err(BusError::Unavailable(error.to_string())),
        }
    }

    fn tail(&self, _partition: u16) -> watch::Receiver<Sequence> {
        self.tail.clone()
    }

    fn condition(&self) -> Result<(), String> {
        self.condition.why_not().map_or(Ok(()), Err)
    }

    fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.clone()
    }

    async fn change(&self, change: Change) -> Result<Changed, BusError> {
        self.send(|reply| Command::Change { change, reply }).await
    }

    async fn report(&self, report: InstanceReport) -> Result<(), BusError> {
        let mut instances = lock(&self.instances);
        instances.retain(|_, (_, at)| at.elapsed() < SILENCE_MAX);
        let key = (report.role, report.id.clone());
        if instances.len() >= INSTANCES_MAX && !instances.contains_key(&key) {
            return Err(BusError::Full("instance"));
        }
        instances.insert(key, (report, Instant::now()));
        Ok(())
    }

    fn instances(&self) -> Vec<Registered> {
        let instances = lock(&self.instances);
        instances
            .values()
            .map(|(report, at)| Registered { report: report.clone(), age: at.elapsed() })
            .filter(|registered| registered.age < SILENCE_MAX)
            .collect()
    }
}
