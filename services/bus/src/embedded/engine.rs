//! The engine's face: hands publishes to the sequencer, answers reads from memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use barrage_protocol::{Message, RoomId, Sequence};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::journal::{Journal, JournalReader};
use super::sequencer::{Command, Sequencer, unix_ms};
use super::topic_log::{DedupKey, Seen, TopicLog};
use crate::bus::{
    Bus, BusError, Draft, Event, PulseDraft, Range, RangeLimits, Receipt, Subscription, Topic, one_topic,
};
use crate::config::BusConfig;
use crate::metrics::BusMetrics;
use crate::registry::{InstanceReport, Registered, Role};
use crate::settings::{Change, Settings};

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
    pub(crate) events: broadcast::Sender<Event>,
}

/// All topics. Bounded by the rooms that may exist: only existing rooms are
/// published to or subscribed.
pub(crate) struct Topics {
    map: RwLock<HashMap<Topic, Arc<TopicState>>>,
    lag_max: usize,
}

impl Topics {
    pub(crate) fn get(&self, topic: &Topic) -> Option<Arc<TopicState>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    pub(crate) fn get_or_create(&self, topic: &Topic) -> Arc<TopicState> {
        self.get(topic).unwrap_or_else(|| self.insert(topic.clone(), TopicLog::default()))
    }

    fn insert(&self, topic: Topic, log: TopicLog) -> Arc<TopicState> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let fresh =
            || Arc::new(TopicState { log: Mutex::new(log), events: broadcast::Sender::new(self.lag_max) });
        Arc::clone(map.entry(topic).or_insert_with(fresh))
    }

    pub(crate) fn last(&self, topic: &Topic) -> Sequence {
        self.get(topic).map_or(Sequence::ZERO, |state| lock(&state.log).last())
    }

    pub(crate) fn seen(&self, topic: &Topic, key: &DedupKey) -> Option<Seen> {
        lock(&self.get(topic)?.log).seen(key)
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
    instances: Mutex<HashMap<(Role, String), (InstanceReport, Instant)>>,
    metrics: BusMetrics,
}

impl EmbeddedBus {
    /// Opens the log at `path` (made when absent) and takes up where it ended.
    pub fn open(path: &Path, config: BusConfig, metrics: BusMetrics) -> Result<Arc<Self>, BusError> {
        let unavailable =
            |error: rusqlite::Error| BusError::Unavailable(format!("{}: {error}", path.display()));
        let journal = Journal::open(path).map_err(unavailable)?;
        let topics = load(&journal, &config).map_err(unavailable)?;
        let topics = Arc::new(topics);
        let settings = watch::Sender::new(Arc::new(journal.settings().map_err(unavailable)?));
        let reader = JournalReader::open(path).map_err(unavailable)?;
        let next = journal.next_sequence();
        let tail = watch::Sender::new(Sequence(next - 1));
        let (commands, received) = mpsc::channel(config.queue_max);
        let bus = Arc::new(EmbeddedBus {
            commands,
            topics: Arc::clone(&topics),
            settings: settings.subscribe(),
            tail: tail.subscribe(),
            reader: Arc::new(Mutex::new(reader)),
            instances: Mutex::default(),
            metrics: metrics.clone(),
        });
        let sequencer =
            Sequencer { journal, topics, settings, tail, config, metrics, next, swept: Instant::now() };
        std::thread::Builder::new()
            .name("bus-sequencer".into())
            .spawn(move || sequencer.run(received))
            .map_err(|error| BusError::Unavailable(error.to_string()))?;
        Ok(bus)
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

fn load(journal: &Journal, config: &BusConfig) -> rusqlite::Result<Topics> {
    let topics = Topics { map: RwLock::default(), lag_max: config.subscriber_lag_max };
    let now_ms = unix_ms();
    let mut lasts: HashMap<Topic, Sequence> = journal.topics()?.into_iter().collect();
    let kept_from = now_ms.saturating_sub(config.retention_secs.max(config.dedup_secs) * 1000);
    journal.recent(kept_from, |entry| {
        let state = topics.get(&entry.topic).unwrap_or_else(|| {
            topics.insert(entry.topic.clone(), TopicLog::starting_at(entry.message.previous))
        });
        lasts.remove(&entry.topic);
        lock(&state.log).push(entry.message, entry.fingerprint, config);
    })?;
    for (topic, last) in lasts {
        topics.insert(topic, TopicLog::starting_at(last));
    }
    topics.expire(now_ms, config);
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
            drop(state.events.send(Event::Pulse(pulse)));
        }
    }

    async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        let state = self.topics.get_or_create(topic);
        // The sequencer pushes under this lock before it sends, so nothing falls between
        // position and stream; what was pushed and not yet sent arrives once more.
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
            None => TopicLog::default().range(after, before, limits),
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
        let read = tokio::task::spawn_blocking(move || lock(&reader).room_messages(after, limit));
        match read.await {
            Ok(Ok(messages)) => Ok(messages),
            Ok(Err(error)) => Err(BusError::Unavailable(error.to_string())),
            Err(error) => Err(BusError::Unavailable(error.to_string())),
        }
    }

    fn tail(&self, _partition: u16) -> watch::Receiver<Sequence> {
        self.tail.clone()
    }

    fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.clone()
    }

    async fn change(&self, change: Change) -> Result<(), BusError> {
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
