//! One room's hub: takes messages off the bus, mends the chain where something is
//! missing (once, for all viewers), batches, and hands each batch to the shards.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Event, RangeLimits, Subscription, Topic};
use barrage_protocol::{Message, Sequence};
use tokio::time::Instant;

use crate::batcher::{Batcher, Windows};
use crate::gateway::Shared;
use crate::room::Room;
use crate::shard::Command;

/// How often the viewers of a room are counted.
const COUNT_EVERY: Duration = Duration::from_millis(500);
/// Pause before the bus is asked again when it could not answer.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// Events taken in one turn before the batch is looked at.
const TURN_EVENTS_MAX: usize = 256;

/// Subscribes and runs until nobody has watched for the linger time.
pub(crate) async fn run(room: Arc<Room>, shared: Arc<Shared>) {
    let topic = Topic::Room(room.id.clone());
    let subscription = loop {
        match shared.bus.subscribe(&topic).await {
            Ok(subscription) => break subscription,
            Err(error) => {
                tracing::warn!(%error, "a room could not be subscribed");
                tokio::time::sleep(RETRY_EVERY).await;
                if shared.rooms.leave_if_empty(&room) {
                    return;
                }
            }
        }
    };
    let config = &shared.config;
    let windows = Windows {
        batch: Duration::from_millis(config.window_ms),
        pulse: Duration::from_millis(config.pulse_ms),
        messages_max: config.batch_messages_max,
    };
    room.set_position(subscription.start);
    room.changed.send_replace(subscription.start);
    let batcher = Batcher::new(subscription.start, windows);
    drop(room.ready.set(()));
    shared.metrics.rooms.inc();
    let hub =
        Hub { batcher, topic, started: Instant::now(), room: Arc::clone(&room), shared: Arc::clone(&shared) };
    hub.run(subscription).await;
    shared.rooms.abandon(&room);
    shared.metrics.rooms.dec();
}

struct Hub {
    batcher: Batcher,
    topic: Topic,
    started: Instant,
    room: Arc<Room>,
    shared: Arc<Shared>,
}

impl Hub {
    async fn run(mut self, mut subscription: Subscription) {
        let linger = Duration::from_secs(self.shared.config.linger_secs);
        let mut count = tokio::time::interval(COUNT_EVERY);
        let mut empty_since: Option<Instant> = None;
        loop {
            let due = self.batcher.due().map(|due| self.started + due);
            tokio::select! {
                event = subscription.next() => {
                    let Some(event) = event else { return };
                    self.take(event).await;
                    // What has arrived meanwhile joins the batch.
                    for _ in 0..TURN_EVENTS_MAX {
                        let Some(event) = subscription.try_next() else { break };
                        self.take(event).await;
                    }
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = count.tick() => {
                    let viewers = self.room.viewers();
                    self.batcher.online(viewers);
                    empty_since = (viewers == 0).then(|| empty_since.unwrap_or_else(Instant::now));
                    let lingered = empty_since.is_some_and(|since| since.elapsed() >= linger);
                    if lingered && self.shared.rooms.leave_if_empty(&self.room) {
                        return;
                    }
                }
                () = self.shared.shutdown.cancelled() => return self.flush().await,
            }
            if self.batcher.due().is_some_and(|due| self.started + due <= Instant::now()) {
                self.flush().await;
            }
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
            Event::Pulse(pulse) => self.batcher.like(pulse.likes),
            Event::Lagged => self.mend(None).await,
        }
    }

    fn push(&mut self, message: Arc<Message>) {
        if message.sequence > self.batcher.position() {
            self.batcher.push(message);
        }
    }

    /// Reads what is missing before `before` (or up to the newest) off the bus.
    async fn mend(&mut self, before: Option<Sequence>) {
        let limits = RangeLimits { chat_max: self.shared.config.repair_chat_max, ..RangeLimits::default() };
        loop {
            let position = self.batcher.position();
            match self.shared.bus.range(&self.topic, position, before, limits).await {
                Ok(range) => {
                    self.shared.metrics.repaired(range.outcome);
                    let chat = barrage_protocol::Class::Chat;
                    self.shared.metrics.left_out(chat, "hub", "lagged", range.skipped);
                    for message in range.messages {
                        self.push(message);
                    }
                    // A cut range ends below what was asked for: read on from there.
                    if range.covered_to <= position
                        || self.batcher.position() < range.covered_to
                        || before.is_none()
                    {
                        return;
                    }
                    if before.is_some_and(|before| range.covered_to.0 + 1 >= before.0) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a gap could not be read from the bus");
                    tokio::time::sleep(RETRY_EVERY).await;
                }
            }
        }
    }

    async fn flush(&mut self) {
        let batch = Arc::new(self.batcher.flush(self.started.elapsed(), &self.room.id));
        self.room.set_position(batch.sequence);
        self.shared.metrics.batches.inc();
        for (index, shard) in self.shared.shards.iter().enumerate() {
            if self.room.has_viewers_on(index) {
                // A full shard holds the hub back; the hub then lags on the bus and mends.
                drop(shard.send(Command::Deliver(Arc::clone(&batch))).await);
            }
        }
        let sequence = batch.sequence;
        if self.room.fallback.receiver_count() > 0 {
            drop(self.room.fallback.send(batch));
        }
        self.room.changed.send_replace(sequence);
    }
}
