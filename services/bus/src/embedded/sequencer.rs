//! The one thread that gives positions. It takes the queued commands, writes them in one commit,
//! and shows them to subscribers only when the commit is durable.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::{Message, Sequence};
use tokio::sync::{mpsc, watch};

use super::answers::{Answer, Answers, Reply, answer};
use super::condition::Condition;
use super::journal::{Entry, Journal, Probe};
use super::pace;
use super::recent::Recent;
use super::topics::Topics;
use crate::config::BusConfig;
use crate::error::BusError;
use crate::events::Event;
use crate::log::{Draft, Receipt, Topic};
use crate::log_clock::LogClock;
use crate::metrics::BusMetrics;
use crate::settings::Settings;
use crate::settings::change::Change;
use crate::settings::changed::Changed;
use crate::topic_log::{DedupKey, Seen, is_sequenced};

/// Maximum number of commands in one commit.
pub(super) const COMMIT_COMMANDS_MAX: usize = 1_024;
/// Time between two sweeps of old messages, by the log's clock.
const SWEEP_EVERY_MS: u64 = 5_000;
/// Time between two probes of a log that is not written.
pub(crate) const TICK_EVERY: Duration = Duration::from_secs(1);

pub(crate) enum Command {
    Publish {
        drafts: Vec<Draft>,
        reply: Reply<Vec<Receipt>>,
    },
    Change {
        change: Box<Change>,
        reply: Reply<Changed>,
    },
    /// Tests whether the log can be written. Sent every [`TICK_EVERY`].
    Tick,
}

pub(crate) struct Sequencer {
    pub(crate) journal: Journal,
    pub(crate) topics: Arc<Topics>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) settings: watch::Sender<Arc<Settings>>,
    pub(crate) tail: watch::Sender<Sequence>,
    pub(crate) config: BusConfig,
    pub(crate) metrics: BusMetrics,
    pub(crate) next: u64,
    /// Newest position that this process has committed; zero before the first.
    pub(crate) committed: Sequence,
    pub(crate) clock: LogClock,
    pub(crate) condition: Arc<Condition>,
    pub(crate) answers: Answers,
    pub(crate) open: Commit,
    /// Time of the last sweep, by the log's clock.
    pub(crate) swept_ms: u64,
}

/// A publish whose messages are in the open commit.
struct Waiting {
    receipts: Vec<Receipt>,
    reply: Reply<Vec<Receipt>>,
}

/// Entries for which the lists and maps of a commit keep their memory.
const KEPT_ENTRIES: usize = 4_096;

/// Messages of the open commit, which is not durable yet. Its lists and maps keep their memory from commit to
/// commit, up to [`KEPT_ENTRIES`].
#[derive(Default)]
pub(crate) struct Commit {
    entries: Vec<Entry>,
    lasts: HashMap<Topic, Sequence>,
    seen: HashMap<(Topic, DedupKey), Seen>,
    waiting: Vec<Waiting>,
}

impl Commit {
    /// Forgets a commit that is over. A commit has a topic and a caller for each command, and many entries.
    fn clear(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(KEPT_ENTRIES);
        self.lasts.clear();
        self.seen.clear();
        self.seen.shrink_to(KEPT_ENTRIES);
    }
}

impl Sequencer {
    /// Runs until every sender of commands is dropped. Rests after a commit of messages that was not full.
    #[expect(clippy::disallowed_methods, reason = "this thread has nothing else to do in a rest")]
    pub(crate) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut taken = Vec::with_capacity(COMMIT_COMMANDS_MAX);
        let commands_max = COMMIT_COMMANDS_MAX.min(self.config.queue_max);
        while commands.blocking_recv_many(&mut taken, COMMIT_COMMANDS_MAX) > 0 {
            let (before, count) = (pace::thread_time(), taken.len());
            if self.turn(&mut taken) {
                let cost = pace::thread_time().saturating_sub(before);
                std::thread::sleep(pace::rest_after(cost, count, commands_max));
            }
        }
    }

    /// Commits the queued commands, then probes and sweeps the log when that is due. Returns whether
    /// messages were written.
    fn turn(&mut self, taken: &mut Vec<Command>) -> bool {
        let ticks = taken.iter().any(|command| matches!(command, Command::Tick));
        let wrote = self.commit(taken);
        if ticks {
            self.tick(wrote);
        }
        self.sweep_when_due();
        wrote
    }

    /// Removes old messages, at most once in [`SWEEP_EVERY_MS`].
    pub(super) fn sweep_when_due(&mut self) {
        if self.clock.now_ms().saturating_sub(self.swept_ms) > SWEEP_EVERY_MS {
            self.sweep();
        }
    }

    /// Writes all queued publishes in one transaction, then each change of a setting in its own. Returns
    /// whether messages were written; a change does not count.
    pub(super) fn commit(&mut self, taken: &mut Vec<Command>) -> bool {
        let now_ms = self.clock.unix_ms();
        let mut commit = std::mem::take(&mut self.open);
        let mut changes = Vec::new();
        for command in taken.drain(..) {
            match command {
                Command::Publish { drafts, reply } => match self.stage(drafts, now_ms, &mut commit) {
                    Ok(receipts) => commit.waiting.push(Waiting { receipts, reply }),
                    Err(error) => answer(reply, Err(error)),
                },
                Command::Change { change, reply } => changes.push((*change, reply)),
                Command::Tick => {}
            }
        }
        let wrote = self.finish(&mut commit);
        commit.clear();
        self.open = commit;
        for (change, reply) in changes {
            let result = self.change(&change, now_ms);
            answer(reply, result);
        }
        wrote
    }

    /// Tests whether the log file exists and can be written, and updates the mark.
    pub(super) fn tick(&mut self, wrote: bool) {
        self.condition.set_missing(self.journal.missing());
        if !wrote {
            let size = if self.condition.write_fails() { Probe::Large } else { Probe::Small };
            match self.journal.probe(self.clock.now_ms(), size) {
                Ok(()) => self.condition.written(),
                Err(error) => self.condition.write_failed(&error),
            }
        }
        if let Err(error) = self.journal.note_mark(self.committed) {
            tracing::debug!(%error, "the log's high-water mark could not be written");
        }
    }

    /// Gives positions to the drafts of one publish, to all or to none.
    fn stage(
        &mut self,
        drafts: Vec<Draft>,
        now_ms: u64,
        commit: &mut Commit,
    ) -> Result<Vec<Receipt>, BusError> {
        let clock_ms = self.clock.now_ms();
        let is_alone = drafts.len() == 1;
        let mut found = Vec::with_capacity(drafts.len());
        let mut own = HashMap::new();
        for draft in &drafts {
            let seen = self.seen(draft, commit);
            let key = draft.id.as_ref().filter(|_| !is_alone).map(|id| (draft.topic(), &draft.sender, id));
            let first = key.map_or(draft.fingerprint, |key| *own.entry(key).or_insert(draft.fingerprint));
            if first != draft.fingerprint || seen.is_some_and(|seen| seen.fingerprint != draft.fingerprint) {
                return Err(BusError::Conflict);
            }
            found.push(seen);
        }
        let mut receipts = Vec::with_capacity(drafts.len());
        for (draft, seen) in drafts.into_iter().zip(found) {
            debug_assert!(is_sequenced(draft.class));
            // The same id twice within this publish: the second one is a duplicate.
            let seen = seen.or_else(|| if is_alone { None } else { self.seen(&draft, commit) });
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
                trace: draft.trace,
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

    /// Writes the commit, then shows its messages to subscribers, then answers its callers: in
    /// this order. Returns whether messages were written.
    fn finish(&mut self, commit: &mut Commit) -> bool {
        if let Err(error) = self.journal.append(&commit.entries) {
            self.metrics.log_failures.inc();
            self.condition.write_failed(&error);
            let refused = |Waiting { reply, .. }| Answer {
                reply,
                result: Err(BusError::Unavailable("it could not be written".into())),
            };
            commit.entries.clear();
            self.answers.give(commit.waiting.drain(..).map(refused).collect());
            return false;
        }
        let wrote = !commit.entries.is_empty();
        if let Some(last) = commit.entries.last() {
            self.metrics
                .commit_messages
                .observe(f64::from(u32::try_from(commit.entries.len()).unwrap_or(u32::MAX)));
            self.committed = last.message.sequence;
            // Before the tail: a reader that sees the tail finds all messages up to it.
            self.recent.add(commit.entries.iter().filter_map(Entry::of_room));
            self.tail.send_replace(last.message.sequence);
            self.condition.written();
        }
        for Entry { message, topic, fingerprint, clock_ms } in commit.entries.drain(..) {
            self.metrics.published(message.class).inc();
            let state = self.topics.get_or_create(&topic);
            // A subscriber reads its start position under the same lock.
            let mut log = state.log.lock();
            log.push(Arc::clone(&message), fingerprint, clock_ms, &self.config);
            state.events.send(&Event::Message(message));
        }
        let accepted = |Waiting { receipts, reply }| Answer { reply, result: Ok(receipts) };
        self.answers.give(commit.waiting.drain(..).map(accepted).collect());
        wrote
    }

    /// Applies one change. This thread alone changes the settings, so the value cannot change
    /// between read and write. A copy that a reader holds shares all but the changed part.
    fn change(&mut self, change: &Change, now_ms: u64) -> Result<Changed, BusError> {
        let changed = self.settings.borrow().decide(change, &self.config, now_ms)?;
        let key = change.key();
        let stored = self.journal.put(&key, changed.after.as_ref());
        stored.map_err(|error| BusError::Unavailable(error.to_string()))?;
        let after = changed.after.clone();
        self.settings.send_modify(|settings| {
            let settings = Arc::make_mut(settings);
            settings.forget_old(&self.config, now_ms);
            settings.put(key, after);
        });
        Ok(changed)
    }

    fn sweep(&mut self) {
        let now_ms = self.clock.now_ms();
        self.swept_ms = now_ms;
        self.topics.expire(now_ms, &self.config);
        self.recent.expire(now_ms);
        if let Err(error) =
            self.journal.sweep(now_ms.saturating_sub(self.config.log_secs.saturating_mul(1_000)))
        {
            tracing::warn!(%error, "old messages could not be removed from the log");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_large_commit_is_given_back() {
        let (mut commit, packages) = (Commit::default(), 64 * COMMIT_COMMANDS_MAX);
        commit.entries.reserve(packages);
        commit.seen.reserve(packages);
        commit.clear();
        for kept in [commit.entries.capacity(), commit.seen.capacity()] {
            assert!((KEPT_ENTRIES..=2 * KEPT_ENTRIES).contains(&kept), "{kept}");
        }
    }
}
