use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Event as BusEvent, RangeLimits, Subscription, Topic};
use barrage_clock::unix_ms;
use barrage_protocol::{Class, Message, Sequence};
use tokio::time::Instant;

use super::books::HubBooks;
use super::event::{self, Event, Sources};
use super::pace::pace;
use super::record;
use super::rest::Rest;
use super::schedule::{Linger, OpenBatch, Plan, Schedule};
use crate::context::Context;
use crate::dispatch::Command;
use crate::room::{
    BatchTrace, Batcher, Contents, DelayQueue, Delivery, FanOut, Flushed, Heat, HeatLadder, Room,
    SharedBatch, Trigger,
};

/// Pause before a gap is read off the bus again.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// Events collected in one turn at most, before the batch is looked at.
const COLLECTED_MAX: usize = 256;

/// Reason why a hub stopped following its subscription.
pub(super) enum End {
    /// The room has no viewers, or the gateway ends.
    Done,
    /// The bus ended the subscription, so that the hub subscribes again.
    SubscriptionLost,
}

/// Newest batch with its fan-out. A batch of a pulse alone has no fan-out.
type LastBatch = (Arc<SharedBatch>, Option<Arc<FanOut>>);

/// Hub of one room: turns the room's messages into batches for the shards.
///
/// [`Schedule`] and [`Batcher`] decide; the hub carries their decisions out.
pub(super) struct Hub {
    pub(super) batcher: Batcher,
    schedule: Schedule,
    linger: Linger,
    pub(super) heat: HeatLadder,
    pub(super) books: HubBooks,
    topic: Topic,
    pub(super) started: Instant,
    /// Messages taken since the last measurement, from which the room's heat follows.
    pub(super) taken: u64,
    pub(super) measured_at: Instant,
    pub(super) rest: Rest,
    /// Viewers here and on all gateways, as of the last measurement.
    pub(super) measured: (u64, u64),
    /// Messages that viewers get later.
    pub(super) delayed: DelayQueue,
    /// Newest batch, while another wave may be sent the same contents.
    last: Option<LastBatch>,
    pub(super) room: Arc<Room>,
    pub(super) context: Arc<Context>,
}

impl Hub {
    pub(super) fn new(topic: Topic, start: Sequence, room: Arc<Room>, context: Arc<Context>) -> Self {
        let (config, load) = (&context.config, &context.load);
        let heat = HeatLadder::new(config.heat.clone());
        Hub {
            batcher: Batcher::new(start, pace(config, heat.heat(), load)),
            schedule: Schedule::default(),
            linger: Linger::new(Duration::from_secs(config.linger_secs)),
            heat,
            books: HubBooks::new(&context.metrics.ledger),
            topic,
            started: Instant::now(),
            taken: 0,
            measured_at: Instant::now(),
            rest: Rest::default(),
            measured: (0, 0),
            delayed: DelayQueue::default(),
            last: None,
            room,
            context,
        }
    }

    pub(super) fn heat(&self) -> Heat {
        self.heat.heat()
    }

    /// Follows a subscription until it ends, the room has lingered, or the gateway ends.
    pub(super) async fn run(&mut self, mut subscription: Subscription) -> End {
        let mut measure = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            let waits = self.plan().waits;
            let sources = Sources {
                subscription: &mut subscription,
                room: &self.room,
                measure: measure.as_mut(),
                delayed_in: self.delayed_in(),
                ended: &self.context.lifecycle.ended,
                started: self.started,
            };
            let event = event::next(sources, waits).await;
            let is_measurement = matches!(event, Event::Measure | Event::Stirred);
            // The first message of a quiet room ends its rest: its rate is not the mean over that time.
            if is_measurement || self.rest.is_long() {
                let rest = self.measure(is_measurement);
                measure.as_mut().reset(Instant::now() + rest);
            }
            if let Some(end) = self.handle(event, &mut subscription).await {
                return end;
            }
            if self.plan().sends_now {
                self.collect(&mut subscription).await;
                self.flush().await;
            }
        }
    }

    async fn handle(&mut self, event: Event, subscription: &mut Subscription) -> Option<End> {
        match event {
            Event::Bus(event) => {
                self.take(event).await;
                self.collect(subscription).await;
            }
            Event::SubscriptionEnded => return Some(End::SubscriptionLost),
            Event::Collect => {
                let (woke_at, before) = (barrage_clock::now(), self.taken);
                self.collect(subscription).await;
                self.context.load.costs.woke(self.taken.saturating_sub(before), woke_at.elapsed());
            }
            // The batch is sent behind this, if it is due.
            Event::Completed | Event::Due => {}
            Event::Delayed => self.release_delayed(),
            Event::Measure | Event::Stirred => {
                let is_over = self.linger.is_over(self.room.viewers(), self.started.elapsed());
                if is_over && self.context.rooms.leave_if_empty(&self.room) {
                    self.settle();
                    return Some(End::Done);
                }
            }
            Event::GatewayEnded => {
                self.collect(subscription).await;
                for _ in 0..self.batcher.waves() {
                    self.flush().await;
                }
                return Some(End::Done);
            }
        }
        None
    }

    fn open_batch(&self, now: Duration) -> OpenBatch {
        let due = self.batcher.due();
        OpenBatch {
            due,
            has_waiting: self.batcher.has_waiting(),
            has_precious: due.is_some_and(|due| due <= now) && self.batcher.has_precious(),
            is_full: self.batcher.is_full(),
            is_in_flight: self.room.is_in_flight(),
        }
    }

    /// Adapts the pace to heat and load, holds a due batch for the egress limit, and decides the next
    /// step.
    fn plan(&mut self) -> Plan {
        let (config, load) = (&self.context.config, &self.context.load);
        self.batcher.pace = pace(config, self.heat.heat(), load);
        self.schedule.collect_every = load.costs.collect_every();
        let now = self.started.elapsed();
        let batch = self.open_batch(now);
        if self.schedule.needs_hold(&batch, now) {
            self.schedule.hold(now + load.egress().wait());
        }
        self.schedule.plan(&batch, now)
    }

    /// Takes the events that have come, while the batch has room for them.
    async fn collect(&mut self, subscription: &mut Subscription) {
        for _ in 0..COLLECTED_MAX {
            let is_closed = self.schedule.is_closed(&self.batcher, self.room.is_in_flight());
            let Some(event) = (if is_closed { None } else { subscription.try_next() }) else {
                self.schedule.collected(self.started.elapsed());
                return;
            };
            self.take(event).await;
        }
    }

    async fn take(&mut self, event: BusEvent) {
        match event {
            BusEvent::Message(message) => {
                let position = self.taken_to();
                if message.sequence <= position {
                    return;
                }
                if message.previous > position {
                    // Boxed: a repair is rare, and its future would be part of each room's task.
                    Box::pin(self.repair_gap(Some(message.sequence))).await;
                }
                self.take_message(message);
            }
            BusEvent::Pulse(pulse) => self.batcher.add_pulse(&pulse),
            BusEvent::Lagged => Box::pin(self.repair_gap(None)).await,
        }
    }

    pub(super) fn push(&mut self, message: Arc<Message>) {
        if message.sequence <= self.batcher.position() {
            return;
        }
        self.taken += 1;
        self.room.traffic.add_message();
        self.books.took(message.class);
        if message.class == Class::Signal {
            self.room.state.take_signal(&message.body);
        }
        if !self.batcher.push(message, self.started.elapsed()) {
            self.count_dropped("overload", 1);
        }
        // A full batch that cannot go yet is squeezed, so that it stays bounded.
        if self.batcher.is_full() && (self.room.is_in_flight() || self.schedule.is_held()) {
            let squeezed = self.batcher.squeeze();
            self.count_dropped("backlog", squeezed);
        }
    }

    /// Counts chat that no viewer of this gateway gets.
    fn count_dropped(&mut self, reason: &'static str, chat: u64) {
        self.books.dropped_chat(chat);
        self.context.metrics.dropped(Class::Chat, "hub", reason, chat);
    }

    /// Reads the messages that are missing before `before`, or up to the newest, off the bus.
    pub(super) async fn repair_gap(&mut self, before: Option<Sequence>) {
        let limits = RangeLimits {
            chat_max: self.context.config.repair_chat_max,
            bytes_max: self.context.config.full_batch_bytes(),
            ..RangeLimits::default()
        };
        loop {
            self.make_room().await;
            let position = self.taken_to();
            let reading = self.context.bus.range(&self.topic, position, before, limits);
            match self.room.heartbeat.while_waiting(reading).await {
                Ok(range) => {
                    self.context.metrics.repaired(range.outcome);
                    self.context.metrics.dropped(Class::Chat, "hub", "lagged", range.skipped);
                    self.batcher.skip(range.skipped);
                    for message in range.messages {
                        self.take_message(message);
                    }
                    // A range that was cut short ends below `before`: the next read goes on there.
                    if range.covered_to <= position || self.taken_to() < range.covered_to {
                        return;
                    }
                    if before.is_some_and(|before| range.covered_to.0 + 1 >= before.0) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the bus did not return the missing messages; trying again");
                    tokio::time::sleep(RETRY_EVERY).await;
                    // Each viewer's resume at another gateway brings the missing messages.
                    if self.context.lifecycle.ended.is_cancelled() {
                        return;
                    }
                }
            }
        }
    }

    /// Sends batches while the open batch is full, so that a long range becomes several batches.
    async fn make_room(&mut self) {
        while self.batcher.is_full() && self.batcher.has_waiting() {
            if self.room.is_in_flight() {
                let completed = self.room.completed.notified();
                // The shards' writes are short; the limit covers a notification from before.
                let _timed_out = tokio::time::timeout(RETRY_EVERY, completed).await;
            } else {
                self.flush().await;
            }
        }
    }

    /// Sends the next wave its batch, if there is one. Waits for full queues of shards.
    async fn flush(&mut self) {
        let held_until = self.schedule.take_hold();
        let position = self.batcher.position();
        // In this order: see `Room`.
        self.room.set_position(position);
        let resized = self.batcher.resize(self.room.waves());
        self.books.resized(&resized.took, &resized.gone);
        self.batcher.keep_lines(self.room.has_line_readers());
        if self.batcher.due().is_none() {
            return;
        }
        let now = self.started.elapsed();
        let Flushed { wave, contents, due, since, gathered } = self.batcher.flush(now, &self.room.id);
        let trigger = Trigger::of(due, since);
        self.books.gathered(&gathered, self.batcher.waves());
        // A wait for the egress limit is no lag.
        let due_at = due.map(|due| self.started + held_until.unwrap_or_default().max(due));
        let (batch, fan_out) = self.shared_batch(contents, due_at.unwrap_or_else(Instant::now));
        let trace = self.trace(&batch, now.saturating_sub(since.unwrap_or(now)));
        self.books.batched(&batch.counts);
        for (index, shard) in self.context.dispatch.shards().iter().enumerate() {
            if self.room.has_wave_on(index, wave) {
                let delivery =
                    Delivery::new(Arc::clone(&batch), wave, trigger, Arc::clone(&self.room), trace.clone());
                if shard.send(Command::Deliver(delivery, fan_out.clone())).await.is_ok() {
                    self.books.sent(&batch.counts);
                }
            }
        }
        if wave == 0 {
            // The first wave's batches have every message of the room.
            record::batch(&self.context, &self.room, &batch, self.batcher.pace.window, self.heat.heat());
            self.room.fallback.send(&batch);
        }
        self.room.changed.send_replace(position);
    }

    /// Starts the spans of a batch with sampled messages. `waited` is the age of its first message in
    /// this gateway.
    fn trace(&self, batch: &SharedBatch, waited: Duration) -> Option<Arc<BatchTrace>> {
        let waited_ns = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        BatchTrace::start(&self.context.tracer, batch, waited_ns).map(Arc::new)
    }

    /// Returns the batch of these contents: the last batch, if the wave before was sent the same.
    fn shared_batch(&mut self, contents: Contents, due_at: Instant) -> LastBatch {
        if let Some((last, fan_out)) = &self.last
            && last.has_same_contents(&contents)
        {
            return (Arc::clone(last), fan_out.clone());
        }
        self.context.metrics.batches.inc();
        let shown_ms = unix_ms().saturating_sub(self.room.delay_ms());
        let batch = Arc::new(SharedBatch::new(contents, shown_ms, due_at.into_std()));
        let fan_out = (batch.sequence > batch.previous).then(|| {
            let overload = self.context.load.level().label();
            let fan_out = Arc::new(FanOut::new(&batch, unix_ms(), self.heat.heat().label(), overload));
            self.context.history.fan_outs.push(Arc::clone(&fan_out));
            fan_out
        });
        self.last = (self.batcher.waves() > 1).then(|| (Arc::clone(&batch), fan_out.clone()));
        (batch, fan_out)
    }
}
