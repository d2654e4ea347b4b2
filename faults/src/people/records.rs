//! Shared list of a run, which the oracle judges.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::oracle::{Accepted, Kept};

/// What writers and devices record while they run.
#[derive(Debug, Default)]
pub(super) struct LetterRecords {
    pub(super) kept: Mutex<Kept>,
    /// Newest place of each lane that was accepted.
    pub(super) newest: Mutex<BTreeMap<u16, u64>>,
    /// Letters that were refused for good, or had no answer up to the end.
    pub(super) unanswered: AtomicU64,
    /// Letters that were answered `duplicate`: their first answer was lost.
    pub(super) repeated: AtomicU64,
    /// Requests for reads that were answered.
    pub(super) reads: AtomicU64,
    /// Durations of letters up to their answer, repeats included, in milliseconds.
    pub(super) answer_ms: Mutex<Vec<u32>>,
    /// Cancelled when writers must stop.
    pub(super) stop: CancellationToken,
    /// Cancelled when devices must stop.
    pub(super) end: CancellationToken,
}

impl LetterRecords {
    /// Notes a letter that is about to be sent.
    pub(super) fn sends(&self, text: &str) {
        self.kept.lock().sent.insert(text.to_owned());
    }

    /// Notes an accepted letter, whose conversation has these users.
    pub(super) fn accepts(&self, letter: Accepted, lane: u16, members: &[&str]) {
        let mut newest = self.newest.lock();
        let known = newest.entry(lane).or_default();
        *known = (*known).max(letter.sequence);
        drop(newest);
        let mut kept = self.kept.lock();
        let known = kept.members.entry(letter.conversation.clone()).or_default();
        known.extend(members.iter().map(|user| (*user).to_owned()));
        kept.accepted.push(letter);
    }

    /// Notes a read that is about to be asked for.
    pub(super) fn asks_read(&self, user: &str, conversation: &str, position: u64) {
        let mut kept = self.kept.lock();
        let reads = kept.reads.entry((user.to_owned(), conversation.to_owned())).or_default();
        reads.most = reads.most.max(position);
    }

    pub(super) fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
