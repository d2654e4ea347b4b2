use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::{Message, RoomId, Sequence};

use super::schedule::{Intake, OpenBatch, Schedule, Sending};
use crate::room::{Batcher, Pace};

/// How finely the room of a [`SteppedHub`] is served; the settings of the gateway have the same names.
#[derive(Debug, Clone, Copy)]
pub struct SteppedPace {
    /// Batching window while the room is busy.
    pub window: Duration,
    /// Messages at which a batch is full.
    pub messages_max: usize,
    /// Bytes of bodies at which a batch is full.
    pub bytes_max: usize,
    /// Bytes of bodies at which a batch is sent before its window ends.
    pub bytes_due: usize,
    /// Share of chat that is kept, 0 to 1.
    pub chat_share: f64,
}

impl SteppedPace {
    fn pace(self) -> Pace {
        let SteppedPace { window, messages_max, bytes_max, bytes_due, chat_share } = self;
        let (pulse, effort, trail_bytes) = (None, 1, 1_024);
        Pace { window, pulse, messages_max, bytes_max, bytes_due, chat_share, effort, trail_bytes }
    }
}

/// Batch for the viewers of one wave.
#[derive(Debug)]
pub struct SteppedBatch {
    /// Index of the wave.
    pub wave: usize,
    /// Position in the chain before the batch.
    pub previous: Sequence,
    /// Position in the chain after the batch.
    pub sequence: Sequence,
    /// Messages in chain order.
    pub messages: Vec<Arc<Message>>,
    /// Chat of the range that was dropped.
    pub dropped: u64,
}

/// Next step of a [`SteppedHub`]. Times are since the hub's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SteppedPlan {
    /// Whether a batch is to be sent now.
    pub sends_now: bool,
    /// Time from which messages are taken; `None` while a full batch waits for the shards.
    pub takes_at: Option<Duration>,
    /// Time at which the batch is sent; `None` without one, or while the shards still write the one before.
    pub sends_at: Option<Duration>,
}

/// Decisions of a hub, its batch and its schedule, without bus, shards and timers: a simulation makes the steps
/// of the hub's loop, in its own time.
#[derive(Debug)]
pub struct SteppedHub {
    batcher: Batcher,
    schedule: Schedule,
    room: RoomId,
}

impl SteppedHub {
    /// Creates the hub of a room whose chain is at `start`.
    #[must_use]
    pub fn new(room: RoomId, start: Sequence, pace: SteppedPace, collect_every: Duration) -> Self {
        let mut schedule = Schedule::default();
        schedule.collect_every = collect_every;
        SteppedHub { batcher: Batcher::new(start, pace.pace()), schedule, room }
    }

    /// Serves the room otherwise from now on.
    pub fn set_pace(&mut self, pace: SteppedPace) {
        self.batcher.pace = pace.pace();
    }

    /// Changes the number of waves. Messages that wait for a wave that ends are not sent.
    pub fn set_waves(&mut self, waves: usize) {
        let _resized = self.batcher.resize(waves);
    }

    /// Returns the next step. A batch that must wait for the egress limit waits for `egress`, once.
    pub fn plan(&mut self, now: Duration, is_in_flight: bool, egress: Duration) -> SteppedPlan {
        let due = self.batcher.due();
        let batch = OpenBatch {
            due,
            has_waiting: self.batcher.has_waiting(),
            has_precious: due.is_some_and(|due| due <= now) && self.batcher.has_precious(),
            is_full: self.batcher.is_full(),
            is_in_flight,
        };
        if self.schedule.needs_hold(&batch, now) {
            self.schedule.hold(now + egress);
        }
        let plan = self.schedule.plan(&batch, now);
        let takes_at = match plan.waits.intake {
            Intake::AtOnce => Some(now),
            Intake::At(at) => Some(at),
            Intake::Closed => None,
        };
        let sends_at = match plan.waits.sending {
            Sending::At(at) => Some(at),
            Sending::Idle | Sending::OnCompletion => None,
        };
        SteppedPlan { sends_now: plan.sends_now, takes_at, sends_at }
    }

    /// Whether no message is taken before a batch is sent.
    #[must_use]
    pub fn is_closed(&self, is_in_flight: bool) -> bool {
        self.schedule.is_closed(&self.batcher, is_in_flight)
    }

    /// Whether the batch waits for the egress limit.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.schedule.is_held()
    }

    /// Takes the next message of the chain. A full batch that cannot go yet loses a part of its chat.
    pub fn take(&mut self, message: Arc<Message>, now: Duration, is_in_flight: bool) {
        self.batcher.push(message, now);
        if self.batcher.is_full() && (is_in_flight || self.schedule.is_held()) {
            self.batcher.squeeze();
        }
    }

    /// Notes that all messages that had come were taken, or as many as one turn takes.
    pub fn collected(&mut self, now: Duration) {
        self.schedule.collected(now);
    }

    /// Returns the batch of the wave whose turn it is; `None` when no wave has news.
    pub fn flush(&mut self, now: Duration) -> Option<SteppedBatch> {
        self.schedule.take_hold();
        self.batcher.due()?;
        let flushed = self.batcher.flush(now, &self.room);
        let (wave, contents) = (flushed.wave, flushed.contents);
        let (previous, sequence) = (contents.previous, contents.sequence);
        Some(SteppedBatch {
            wave,
            previous,
            sequence,
            messages: contents.messages,
            dropped: contents.thinned,
        })
    }
}
