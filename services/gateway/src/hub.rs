//! One room's hub: takes messages off the bus, mends the chain where something is
//! missing (once, for all viewers), batches, and hands each batch to the shards.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Event, PulseDraft, RangeLimits, Subscription, Topic};
use barrage_flow::{Book, Counts, Fate, ledger};
use barrage_protocol::{Class, Message, Sequence};
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::batch::{Contents, SharedBatch};
use crate::batcher::{Batcher, Flushed, Pace};
use crate::eviction::{self, Eviction};
use crate::fan_out::FanOut;
use crate::gateway::{Shared, unix_ms};
use crate::heat::{Heat, HeatLadder, rounded};
use crate::overload::Level;
use crate::record;
use crate::room::{Delivery, Room};
use crate::shard::Command;

/// How often a room is looked at: viewers, heat, books.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pulses are summed so much longer at the first overload level.
const COARSE: u32 = 5;
/// Pause before the bus is asked again when it could not answer.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// Events taken in one turn before the batch is looked at.
const TURN_EVENTS_MAX: usize = 256;
/// While a batch gathers, what has come is taken so far apart: waking for every message
/// would take the core from the shards. What waits is bounded by `bus.subscriber_lag_max`;
/// beyond, the hub has lagged and reads it off the bus.
const TAKE_EVERY: Duration = Duration::from_millis(10);

/// Pauses before the bus is asked for a subscription again; each is twice as long.
const SUBSCRIBE_AGAIN_MAX: Duration = Duration::from_secs(5);

/// Runs a room's hub. When the hub panics, the gateway forgets the room and closes its viewers,
/// who come back to a new hub.
pub(crate) async fn guarded(room: Arc<Room>, shared: Arc<Shared>) {
    let running = AssertUnwindSafe(run(Arc::clone(&room), Arc::clone(&shared)));
    if running.catch_unwind().await.is_err() {
        tracing::error!(room = %room.id, "a room's hub failed; its viewers are closed");
        shared.rooms.abandon(&room);
        eviction::evict(&shared, Eviction::failed(room.id.clone())).await;
    }
}

/// Subscribes and runs until nobody has watched for the linger time.
async fn run(room: Arc<Room>, shared: Arc<Shared>) {
    let topic = Topic::Room(room.id.clone());
    let Some(subscription) = subscribe(&room, &shared, &topic).await else { return };
    room.set_position(subscription.start);
    room.changed.send_replace(subscription.start);
    let mut hub = Hub::new(topic, subscription.start, Arc::clone(&room), Arc::clone(&shared));
    drop(room.ready.set(()));
    shared.metrics.rooms.inc();
    shared.metrics.heated(None, Some(hub.heat.heat()));
    let mut next = Some(subscription);
    while let Some(subscription) = next.take() {
        let Ended::Lost = hub.run(subscription).await else { break };
        tracing::warn!(room = %room.id, "a room's subscription ended; subscribing again");
        next = subscribe(&room, &shared, &hub.topic).await;
        if next.is_some() {
            hub.mend(None).await;
        }
    }
    shared.metrics.heated(Some(hub.heat.heat()), None);
    shared.rooms.abandon(&room);
    shared.metrics.rooms.dec();
}

/// Subscribes, however often the bus refuses; `None` when the room has no viewers meanwhile,
/// and is forgotten, or the gateway ends.
async fn subscribe(room: &Arc<Room>, shared: &Shared, topic: &Topic) -> Option<Subscription> {
    let mut pause = RETRY_EVERY;
    loop {
        let subscribed = tokio::select! {
            subscribed = room.beat.while_waiting(shared.bus.subscribe(topic)) => subscribed,
            () = shared.ended.cancelled() => return None,
        };
        match subscribed {
            Ok(subscription) => return Some(subscription),
            Err(error) => tracing::warn!(room = %room.id, %error, "a room could not be subscribed"),
        }
        tokio::select! {
            () = room.beat.while_waiting(tokio::time::sleep(pause)) => {}
            () = shared.ended.cancelled() => return None,
        }
        pause = (pause * 2).min(SUBSCRIBE_AGAIN_MAX);
        if shared.rooms.leave_if_empty(room) {
            return None;
        }
    }
}

/// Why a hub stopped following its subscription.
enum Ended {
    /// The room has no viewers, or the gateway ends.
    Done,
    /// The bus ended the subscription.
    Lost,
}

struct Hub {
    batcher: Batcher,
    topic: Topic,
    started: Instant,
    heat: HeatLadder,
    /// Messages taken since the last look.
    taken: u64,
    looked_at: Instant,
    /// What became of the messages of the chain.
    book: Book,
    /// What became of those that every wave is to be sent.
    in_waves: Book,
    /// What became of the batches on their way to the shards.
    fan_out: Book,
    /// The newest batch, where another wave may be sent the same.
    last: Option<(Arc<SharedBatch>, Option<Arc<FanOut>>)>,
    arrived: Counts,
    /// When everything that had come was taken.
    taken_at: Instant,
    /// When a batch that waits for the egress limit goes.
    held_until: Option<Instant>,
    room: Arc<Room>,
    shared: Arc<Shared>,
}

impl Hub {
    fn new(topic: Topic, start: Sequence, room: Arc<Room>, shared: Arc<Shared>) -> Self {
        let heat = HeatLadder::new(shared.config.heat.clone());
        let ledger = &shared.metrics.ledger;
        Hub {
            batcher: Batcher::new(start, pace(&shared, heat.heat())),
            topic,
            started: Instant::now(),
            heat,
            taken: 0,
            looked_at: Instant::now(),
            book: ledger.book("hub"),
            in_waves: ledger.book("waves"),
            fan_out: ledger.book("fan_out"),
            last: None,
            arrived: Counts::default(),
            taken_at: Instant::now(),
            held_until: None,
            room,
            shared,
        }
    }

    async fn run(&mut self, mut subscription: Subscription) -> Ended {
        let linger = Duration::from_secs(self.shared.config.linger_secs);
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut empty_since: Option<Instant> = None;
        loop {
            let due = self.due();
            // One batch in flight: while a shard still writes, the next one grows.
            let is_in_flight = self.room.is_in_flight();
            let waits_for_shards = is_in_flight && due.is_some_and(|due| due <= Instant::now());
            let has_room = !(is_in_flight && self.batcher.is_full());
            let rests_until = self.rests_until(due);
            tokio::select! {
                event = subscription.next(), if has_room && rests_until.is_none() => {
                    let Some(event) = event else { return Ended::Lost };
                    self.take(event).await;
                    self.take_all(&mut subscription).await;
                }
                () = tokio::time::sleep_until(rests_until.unwrap_or_else(Instant::now)), if has_room && rests_until.is_some() => {
                    self.take_all(&mut subscription).await;
                }
                () = self.room.landed.notified(), if waits_for_shards => {}
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && !waits_for_shards => {}
                _ = look.tick() => {
                    self.look();
                    let is_empty = self.room.viewers() == 0;
                    empty_since = is_empty.then(|| empty_since.unwrap_or_else(Instant::now));
                    let lingered = empty_since.is_some_and(|since| since.elapsed() >= linger);
                    if lingered && self.shared.rooms.leave_if_empty(&self.room) {
                        self.settle();
                        return Ended::Done;
                    }
                }
                () = self.shared.ended.cancelled() => {
                    self.take_all(&mut subscription).await;
                    for _ in 0..self.batcher.waves() {
                        self.flush().await;
                    }
                    return Ended::Done;
                }
            }
            if !self.room.is_in_flight() && self.due().is_some_and(|due| due <= Instant::now()) {
                self.take_all(&mut subscription).await;
                self.flush().await;
            }
        }
    }

    /// Until when what comes is left to wait; none while nothing gathers, so that a quiet
    /// room's message is taken at once.
    fn rests_until(&self, due: Option<Instant>) -> Option<Instant> {
        let next = self.taken_at + TAKE_EVERY;
        let until = due.filter(|due| *due > Instant::now()).map_or(next, |due| due.min(next));
        self.batcher.gathers().then_some(until)
    }

    /// What has arrived joins the batch, as far as it has room.
    async fn take_all(&mut self, subscription: &mut Subscription) {
        for _ in 0..TURN_EVENTS_MAX {
            let is_full = self.batcher.is_full() && self.room.is_in_flight();
            let Some(event) = (if is_full { None } else { subscription.try_next() }) else {
                self.taken_at = Instant::now();
                return;
            };
            self.take(event).await;
        }
    }

    /// When the next batch goes; later while the egress limit is behind, unless
    /// signals or gifts wait in it.
    fn due(&mut self) -> Option<Instant> {
        self.batcher.pace = pace(&self.shared, self.heat.heat());
        let due = self.started + self.batcher.due()?;
        let now = Instant::now();
        if due > now || self.batcher.has_precious() {
            return Some(due);
        }
        // Once per batch, so that a room gets its turn however busy the others are.
        Some(*self.held_until.get_or_insert_with(|| now + self.shared.strain.egress_wait()))
    }

    /// Twice a second: counts viewers, measures the heat, closes the books.
    fn look(&mut self) {
        self.room.beat.beat();
        let viewers = self.room.viewers();
        let elapsed = self.looked_at.elapsed().as_secs_f64().max(0.001);
        self.looked_at = Instant::now();
        let messages_per_s = std::mem::take(&mut self.taken) as f64 / elapsed;
        let before = self.heat.heat();
        let now = self.started.elapsed();
        if let Some(heat) = self.heat.measure(viewers, messages_per_s.round() as u64, now) {
            self.shared.metrics.heated(Some(before), Some(heat));
            tracing::debug!(room = %self.room.id, heat = heat.label(), viewers, "a room's heat changed");
        }
        record::alert(&self.shared, &self.room, self.heat.heat());
        let is_dropped = self.batcher.pace.pulse.is_none();
        if is_dropped {
            let dropped = self.batcher.drop_pulse();
            self.shared.metrics.left_out(Class::Pulse, "hub", "overload", dropped);
        } else {
            self.batcher.online(rounded(self.room.online(), self.heat.heat()));
        }
        let entries = self.room.take_entries();
        let switches = self.shared.bus.settings().borrow().switches;
        if entries > 0 && !is_dropped && !switches.no_entries && !switches.text_only {
            self.shared.bus.pulse(&self.room.id, PulseDraft { entries, ..PulseDraft::default() });
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.book.settle(&self.batcher.holds());
        self.in_waves.settle(&self.batcher.waves_hold());
        if !self.room.is_in_flight() {
            let arrived = self.room.arrived();
            let news = [0, 1, 2].map(|at| arrived[at] - self.arrived[at]);
            self.fan_out.became(Fate::PassedOn, &news, 1);
            self.arrived = arrived;
            self.fan_out.settle(&Counts::default());
        }
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                let position = self.batcher.position();
                if message.sequence <= position {
                    return;
                }
                if message.previous > position {
                    self.mend(Some(message.sequence)).await;
                }
                self.push(message);
            }
            Event::Pulse(pulse) => {
                self.batcher.like(pulse.likes);
                self.batcher.entered(pulse.entries);
            }
            Event::Lagged => self.mend(None).await,
        }
    }

    fn push(&mut self, message: Arc<Message>) {
        if message.sequence <= self.batcher.position() {
            return;
        }
        self.taken += 1;
        let one = ledger::one(message.class);
        self.book.took(&one, 1);
        if !self.batcher.push(message, self.started.elapsed()) {
            self.left_out("overload", 1);
        }
        // A full batch that cannot go yet is thinned, so that it stays bounded.
        if self.batcher.is_full() && (self.room.is_in_flight() || self.held_until.is_some()) {
            let squeezed = self.batcher.squeeze();
            self.left_out("backlog", squeezed);
        }
    }

    /// Counts chat that no viewer of this gateway gets.
    fn left_out(&mut self, reason: &'static str, chat: u64) {
        self.book.became(Fate::LeftOut, &ledger::one(Class::Chat), chat);
        self.shared.metrics.left_out(Class::Chat, "hub", reason, chat);
    }

    /// Reads what is missing before `before` (or up to the newest) off the bus.
    async fn mend(&mut self, before: Option<Sequence>) {
        let limits = RangeLimits {
            chat_max: self.shared.config.repair_chat_max,
            bytes_max: self.shared.config.full_batch_bytes(),
            ..RangeLimits::default()
        };
        loop {
            self.make_room().await;
            let position = self.batcher.position();
            let reading = self.shared.bus.range(&self.topic, position, before, limits);
            match self.room.beat.while_waiting(reading).await {
                Ok(range) => {
                    self.shared.metrics.repaired(range.outcome);
                    self.shared.metrics.left_out(Class::Chat, "hub", "lagged", range.skipped);
                    self.batcher.skipped(range.skipped);
                    for message in range.messages {
                        self.push(message);
                    }
                    // A cut range ends below what was asked for: read on from there.
                    if range.covered_to <= position || self.batcher.position() < range.covered_to {
                        return;
                    }
                    if before.is_some_and(|before| range.covered_to.0 + 1 >= before.0) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a gap could not be read from the bus");
                    tokio::time::sleep(RETRY_EVERY).await;
                    // What is missing comes to each viewer by its own resume, elsewhere.
                    if self.shared.ended.is_cancelled() {
                        return;
                    }
                }
            }
        }
    }

    /// Sends what is open while a batch is full, so that a long range becomes several batches.
    async fn make_room(&mut self) {
        while self.batcher.is_full() && self.batcher.gathers() {
            if self.room.is_in_flight() {
                let landed = self.room.landed.notified();
                // The shards' writes are short; the pause covers a notification missed before.
                drop(tokio::time::timeout(RETRY_EVERY, landed).await);
            } else {
                self.flush().await;
            }
        }
    }

    /// Sends the next wave its batch.
    async fn flush(&mut self) {
        let held_until = self.held_until.take();
        let position = self.batcher.position();
        // In this order: see `Room::position`.
        self.room.set_position(position);
        let resized = self.batcher.resize(self.room.waves());
        self.in_waves.took(&resized.took, 1);
        self.in_waves.became(Fate::LeftOut, &resized.gone, 1);
        if self.batcher.due().is_none() {
            return;
        }
        let Flushed { wave, contents, due, gathered } =
            self.batcher.flush(self.started.elapsed(), &self.room.id);
        // What waited for the egress limit is not late.
        let due_at = due.map(|due| held_until.unwrap_or(self.started).max(self.started + due));
        self.book.became(Fate::PassedOn, &gathered, 1);
        self.in_waves.took(&gathered, self.batcher.waves() as u64);
        let (batch, fan_out) = self.shared_batch(contents, due_at.unwrap_or_else(Instant::now));
        self.in_waves.became(Fate::PassedOn, &batch.counts, 1);
        for (index, shard) in self.shared.shards.iter().enumerate() {
            if self.room.has_wave_on(index, wave) {
                let delivery = Delivery::new(Arc::clone(&batch), wave, Arc::clone(&self.room));
                if shard.send(Command::Deliver(delivery, fan_out.clone())).await.is_ok() {
                    self.fan_out.took(&batch.counts, 1);
                }
            }
        }
        if wave == 0 {
            // Every message is in one of the first wave's batches.
            record::batch(&self.shared, &self.room, &batch, self.batcher.pace.window, self.heat.heat());
            if self.room.fallback.receiver_count() > 0 {
                drop(self.room.fallback.send(batch));
            }
        }
        self.room.changed.send_replace(position);
    }

    /// The batch of these contents: the last one, if the wave before was sent the same.
    fn shared_batch(
        &mut self,
        contents: Contents,
        due_at: Instant,
    ) -> (Arc<SharedBatch>, Option<Arc<FanOut>>) {
        if let Some((last, fan_out)) = &self.last
            && last.is(&contents)
        {
            return (Arc::clone(last), fan_out.clone());
        }
        self.shared.metrics.batches.inc();
        let batch = Arc::new(SharedBatch::new(contents, unix_ms(), due_at.into_std()));
        let fan_out = (batch.sequence > batch.previous).then(|| {
            let overload = self.shared.strain.level().label();
            let fan_out = Arc::new(FanOut::new(&batch, unix_ms(), self.heat.heat().label(), overload));
            self.shared.fan_outs.push(Arc::clone(&fan_out));
            fan_out
        });
        // What only one wave is sent need not be remembered.
        self.last = (self.batcher.waves() > 1).then(|| (Arc::clone(&batch), fan_out.clone()));
        (batch, fan_out)
    }
}

/// How finely a room of this heat is served under the overload level of now.
fn pace(shared: &Shared, heat: Heat) -> Pace {
    let config = &shared.config;
    let (windows, pulses, effort) = match heat {
        Heat::Idle => (1, 1, 1),
        Heat::Warm => (1, 1, config.deflate_effort),
        Heat::Hot => (2, 2, config.deflate_effort),
        Heat::Celebrity => (4, 3, config.deflate_effort + 2),
    };
    let level = shared.strain.level();
    let stretch = match level {
        Level::Normal | Level::CoarsePulses => 1,
        Level::NoPulses => 2,
        Level::ThinChat | Level::RefuseJoins => 4,
    };
    let pulse = Duration::from_millis(config.pulse_ms) * pulses;
    let window_ms = (config.window_ms * windows * stretch).min(config.window_ms_max.max(config.window_ms));
    Pace {
        window: Duration::from_millis(window_ms),
        pulse: match level {
            Level::Normal => Some(pulse),
            Level::CoarsePulses => Some(pulse * COARSE),
            Level::NoPulses | Level::ThinChat | Level::RefuseJoins => None,
        },
        messages_max: config.batch_messages_max,
        bytes_max: config.full_batch_bytes(),
        chat_share: shared.strain.chat_share(),
        effort: effort.min(9),
    }
}
