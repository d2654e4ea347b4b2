//! The public face of the engine: sends publishes to the sequencer, answers reads from memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use barrage_clock::{Clock, SystemClock};
use barrage_protocol::{Message, RoomId, Sequence};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::answers::{Answers, Reply};
use super::condition::Condition;
use super::file::LogFile;
use super::journal::{Journal, Loss};
use super::reader::JournalReader;
use super::recent::Recent;
use super::sequencer::{Command, Commit, Sequencer, TICK_EVERY};
use super::topics::Topics;
use super::{mark, reader};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::events::{Event, PulseDraft};
use crate::log::{Draft, Log, Range, RangeLimits, Receipt, Stored, Subscription, Topic, common_topic};
use crate::log_clock::LogClock;
use crate::metrics::BusMetrics;
use crate::registry::{InstanceReport, Registered, Registry, Role};
use crate::settings::Settings;
use crate::settings::change::Change;
use crate::settings::changed::Changed;
use crate::settings_store::SettingsStore;
use crate::topic_log::TopicLog;

/// An instance whose last report is older than this is no longer listed.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Maximum number of instances; reports of further ones are refused.
const INSTANCES_MAX: usize = 1_024;

/// The embedded engine: everything in this process, with a log on disk.
pub struct EmbeddedBus {
    commands: mpsc::Sender<Command>,
    topics: Arc<Topics>,
    settings: watch::Receiver<Arc<Settings>>,
    tail: watch::Receiver<Sequence>,
    recent: Arc<Recent>,
    reader: Arc<Mutex<JournalReader>>,
    condition: Arc<Condition>,
    instances: Mutex<HashMap<(Role, String), (InstanceReport, Instant)>>,
    metrics: BusMetrics,
    reads: Reads,
}

/// Thread that reads the log for the archiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// A thread of the runtime that may block.
    Elsewhere,
    /// The caller's thread: a simulation has one.
    Here,
}

/// An engine whose sequencer does not run yet.
pub(super) struct Parts {
    pub(super) bus: Arc<EmbeddedBus>,
    pub(super) sequencer: Sequencer,
    pub(super) commands: mpsc::Receiver<Command>,
}

impl EmbeddedBus {
    /// Opens the log at `path`, creates it when it is absent, and continues where it ended. Only
    /// one engine may have a log open; a second one is refused.
    pub fn open(path: &Path, config: BusConfig, metrics: BusMetrics) -> Result<Arc<Self>, BusError> {
        EmbeddedBus::open_after(path, config, metrics, Sequence::ZERO)
    }

    /// Opens the log beside an archive whose newest position is `archived`. A log that ends before
    /// that, or before its own high-water mark, has lost messages: the engine logs an error, and
    /// new positions begin behind all that may have been given.
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
        let Parts { bus, sequencer, commands } =
            EmbeddedBus::parts(clock, path, config, metrics, archived, Reads::Elsewhere)?;
        let ticks = bus.commands.downgrade();
        spawn("bus-sequencer", move || sequencer.run(commands))?;
        spawn("bus-ticks", move || tick(&ticks))?;
        Ok(bus)
    }

    /// Opens the log and returns the engine without its threads.
    pub(super) fn parts(
        clock: Box<dyn Clock>,
        path: &Path,
        config: BusConfig,
        metrics: BusMetrics,
        archived: Sequence,
        reads: Reads,
    ) -> Result<Parts, BusError> {
        let unavailable =
            |error: rusqlite::Error| BusError::Unavailable(format!("{}: {error}", path.display()));
        let file = Arc::new(LogFile::open(path)?);
        let (journal, loss) = Journal::open(path, Arc::clone(&file), archived)?;
        let clock = LogClock::new(clock, journal.clock_ms().map_err(unavailable)?);
        let topics = Arc::new(Topics::load(&journal, &config, &clock, loss).map_err(unavailable)?);
        if let Some(Loss { ends_at, reached, goes_on_after }) = loss {
            tracing::error!(
                path = %path.display(), %ends_at, %reached, %goes_on_after,
                "the message log has lost its newest messages and settings: no position is given twice, and a resume \
                 from before the loss is answered `gone`; archived messages are in the history"
            );
        }
        let settings = watch::Sender::new(Arc::new(journal.settings().map_err(unavailable)?));
        let reader = JournalReader::open(path, file).map_err(unavailable)?;
        let condition = Arc::new(Condition::default());
        let next = journal.next_sequence();
        let tail = watch::Sender::new(Sequence(next - 1));
        let recent = Arc::new(Recent::after(Sequence(next - 1)));
        let (commands, received) = mpsc::channel(config.queue_max);
        let bus = Arc::new(EmbeddedBus {
            commands,
            topics: Arc::clone(&topics),
            settings: settings.subscribe(),
            tail: tail.subscribe(),
            recent: Arc::clone(&recent),
            reader: Arc::new(Mutex::new(reader)),
            condition: Arc::clone(&condition),
            instances: Mutex::default(),
            metrics: metrics.clone(),
            reads,
        });
        let swept_ms = clock.now_ms();
        let committed = Sequence::ZERO;
        let sequencer = Sequencer {
            journal,
            topics,
            recent,
            settings,
            tail,
            config,
            metrics,
            next,
            committed,
            clock,
            condition,
            answers: Answers::start(),
            open: Commit::default(),
            swept_ms,
        };
        Ok(Parts { bus, sequencer, commands: received })
    }

    #[cfg(test)]
    pub(crate) fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    /// Tells the log of a data directory, which no engine has open, that it is a copy from before: the original
    /// has given positions since, so that the log continues far behind them.
    pub fn mark_as_restored(data_dir: &Path) -> Result<(), BusError> {
        let path = Self::file(data_dir);
        let failed =
            |error: &dyn std::fmt::Display| BusError::Unavailable(format!("{}: {error}", path.display()));
        let ends_at = reader::newest(&path).map_err(|error| failed(&error))?;
        mark::skip_after_restore(&path, ends_at).map_err(|error| failed(&error))
    }

    /// Returns the path of the log inside of a data directory.
    #[must_use]
    pub fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("bus.sqlite")
    }

    async fn send<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, BusError> {
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

/// Wakes the sequencer every second until the engine is dropped. A full queue needs no tick: its
/// commits show whether the log can be written.
#[expect(clippy::disallowed_methods, reason = "this thread does nothing but wait")]
fn tick(commands: &mpsc::WeakSender<Command>) {
    loop {
        std::thread::sleep(TICK_EVERY);
        let Some(commands) = commands.upgrade() else { return };
        drop(commands.try_send(Command::Tick));
    }
}

#[async_trait]
impl Log for EmbeddedBus {
    async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError> {
        common_topic(&drafts)?;
        let timer = self.metrics.publish_duration_seconds.start_timer();
        let result = self.send(|reply| Command::Publish { drafts, reply }).await;
        timer.observe_duration();
        result
    }

    fn pulse(&self, room: &RoomId, pulse: PulseDraft) {
        if let Some(state) = self.topics.get(&Topic::Room(room.clone())) {
            state.events.send(&Event::Pulse(Arc::new(pulse)));
        }
    }

    async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        let state = self.topics.get_or_create(topic);
        // The sequencer appends and sends under this lock: exactly the messages after this
        // position arrive.
        let log = state.log.lock();
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
            Some(state) => state.log.lock().range(after, before, limits),
            None => TopicLog::starting_at(self.topics.base()).range(after, before, limits),
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
    ) -> Result<Vec<Stored>, BusError> {
        let stored = |message: Arc<Message>| Stored { at: message.sequence, message };
        if let Some(messages) = self.recent.read(after, limit) {
            return Ok(messages.into_iter().map(stored).collect());
        }
        let reader = Arc::clone(&self.reader);
        let condition = Arc::clone(&self.condition);
        let read = move || {
            reader.lock().room_messages(after, limit).inspect_err(|error| condition.read_failed(error))
        };
        let read = match self.reads {
            Reads::Elsewhere => tokio::task::spawn_blocking(read).await,
            Reads::Here => Ok(read()),
        };
        match read {
            Ok(Ok(messages)) => Ok(messages.into_iter().map(stored).collect()),
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
}

#[async_trait]
impl SettingsStore for EmbeddedBus {
    fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.clone()
    }

    async fn change(&self, change: Change) -> Result<Changed, BusError> {
        self.send(|reply| Command::Change { change: Box::new(change), reply }).await
    }

    async fn catch_up(&self, _room: &RoomId) -> Result<(), BusError> {
        // This process makes all changes itself, and a change is in force before it is durable to others.
        Ok(())
    }
}

#[async_trait]
impl Registry for EmbeddedBus {
    async fn report(&self, report: InstanceReport) -> Result<(), BusError> {
        let mut instances = self.instances.lock();
        instances.retain(|_, (_, at)| at.elapsed() < SILENCE_MAX);
        let key = (report.role, report.id.clone());
        if instances.len() >= INSTANCES_MAX && !instances.contains_key(&key) {
            return Err(BusError::Full("instance"));
        }
        instances.insert(key, (report, barrage_clock::now()));
        Ok(())
    }

    fn instances(&self) -> Vec<Registered> {
        let instances = self.instances.lock();
        instances
            .values()
            .map(|(report, at)| Registered { report: report.clone(), age: at.elapsed() })
            .filter(|registered| registered.age < SILENCE_MAX)
            .collect()
    }
}
