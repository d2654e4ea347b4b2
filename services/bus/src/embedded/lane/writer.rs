//! The thread that writes the lane: all appends that wait share one synced commit.

use barrage_clock::Clock;
use barrage_protocol::Sequence;
use tokio::sync::{mpsc, oneshot, watch};

use super::file::LaneFile;
use crate::error::BusError;
use crate::lanes::{LaneDraft, LaneReceipt};

/// Appends of one commit.
const COMMIT_APPENDS_MAX: usize = 1_024;

type Reply<T> = oneshot::Sender<Result<T, BusError>>;

/// What the writer is asked for.
pub(super) enum Command {
    Append { drafts: Vec<LaneDraft>, reply: Reply<Vec<LaneReceipt>> },
    Forget { up_to: Sequence, before_ms: u64, reply: Reply<u64> },
}

pub(super) struct Writer<C> {
    file: LaneFile,
    queue: mpsc::Receiver<Command>,
    tail: watch::Sender<Sequence>,
    clock: C,
}

impl<C: Clock> Writer<C> {
    pub(super) fn new(
        file: LaneFile,
        queue: mpsc::Receiver<Command>,
        tail: watch::Sender<Sequence>,
        clock: C,
    ) -> Self {
        Writer { file, queue, tail, clock }
    }

    /// Runs until the engine is dropped.
    pub(super) fn run(mut self) {
        let mut taken = Vec::new();
        while let Some(first) = self.queue.blocking_recv() {
            taken.push(first);
            while taken.len() < COMMIT_APPENDS_MAX
                && let Ok(next) = self.queue.try_recv()
            {
                taken.push(next);
            }
            self.turn(&mut taken);
        }
    }

    fn turn(&mut self, taken: &mut Vec<Command>) {
        let mut appends = Vec::new();
        for command in taken.drain(..) {
            match command {
                Command::Append { drafts, reply } => appends.push((drafts, reply)),
                Command::Forget { up_to, before_ms, reply } => {
                    let forgotten = self.file.forget(up_to, before_ms);
                    answer(reply, forgotten.map_err(|error| BusError::Unavailable(error.to_string())));
                }
            }
        }
        if appends.is_empty() {
            return;
        }
        let (drafts, replies): (Vec<_>, Vec<_>) = appends.into_iter().unzip();
        match self.file.append(&drafts, self.clock.unix_ms()) {
            Ok(results) => {
                // Readers are told before callers are answered: who has an answer can read the entry.
                self.tail.send_replace(self.file.last());
                for (reply, result) in replies.into_iter().zip(results) {
                    answer(reply, result);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "inbox events could not be written");
                for reply in replies {
                    answer(reply, Err(BusError::Unavailable("it could not be written".into())));
                }
            }
        }
    }
}

/// Answers a caller; one that has gone needs no answer.
fn answer<T>(reply: Reply<T>, result: Result<T, BusError>) {
    drop(reply.send(result));
}
