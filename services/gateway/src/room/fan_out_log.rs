use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barrage_protocol::{RoomId, Sequence};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use super::{SharedBatch, Tally};

/// Batches remembered over all rooms; the oldest are forgotten.
const BATCHES_MAX: usize = 4_096;

/// Fan-out of one batch; shards add their viewers as they write.
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
    /// `at_ms` is Unix time; `heat` and `overload` are labels.
    pub(crate) fn new(batch: &SharedBatch, at_ms: u64, heat: &'static str, overload: &'static str) -> Self {
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

    /// Adds one shard's viewers, by the outcome of their writes.
    pub(crate) fn add(&self, tally: &Tally) {
        self.viewers.fetch_add(tally.viewers, Ordering::Relaxed);
        self.written.fetch_add(tally.written, Ordering::Relaxed);
        self.queued.fetch_add(tally.queued, Ordering::Relaxed);
        self.gone.fetch_add(tally.gone, Ordering::Relaxed);
    }

    fn covers(&self, room: &RoomId, sequence: Sequence) -> bool {
        self.room == *room && self.previous < sequence && sequence <= self.sequence
    }
}

/// Fan-out of one message, as the admin API answers it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FanOutView {
    /// Unix milliseconds when its batch was sent.
    at_ms: u64,
    /// Messages in its batch; those that were dropped are not counted.
    batch_messages: usize,
    /// Whether the message was dropped from the batch, for all viewers alike.
    thinned: bool,
    /// Heat of the room at that time.
    heat: &'static str,
    /// Overload level of the gateway at that time.
    overload: &'static str,
    /// Viewers that the batch was due to: the sum of the next three.
    viewers: u64,
    /// Viewers whose sockets took the batch at once.
    written: u64,
    /// Viewers whose sockets were full, so that the batch was queued.
    queued: u64,
    /// Viewers whose sockets had failed, or whose queue could not hold the rest of the frame.
    gone: u64,
}

/// Fan-outs of the newest batches, which answer why a message was seen or not.
#[derive(Debug, Default)]
pub(crate) struct FanOutLog(Mutex<VecDeque<Arc<FanOut>>>);

impl FanOutLog {
    pub(crate) fn push(&self, fan_out: Arc<FanOut>) {
        let mut newest = self.0.lock();
        if newest.len() >= BATCHES_MAX {
            newest.pop_front();
        }
        newest.push_back(fan_out);
    }

    /// Finds the batch that the message at this position was in, or was dropped from. For a room
    /// that is served in waves, the first wave's batch with the viewers of all waves.
    pub(crate) fn find(&self, room: &RoomId, sequence: Sequence) -> Option<FanOutView> {
        let newest = self.0.lock();
        let found: Vec<_> = newest.iter().filter(|batch| batch.covers(room, sequence)).collect();
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

#[cfg(test)]
mod tests {
    use barrage_protocol::Class;

    use super::*;
    use crate::room::batch_of;

    #[test]
    fn a_message_is_found_in_its_batch_with_the_viewers_of_all_waves() {
        let log = FanOutLog::default();
        let room = "demo".parse().unwrap();
        for previous in [0, 2, 2] {
            let batch = batch_of(previous, &[Class::Chat, Class::Gift]);
            let fan_out = Arc::new(FanOut::new(&batch, 9, "warm", "normal"));
            fan_out.add(&Tally { viewers: 5, written: 4, queued: 1, ..Tally::default() });
            log.push(fan_out);
        }
        let view = log.find(&room, Sequence(3)).unwrap();
        assert_eq!((view.viewers, view.written, view.queued, view.gone), (10, 8, 2, 0));
        assert!(!view.thinned);
        assert!(log.find(&room, Sequence(5)).is_none());
        assert!(log.find(&"other".parse().unwrap(), Sequence(3)).is_none());
    }
}
