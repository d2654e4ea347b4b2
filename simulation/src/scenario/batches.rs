//! The batches of a room's hub: what is taken, what is dropped, and when it goes. Shards write slowly or not at all
//! for a while, the egress limit holds batches back, and waves and pace change, in a time of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use barrage_gateway::{SteppedBatch, SteppedHub, SteppedPace};
use barrage_protocol::{Class, Message, Sequence};

use super::kind::{Broken, Kind, Scenario};
use crate::must;
use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::trace::Trace;

/// The batches of a hub, with the schedule that sends them.
pub(super) const BATCHES: Kind = Kind {
    name: "batches",
    about: "each wave of viewers gets a closed chain with every gift, in bounded batches and in time",
    events: 60,
    mutations: &[
        Mutation::BatchGivenUp,
        Mutation::DropsUncounted,
        Mutation::IntakeNeverCloses,
        Mutation::HubSleepsIn,
    ],
    start: |_, mutation| Box::new(World::new(mutation)),
};

const MESSAGES_MAX: usize = 20;
const BYTES_MAX: usize = 2_000;
/// Largest body of a message, in bytes.
const BODY_BYTES_MAX: usize = 400;
/// Messages that the hub takes in one turn at most.
const COLLECTED_MAX: usize = 8;
/// Messages beyond a full batch that the egress limit holds: it keeps a sample of further chat, and each message
/// halves the sample.
const BEYOND_MAX: usize = 6;
const WINDOW_MAX: Duration = Duration::from_millis(60);
const COLLECT_EVERY: Duration = Duration::from_millis(10);
const MILLI: Duration = Duration::from_millis(1);

/// Time that has passed, and the parts of it in which no batch could go.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    now: Duration,
    /// The shards were writing.
    in_flight: Duration,
    /// The shards were writing, or the egress limit held the batch.
    blocked: Duration,
}

struct World {
    hub: SteppedHub,
    mutation: Option<Mutation>,
    times: Times,
    pace: SteppedPace,
    /// Time at which the shards have written the batch before.
    written_at: Option<Duration>,
    /// Duration of a write by the shards.
    write: Duration,
    egress: Duration,
    /// Messages on the bus that the hub has not taken.
    queue: VecDeque<Arc<Message>>,
    last: u64,
    /// All messages: whether they may be dropped, when they came, and messages before them on the bus.
    came: BTreeMap<u64, (Class, Times, usize)>,
    /// Position that the viewers of each wave have.
    waves: Vec<u64>,
    batches: usize,
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Post,
    Pass,
    Write,
    Egress,
    Pace,
    Waves,
}

impl World {
    fn new(mutation: Option<Mutation>) -> Self {
        let pace = SteppedPace {
            window: WINDOW_MAX / 2,
            messages_max: MESSAGES_MAX,
            bytes_max: BYTES_MAX,
            bytes_due: BYTES_MAX / 2,
            chat_share: 1.0,
        };
        let room = "one".parse().expect("a room id");
        World {
            hub: SteppedHub::new(room, Sequence::ZERO, pace, COLLECT_EVERY),
            mutation,
            times: Times::default(),
            pace,
            written_at: None,
            write: MILLI,
            egress: Duration::ZERO,
            queue: VecDeque::new(),
            last: 0,
            came: BTreeMap::new(),
            waves: vec![0],
            batches: 0,
        }
    }

    fn post(&mut self, class: Class, bytes: usize) {
        self.last += 1;
        self.came.insert(self.last, (class, self.times, self.queue.len()));
        self.queue.push_back(Arc::new(Message {
            room: "one".parse().expect("a room id"),
            sequence: Sequence(self.last),
            previous: Sequence(self.last - 1),
            class,
            sender: None,
            id: None,
            to: None,
            at_ms: 0,
            trace: None,
            body: "x".repeat(bytes).into(),
        }));
    }

    /// Takes messages off the bus, as many as one turn takes.
    fn collect(&mut self) {
        let closes = self.mutation != Some(Mutation::IntakeNeverCloses);
        for _ in 0..COLLECTED_MAX {
            if closes && self.hub.is_closed(self.written_at.is_some()) {
                break;
            }
            let Some(message) = self.queue.pop_front() else { break };
            self.hub.take(message, self.times.now, self.written_at.is_some());
        }
        self.hub.collected(self.times.now);
    }

    fn advance(&mut self, to: Duration) {
        let passed = to.saturating_sub(self.times.now);
        if self.written_at.is_some() {
            self.times.in_flight += passed;
        }
        if self.written_at.is_some() || self.hub.is_held() {
            self.times.blocked += passed;
        }
        self.times.now += passed;
    }

    /// Makes the steps of the hub's loop for a time.
    fn pass(&mut self, time: Duration) -> Result<(), Broken> {
        let end = self.times.now + time;
        loop {
            let now = self.times.now;
            self.written_at = self.written_at.filter(|at| *at > now);
            let plan = self.hub.plan(now, self.written_at.is_some(), self.egress);
            if plan.sends_now {
                self.collect();
                self.flush()?;
                continue;
            }
            let takes_at = plan.takes_at.filter(|_| !self.queue.is_empty());
            let takes_at = takes_at
                .or((self.mutation == Some(Mutation::IntakeNeverCloses) && !self.queue.is_empty())
                    .then_some(now + COLLECT_EVERY));
            let late =
                if self.mutation == Some(Mutation::HubSleepsIn) { 2 * WINDOW_MAX } else { Duration::ZERO };
            let sends_at = plan.sends_at.map(|at| at + late);
            let Some(next) = [takes_at, sends_at, self.written_at].into_iter().flatten().min() else { break };
            if next.max(now) > end {
                break;
            }
            self.advance(next);
            if takes_at.is_some_and(|at| at <= self.times.now) {
                self.collect();
            }
            // A timer that has fired too late is not set again.
            if !late.is_zero() && sends_at.is_some_and(|at| at <= self.times.now) {
                self.flush()?;
            }
        }
        self.advance(end);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Broken> {
        let Some(mut batch) = self.hub.flush(self.times.now) else { return Ok(()) };
        self.batches += 1;
        if self.mutation == Some(Mutation::BatchGivenUp) && self.batches.is_multiple_of(20) {
            return Ok(());
        }
        if self.mutation == Some(Mutation::DropsUncounted) {
            batch.dropped = 0;
        }
        // A write takes some time, however fast the shards are.
        self.written_at = Some(self.times.now + self.write.max(MILLI));
        self.judge(&batch)
    }

    /// Judges a batch as its viewers see it.
    fn judge(&mut self, batch: &SteppedBatch) -> Result<(), Broken> {
        let SteppedBatch { wave, previous, sequence, messages, dropped } = batch;
        let seen = std::mem::replace(&mut self.waves[*wave], sequence.0);
        must!(previous.0 == seen, "wave {wave} gets a batch behind {previous}, and is at {seen}");
        let positions: Vec<_> = messages.iter().map(|message| message.sequence.0).collect();
        must!(positions.is_sorted_by(|a, b| a < b), "wave {wave} gets {positions:?}");
        let is_within = positions.iter().all(|at| *at > seen && *at <= sequence.0);
        must!(is_within, "wave {wave} gets {positions:?} from {seen} to {sequence}");
        let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
        must!(messages.len() <= MESSAGES_MAX + BEYOND_MAX, "a batch has {} messages", messages.len());
        must!(bytes < BYTES_MAX + (BEYOND_MAX + 1) * BODY_BYTES_MAX, "a batch has {bytes} bytes");
        let covered = sequence.0 - seen;
        let counted = positions.len() as u64 + dropped;
        must!(counted == covered, "{covered} messages are {} and {dropped} dropped", positions.len());
        for (at, (class, came, before)) in self.came.range(seen + 1..=sequence.0) {
            let is_shown = positions.binary_search(at).is_ok();
            must!(is_shown || !class.is_precious(), "wave {wave} does not get the {class:?} {at}");
            let blocked = |times: &Times| if class.is_precious() { times.in_flight } else { times.blocked };
            let late = (self.times.now - came.now).saturating_sub(blocked(&self.times) - blocked(came));
            // A turn takes few messages.
            let turns = u32::try_from(before / COLLECTED_MAX + 1).unwrap_or(u32::MAX);
            let late_max = WINDOW_MAX + COLLECT_EVERY * turns;
            must!(late <= late_max, "wave {wave} gets the {class:?} {at} {late:?} late");
        }
        Ok(())
    }
}

impl Scenario for World {
    fn event(&mut self, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken> {
        let happens = rng.weighted(&[
            (20, Happens::Post),
            (20, Happens::Pass),
            (5, Happens::Write),
            (3, Happens::Egress),
            (3, Happens::Pace),
            (3, Happens::Waves),
        ]);
        match happens {
            Happens::Post => {
                let count = rng.weighted(&[(4, 1), (4, 5), (2, 30)]);
                let gifts = rng.weighted(&[(3, 10), (1, 100)]);
                for _ in 0..count {
                    let class = match rng.percent(gifts) {
                        true => rng.weighted(&[(3, Class::Gift), (1, Class::Signal)]),
                        false => Class::Chat,
                    };
                    self.post(class, rng.between(10, BODY_BYTES_MAX as u64) as usize);
                }
                trace.note(format_args!("{count} messages come, up to {}", self.last));
            }
            Happens::Pass => {
                let ms = rng.weighted(&[(4, 3), (4, 25), (3, 100), (1, 700)]);
                self.pass(Duration::from_millis(ms))?;
                trace.note(format_args!("{ms} ms pass: batches {}, waves {:?}", self.batches, self.waves));
            }
            Happens::Write => {
                self.write = Duration::from_millis(rng.weighted(&[(3, 1), (2, 20), (2, 90), (1, 400)]));
                trace.note(format_args!("the shards write a batch in {:?}", self.write));
            }
            Happens::Egress => {
                self.egress = Duration::from_millis(rng.weighted(&[(2, 0), (1, 15), (1, 80)]));
                trace.note(format_args!("the egress limit holds a batch for {:?}", self.egress));
            }
            Happens::Pace => {
                self.pace.window = WINDOW_MAX / rng.weighted(&[(1, 1), (1, 2), (1, 4)]);
                self.pace.chat_share = rng.weighted(&[(3, 1.0), (1, 0.5), (1, 0.0)]);
                self.hub.set_pace(self.pace);
                let SteppedPace { window, chat_share, .. } = self.pace;
                trace.note(format_args!("the window is {window:?}, and {chat_share} of the chat is kept"));
            }
            Happens::Waves => {
                let waves = rng.between(1, 4) as usize;
                self.hub.set_waves(waves);
                // The viewers of a new wave come from the wave that is behind the others.
                self.waves.truncate(waves);
                let last = self.waves.iter().min().copied().unwrap_or_default();
                self.waves.resize(waves, last);
                trace.note(format_args!("{waves} waves"));
            }
        }
        Ok(())
    }

    fn settle(&mut self, trace: &mut Trace) -> Result<(), Broken> {
        (self.write, self.egress) = (MILLI, Duration::ZERO);
        self.pass(Duration::from_secs(10))?;
        trace.note(format_args!("{} batches of {} messages", self.batches, self.last));
        must!(self.queue.is_empty(), "{} messages are not taken", self.queue.len());
        let behind = self.waves.iter().position(|wave| *wave != self.last);
        must!(behind.is_none(), "wave {behind:?} never gets all: {:?} of {}", self.waves, self.last);
        Ok(())
    }
}
