//! The one thread that gives positions: it takes what is waiting, writes it in one
//! commit, and only then shows it to anybody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::{Message, Sequence};
use tokio::sync::{mpsc, oneshot, watch};

use super::condition::Condition;
use super::engine::{Topics, lock};
use super::journal::{Entry, Journal};
use super::topic_log::{DedupKey, Seen, is_sequenced};
use crate::bus::{BusError, Draft, Event, Receipt, Topic};
use crate::change::{Change, Changed};
use crate::clock::LogClock;
use crate::config::BusConfig;
use crate::metrics::BusMetrics;
use crate::settings::Settings;

/// Commands taken into one commit at most.
const COMMIT_COMMANDS_MAX: usize = 1_024;
/// How often old messages are looked for, by the log's clock.
const SWEEP_EVERY_MS: u64 = 5_000;
/// How often a log that nobody writes is probed.
pub(crate) const TICK_EVERY: Duration = Duration::from_secs(1);

pub(crate) type Reply<T> = oneshot::Sender<Result<T, BusError>>;

pub(crate) enum Command {
    Publish {
        drafts: Vec<Draft>,
        reply: Reply<Vec<Receipt>>,
    },
    Change {
        change: Change,
        reply: Reply<Changed>,
    },
    /// Comes every second: see whether the log can be written, and remove what is old.
    Tick,
}

pub(crate) struct Sequencer {
    pub(crate) journal: Journal,
    pub(crate) topics: Arc<Topics>,
    pub(crate) settings: watch::Sender<Arc<Settings>>,
    pub(crate) tail: watch::Sender<Sequence>,
    pub(crate) config: BusConfig,
    pub(crate) metrics: BusMetrics,
    pub(crate) next: u64,
    /// The newest position of a commit of this process; zero before the first.
    pub(crate) committed: Sequence,
    pub(crate) clock: LogClock,
    pub(crate) condition: Arc<Condition>,
    /// When it last removed old messages, by the log's clock.
    pub(crate) swept_ms: u64,
}

/// A publish whose messages are in the open commit.
struct Waiting {
    receipts: Vec<Receipt>,
    reply: Reply<Vec<Receipt>>,
}

/// What the open commit adds to the chains before it is durable.
#[derive(Default)]
struct Commit {
    entries: Vec<Entry>,
    lasts: HashMap<Topic, Sequence>,
    seen: HashMap<(Topic, DedupKey), Seen>,
    waiting: Vec<Waiting>,
}

impl Sequencer {
    /// Runs until every sender is gone.
    pub(crate) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut taken = Vec::with_capacity(COMMIT_COMMANDS_MAX);
        while commands.blocking_recv_many(&mut taken, COMMIT_COMMANDS_MAX) > 0 {
            self.turn(&mut taken);
        }
    }

    /// Takes the commands of one turn.
    pub(crate) fn turn(&mut self, taken: &mut Vec<Command>) {
        let ticks = taken.iter().any(|command| matches!(command, Command::Tick));
        let wrote = self.commit(taken);
        if ticks {
            self.tick(wrote);
        }
        if self.clock.now_ms().saturating_sub(self.swept_ms) > SWEEP_EVERY_MS {
            self.sweep();
        }
    }

    /// Returns whether messages were written.
    fn commit(&mut self, taken: &mut Vec<Command>) -> bool {
        let now_ms = self.clock.unix_ms();
        let mut commit = Commit::default();
        let mut changes = Vec::new();
        for command in taken.drain(..) {
            match command {
                Command::Publish { drafts, reply } => match self.stage(drafts, now_ms, &mut commit) {
                    Ok(receipts) => commit.waiting.push(Waiting { receipts, reply }),
                    Err(error) => answer(reply, Err(error)),
                },
                Command::Change { change, reply } => changes.push((change, reply)),
                Command::Tick => {}
            }
        }
        let wrote = self.finish(commit);
        for (change, reply) in changes {
            let result = self.change(&change, now_ms);
            answer(reply, result);
        }
        wrote
    }

    /// Looks whether the log is there and can be written, and notes where it stands.
    fn tick(&mut self, wrote: bool) {
        self.condition.found(self.journal.missing());
        if !wrote {
            match self.journal.probe(self.clock.now_ms(), self.condition.write_fails()) {
                Ok(()) => self.condition.written(),
                Err(error) => self.condition.write_failed(&error),
            }
        }
        if let Err(error) = self.journal.note_mark(self.committed) {
            tracing::debug!(%error, "the log's high-water mark could not be written");
        }
    }

    /// Gives positions to one publish's drafts, all or none.
    fn stage(
        &mut self,
        drafts: Vec<Draft>,
        now_ms: u64,
        commit: &mut Commit,
    ) -> Result<Vec<Receipt>, BusError> {
        let clock_ms = self.clock.now_ms();
        let mut found = Vec::with_capacity(drafts.len());
        let mut own = HashMap::new();
        for draft in &drafts {
            let seen = self.seen(draft, commit);
            let key = draft.id.as_ref().map(|id| (draft.topic(), &draft.sender, id));
            let first = key.map_or(draft.fingerprint, |key| *own.entry(key).or_insert(draft.fingerprint));
            if first != draft.fingerprint || seen.is_some_and(|seen| seen.fingerprint != draft.fingerprint) {
                return Err(BusError::Conflict);
            }
            found.push(seen);
        }
        let mut receipts = Vec::with_capacity(drafts.len());
        for (draft, seen) in drafts.into_iter().zip(found) {
            debug_assert!(is_sequenced(draft.class));
            // The same id twice within this publish is a duplicate of itself.
            let seen = seen.or_else(|| self.seen(&draft, commit));
            if let Some(seen) = seen {
                self.metrics.duplicate(draft.class).inc();
                receipts.push(Receipt { sequence: seen.sequence, at_ms: 0, duplicate: true });
                continue;
            }
            let sequence = Sequence(self.next);
            self.next += 1;
            let topic = draft.topic();
            let previous = match commit.lasts.get(&topic) {
                Some(last) => *last,
                None => self.topics.last(&topic),
            };
            commit.lasts.insert(topic.clone(), sequence);
            if let Some(id) = &draft.id {
                let key = (topic.clone(), (draft.sender.clone(), id.clone()));
                commit.seen.insert(key, Seen { sequence, fingerprint: draft.fingerprint });
            }
            let message = Arc::new(Message {
                room: draft.room,
                sequence,
                previous,
                class: draft.class,
                sender: draft.sender,
                id: draft.id,
                to: draft.to,
                at_ms: now_ms,
                body: draft.body,
            });
            commit.entries.push(Entry { message, topic, fingerprint: draft.fingerprint, clock_ms });
            receipts.push(Receipt { sequence, at_ms: now_ms, duplicate: false });
        }
        Ok(receipts)
    }

    fn seen(&self, draft: &Draft, commit: &Commit) -> Option<Seen> {
        let key = (draft.sender.clone(), draft.id.clone()?);
        let topic = draft.topic();
        self.topics.seen(&topic, &key).or_else(|| commit.seen.get(&(topic, key)).copied())
    }

    /// Makes the commit durable, then visible, then answered: in this order. Returns whether
    /// anything was written.
    fn finish(&mut self, commit: Commit) -> bool {
        if let Err(error) = self.journal.append(&commit.entries) {
            self.metrics.log_failures.inc();
            self.condition.write_failed(&error);
            for Waiting { reply, .. } in commit.waiting {
                answer(reply, Err(BusError::Unavailable("it could not be written".into())));
            }
            return false;
        }
        let wrote = !commit.entries.is_empty();
        if let Some(last) = commit.entries.last() {
            self.metrics
                .commit_messages
                .observe(f64::from(u32::try_from(commit.entries.len()).unwrap_or(u32::MAX)));
            self.committed = last.message.sequence;
            self.tail.send_replace(last.message.sequence);
            self.condition.written();
        }
        for Entry { message, topic, fingerprint, clock_ms } in commit.entries {
            self.metrics.published(message.class).inc();
            let state = self.topics.get_or_create(&topic);
            // Under one lock, which a subscriber holds while it reads where it begins.
            let mut log = lock(&state.log);
            log.push(Arc::clone(&message), fingerprint, clock_ms, &self.config);
            // No subscriber is fine: the message is in the log.
            state.events.send(&Event::Message(message));
        }
        for Waiting { receipts, reply } in commit.waiting {
            answer(reply, Ok(receipts));
        }
        wrote
    }

    /// Applies one change. This thread alone changes the settings, so nothing comes between what
    /// the change reads and what it writes.
    fn change(&mut self, change: &Change, now_ms: u64) -> Result<Changed, BusError> {
        let mut settings = Settings::clone(&self.settings.borrow());
        let changed = settings.apply(change, &self.config, now_ms)?;
        let stored = self.journal.put(&change.key(), changed.after.as_ref());
        stored.map_err(|error| BusError::Unavailable(error.to_string()))?;
        self.settings.send_replace(Arc::new(settings));
        Ok(changed)
    }

    fn sweep(&mut self) {
        let now_ms = self.clock.now_ms();
        self.swept_ms = now_ms;
        self.topics.expire(now_ms, &self.config);
        if let Err(error) =
            self.journal.sweep(now_ms.saturating_sub(self.config.log_secs.saturating_mul(1_000)))
        {
            tracing::warn!(%error, "old messages could not be removed from the log");
        }
    }
}

/// The caller may have given up; the message stays accepted, and its retry under
/// the same id learns so.
fn answer<T>(reply: Reply<T>, result: Result<T, BusError>) {
    drop(reply.send(result));
}
