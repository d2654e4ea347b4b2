//! What became of the newest batches, for whoever asks why a message was (not) seen.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use barrage_protocol::{RoomId, Sequence};
use serde::Serialize;

use crate::shard::Tally;

/// Batches remembered over all rooms; the oldest are forgotten.
const BATCHES_MAX: usize = 4_096;

/// One batch's way to its viewers; shards add to it as they write.
#[derive(Debug)]
pub(crate) struct FanOut {
    room: RoomId,
    previous: Sequence,
    sequence: Sequence,
    kept: Box<[Sequence]>,
    at_ms: u64,
    heat: &'static str,
    overload: &'static str,
    viewers: AtomicU64,
    written: AtomicU64,
    queued: AtomicU64,
    gone: AtomicU64,
}

impl FanOut {
    pub(crate) fn new(
        batch: &crate::batch::SharedBatch,
        at_ms: u64,
        heat: &'static str,
        overload: &'static str,
    ) -> Self {
        FanOut {
            room: batch.room.clone(),
            previous: batch.previous,
            sequence: batch.sequence,
            kept: batch.messages.iter().map(|message| message.sequence).collect(),
            at_ms,
            heat,
            overload,
            viewers: AtomicU64::new(0),
            written: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            gone: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, tally: &Tally) {
        self.viewers.fetch_add(tally.viewers, Ordering::Relaxed);
        self.written.fetch_add(tally.written, Ordering::Relaxed);
        self.queued.fetch_add(tally.queued, Ordering::Relaxed);
        self.gone.fetch_add(tally.gone, Ordering::Relaxed);
    }
}

/// What a gateway knows of one message's way to its viewers.
#[derive(Debug, Serialize)]
pub(crate) struct FanOutView {
    /// Unix milliseconds when its batch was sent.
    at_ms: u64,
    /// Messages in its batch.
    batch_messages: usize,
    /// Left out of the batch, for all viewers alike.
    thinned: bool,
    heat: &'static str,
    overload: &'static str,
    /// Viewers that the batch was due to, and what became of it: written at once,
    /// queued because the socket was full, or the viewer had gone.
    viewers: u64,
    written: u64,
    queued: u64,
    gone: u64,
}

/// The newest batches.
#[derive(Debug, Default)]
pub(crate) struct FanOuts(Mutex<VecDeque<Arc<FanOut>>>);

impl FanOuts {
    pub(crate) fn push(&self, fan_out: Arc<FanOut>) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() >= BATCHES_MAX {
            newest.pop_front();
        }
        newest.push_back(fan_out);
    }

    /// The batch that the message at this position was in, or was left out of; the first
    /// of them where the room is served in waves, with the viewers of all.
    pub(crate) fn find(&self, room: &RoomId, sequence: Sequence) -> Option<FanOutView> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it =
            |batch: &FanOut| batch.room == *room && batch.previous < sequence && sequence <= batch.sequence;
        let found: Vec<_> = newest.iter().filter(|batch| is_it(batch)).collect();
        let first = found.first()?;
        let sum = |of: fn(&FanOut) -> &AtomicU64| found.iter().map(|it| of(it).load(Ordering::Relaxed)).sum();
        Some(FanOutView {
            at_ms: first.at_ms,
            batch_messages: first.kept.len(),
            thinned: first.kept.binary_search(&sequence).is_err(),
            heat: first.heat,
            overload: first.overload,
            viewers: sum(|it| &it.viewers),
            written: sum(|it| &it.written),
            queued: sum(|it| &it.queued),
            gone: sum(|it| &it.gone),
        })
    }
}
