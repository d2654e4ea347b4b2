//! The queue of votes: many voters share one transaction, and each waits for its end.

use std::collections::HashSet;
use std::time::Duration;

use barrage_class::Counts;
use barrage_ledger::{Book, Fate, Ledger};
use barrage_protocol::code::Refusal;
use barrage_protocol::poll::VoteAnswer;
use barrage_protocol::{Class, Code, MessageId, RoomId};
use barrage_store::{Cast, PollStore, Vote};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::metrics::UplinkMetrics;

/// Milliseconds after which a vote may be sent again when the queue is full or the store is away.
const RETRY_MS: u64 = 1_000;
/// Longest wait of a voter for the store.
const WAIT: Duration = Duration::from_secs(10);

/// A vote, and the voter who waits for its fate.
#[derive(Debug)]
struct Pending {
    vote: Vote,
    reply: oneshot::Sender<Cast>,
}

/// Votes on their way into the store. A vote is answered when it is durable.
pub(super) struct VoteQueue {
    sender: mpsc::Sender<Pending>,
    waiting: Mutex<Option<mpsc::Receiver<Pending>>>,
    commit_votes_max: usize,
    metrics: UplinkMetrics,
    ledger: Ledger,
    /// Polls whose votes have changed since they were taken last.
    changed: Mutex<HashSet<(RoomId, MessageId)>>,
}

impl VoteQueue {
    pub(super) fn new(
        waiting_max: usize,
        commit_votes_max: usize,
        metrics: UplinkMetrics,
        ledger: Ledger,
    ) -> Self {
        let (sender, waiting) = mpsc::channel(waiting_max.max(1));
        let waiting = Mutex::new(Some(waiting));
        VoteQueue { sender, waiting, commit_votes_max, metrics, ledger, changed: Mutex::default() }
    }

    /// Counts a vote, and returns when it is durable.
    ///
    /// # Errors
    /// `poll_closed` and `not_found` by the state of the poll; `overloaded` when the queue is full, and
    /// `unavailable` when the store does not answer: the same vote may be sent again, and counts once.
    pub(super) async fn cast(&self, vote: Vote) -> Result<VoteAnswer, Refusal> {
        let (reply, answer) = oneshot::channel();
        let (poll, option) = (vote.poll.clone(), vote.option);
        match self.sender.try_send(Pending { vote, reply }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                let message = "too many votes wait; send it again";
                return Err(Refusal::new(Code::Overloaded, message).retry_after_ms(RETRY_MS));
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(unconfirmed()),
        }
        match tokio::time::timeout(WAIT, answer).await {
            Ok(Ok(Cast::Counted)) => Ok(VoteAnswer { poll, option, duplicate: false }),
            Ok(Ok(Cast::Already(option))) => Ok(VoteAnswer { poll, option, duplicate: true }),
            Ok(Ok(Cast::Closed)) => Err(Refusal::new(Code::PollClosed, "the poll is closed")),
            Ok(Ok(Cast::Unknown)) => Err(super::control::no_poll()),
            Ok(Err(_)) | Err(_) => Err(unconfirmed()),
        }
    }

    /// Returns the polls whose votes have changed since the last call.
    pub(super) fn take_changed(&self) -> HashSet<(RoomId, MessageId)> {
        std::mem::take(&mut *self.changed.lock())
    }

    /// Writes votes until the shutdown, and then those that wait.
    pub(super) async fn run(&self, store: &dyn PollStore, shutdown: CancellationToken) {
        let Some(mut waiting) = self.waiting.lock().take() else { return };
        let mut book = self.ledger.book("votes");
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                received = waiting.recv_many(&mut batch, self.commit_votes_max) => {
                    if received == 0 {
                        return;
                    }
                    self.write(store, &mut batch, &mut book).await;
                }
                () = shutdown.cancelled() => waiting.close(),
            }
        }
    }

    /// Writes a batch, and answers its voters. Those of a batch that failed get no answer.
    async fn write(&self, store: &dyn PollStore, batch: &mut Vec<Pending>, book: &mut Book) {
        let (votes, replies): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|pending| (pending.vote, pending.reply)).unzip();
        // A vote is as precious as a gift: it is never dropped, and counts once.
        let one = Counts::one(Class::Gift);
        book.took(&one, votes.len() as u64);
        match store.cast_votes(&votes).await {
            Ok(casts) => {
                let mut changed = self.changed.lock();
                for ((vote, cast), reply) in votes.into_iter().zip(casts).zip(replies) {
                    let fate = if cast == Cast::Counted { Fate::PassedOn } else { Fate::LeftOut };
                    book.became(fate, &one, 1);
                    self.metrics.voted(label(cast), 1);
                    if cast == Cast::Counted {
                        changed.insert((vote.room, vote.poll));
                    }
                    // A voter that has gone finds its vote counted when it votes again.
                    let _gone = reply.send(cast);
                }
            }
            Err(error) => {
                tracing::warn!(%error, votes = votes.len(), "votes were not written");
                book.became(Fate::LeftOut, &one, votes.len() as u64);
                self.metrics.voted("failed", votes.len() as u64);
            }
        }
        book.settle(&Counts::ZERO);
    }
}

/// Values of the label `outcome` of votes.
const fn label(cast: Cast) -> &'static str {
    match cast {
        Cast::Counted => "counted",
        Cast::Already(_) => "duplicate",
        Cast::Closed => "closed",
        Cast::Unknown => "unknown",
    }
}

fn unconfirmed() -> Refusal {
    let message = "the vote was not confirmed; send it again, it counts once";
    Refusal::new(Code::Unavailable, message).retry_after_ms(RETRY_MS)
}
