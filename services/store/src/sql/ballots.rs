//! A batch of votes on its way into the store. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use barrage_protocol::{MessageId, RoomId};

use crate::records::poll::{Cast, Vote};

/// What the store has about a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It takes votes, under this number.
    Open(i64),
    Closed,
}

/// Polls of a batch that the store has.
pub(crate) type Polls<'a> = HashMap<(&'a RoomId, &'a MessageId), Found>;

/// Key of a stored vote: number of the poll, and voter.
pub(crate) type VoteKey = (i64, String);

/// Returns the polls that a batch is about, each once, in the order of the keys. All writers lock in
/// this order, so that two batches cannot deadlock.
pub(crate) fn polls(votes: &[Vote]) -> Vec<(&RoomId, &MessageId)> {
    let mut all: Vec<_> = votes.iter().map(|vote| (&vote.room, &vote.poll)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Returns the first vote of each voter in each open poll, in the order of the keys.
pub(crate) fn firsts<'a>(votes: &'a [Vote], polls: &Polls<'_>) -> BTreeMap<(i64, &'a str), u8> {
    let mut firsts = BTreeMap::new();
    for vote in votes {
        if let Some(Found::Open(number)) = polls.get(&(&vote.room, &vote.poll)) {
            firsts.entry((*number, vote.voter.as_str())).or_insert(vote.option);
        }
    }
    firsts
}

/// Returns what the sums of each poll and option grow by.
pub(crate) fn sums(firsts: &BTreeMap<(i64, &str), u8>, new: &HashSet<VoteKey>) -> BTreeMap<(i64, u8), i64> {
    let mut sums = BTreeMap::new();
    for ((poll, voter), option) in firsts {
        if new.contains(&(*poll, (*voter).to_owned())) {
            *sums.entry((*poll, *option)).or_default() += 1;
        }
    }
    sums
}

/// Answers each vote of the batch. `new` has the votes that were stored by this batch, and `known`
/// those that the store had before it.
pub(crate) fn answers(
    votes: &[Vote],
    polls: &Polls<'_>,
    firsts: &BTreeMap<(i64, &str), u8>,
    mut new: HashSet<VoteKey>,
    known: &HashMap<VoteKey, u8>,
) -> Vec<Cast> {
    let answer = |vote: &Vote| match polls.get(&(&vote.room, &vote.poll)) {
        None => Cast::Unknown,
        Some(Found::Closed) => Cast::Closed,
        Some(Found::Open(number)) => {
            let key = (*number, vote.voter.as_str().to_owned());
            if new.remove(&key) {
                return Cast::Counted;
            }
            let first = firsts.get(&(*number, vote.voter.as_str())).copied();
            Cast::Already(known.get(&key).copied().or(first).unwrap_or(vote.option))
        }
    };
    votes.iter().map(answer).collect()
}
