//! The task of one topic: stores messages as they arrive, and reads missing ones from the stream.
//!
//! Any replica may answer those reads, and the chain shows whether an answer was complete: a stream
//! without a leader, which takes some seconds to elect one, can therefore be read too.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::header::{NATS_LAST_SEQUENCE, NATS_SEQUENCE};
use barrage_clock::steady_ms;
use barrage_protocol::{Message, Sequence};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::followed::{Followed, Kept};
use super::newest::Newest;
use super::source::Source;
use super::topics::FollowedTopics;
use crate::error::BusError;
use crate::events::{Event, PulseDraft};
use crate::log::Topic;
use crate::nats::connection::connect::Disturbances;
use crate::nats::connection::link::Pauses;
use crate::nats::stream::envelope::{Envelope, number};
use crate::settings::room_place::Leg;

/// Maximum number of messages in one turn, before other events are looked at.
const TURN_ARRIVALS_MAX: usize = 64;

/// Age at which an open gap is logged.
const LONG_GAP: Duration = Duration::from_secs(3);

/// Longest wait for the settings to have the place of a room that has moved. They come within milliseconds.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(2);

enum Arrival {
    /// A message, and how often its room had moved.
    Message(Message, u64),
    Pulse(PulseDraft),
}

#[derive(Debug, PartialEq, Eq)]
enum Mended {
    /// Memory holds all messages up to the position.
    Complete,
    /// Given up, because the last subscriber has left.
    Abandoned,
}

/// Accuracy of the position at which following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The leader named the position after it had the subscription: nothing is missing.
    Exact,
    /// A replica named the position: the leader must be asked.
    Approximate,
}

/// The task of one topic, and what it needs to receive messages and to read gaps.
pub(crate) struct Following {
    pub(crate) source: Arc<Source>,
    pub(crate) topics: Arc<FollowedTopics>,
    pub(crate) topic: Topic,
    pub(crate) followed: Arc<Followed>,
    pub(crate) arrivals: Subscriber,
    /// Greatest number of moves that a message of the topic has named.
    pub(crate) epoch: u64,
}

impl Following {
    /// Runs until the last subscriber leaves or the connection's client ends. `disturbances` must
    /// be taken before the subscription was made.
    pub(crate) async fn run(mut self, mut disturbances: watch::Receiver<Disturbances>, start: Start) {
        let followed = Arc::clone(&self.followed);
        let (events, mut stored) = (&followed.events, followed.stored.subscribe());
        let mut newest = (start == Start::Approximate).then(|| self.newest());
        loop {
            tokio::select! {
                biased;
                () = events.closed() => {
                    if self.topics.leave(&self.topic) {
                        return;
                    }
                }
                Ok(()) = disturbances.changed() => newest = Some(self.newest()),
                last = Newest::answer(&mut newest), if newest.is_some() => {
                    newest = None;
                    self.mend(last).await;
                }
                Ok(()) = stored.changed() => {
                    let last = *stored.borrow_and_update();
                    self.mend(last).await;
                }
                arrival = self.arrivals.next() => {
                    let Some(arrival) = arrival else {
                        // Dropping the sender tells subscribers that the bus has ended.
                        self.topics.remove(&self.topic);
                        return;
                    };
                    self.receive(arrival).await;
                    for _ in 1..TURN_ARRIVALS_MAX {
                        let Some(Some(arrival)) = self.arrivals.next().now_or_never() else { break };
                        self.receive(arrival).await;
                    }
                }
            }
        }
    }

    /// Asks the leader for the newest position. Messages that arrive meanwhile are shown.
    fn newest(&self) -> Newest {
        Newest::ask(Arc::clone(&self.source), self.topic.clone())
    }

    async fn receive(&mut self, arrival: async_nats::Message) {
        match read(arrival) {
            None => tracing::warn!("the bus delivered something that is no message"),
            Some(Arrival::Pulse(pulse)) => self.followed.events.send(&Event::Pulse(Arc::new(pulse))),
            Some(Arrival::Message(message, epoch)) => {
                // Without the place, messages before this one would be looked for in the wrong stream.
                self.source.streams.places.know(&self.topic, epoch, PLACE_WAIT_MAX).await;
                self.epoch = self.epoch.max(epoch);
                if self.source.streams.places.is_stray(&self.topic, epoch, message.sequence) {
                    // With its position, messages of the stay that lasts would count as stored already.
                    let (topic, sequence) = (&self.topic, message.sequence);
                    tracing::error!(?topic, %sequence, "a message is behind the gate of its room, and is not shown");
                    return;
                }
                self.receive_message(Arc::new(message)).await;
            }
        }
    }

    async fn receive_message(&mut self, message: Arc<Message>) {
        // After an abandoned gap the next subscriber has this message read again, together with
        // those that are missing before it.
        if self.mend(message.previous).await == Mended::Complete {
            self.keep(message);
        }
    }

    /// Stores the next message and shows it to subscribers; ignores one that is stored already.
    fn keep(&self, message: Arc<Message>) {
        let mut kept = self.followed.kept.lock();
        if message.sequence <= kept.log.last() {
            return;
        }
        // By this process's own clock: the publisher's clock and this one may differ by hours.
        let now_ms = steady_ms();
        kept.log.push(Arc::clone(&message), 0, now_ms, &self.source.limits);
        kept.log.expire(now_ms, &self.source.limits);
        self.followed.events.send(&Event::Message(message));
    }

    /// Reads the missing messages up to a position; tries until memory holds them or the last
    /// subscriber leaves. Meanwhile arrivals wait in their channel, and a channel that overflows
    /// counts as a disturbance.
    async fn mend(&self, last: Sequence) -> Mended {
        if last <= self.followed.last() {
            return Mended::Complete;
        }
        self.source.metrics.gaps.inc();
        let (mut pauses, began, mut is_long) = (Pauses::new(), Instant::now(), false);
        let topic = &self.topic;
        while let Err(error) = self.source.while_connected(self.try_mend(last)).await {
            if self.followed.events.receiver_count() == 0 {
                return Mended::Abandoned;
            }
            if !is_long && began.elapsed() > LONG_GAP {
                is_long = true;
                tracing::warn!(
                    %error, ?topic, after = %self.followed.last(), %last,
                    "a gap cannot be read yet: newer messages are not shown until it is"
                );
            }
            pauses.pause().await;
        }
        if is_long {
            let secs = began.elapsed().as_secs_f32();
            tracing::warn!(?topic, secs, "a gap was read after many attempts");
        }
        Mended::Complete
    }

    async fn try_mend(&self, last: Sequence) -> Result<(), BusError> {
        let _permit = self.source.reads.acquire().await;
        let place = self.source.streams.places.place(&self.topic);
        // The room may have been elsewhere and come back: a read would pass over what is there.
        if place.epoch() < self.epoch {
            return Err(BusError::Unavailable("the place of the room is not known yet".into()));
        }
        if let Some(base) = place.cut(self.followed.last()) {
            self.forget_before(base);
        }
        for leg in place.legs(self.followed.last()) {
            let end = leg.last.unwrap_or(last).min(last);
            if end > leg.chain.above && end > self.followed.last() {
                self.mend_leg(leg, end).await?;
            }
        }
        Ok(())
    }

    /// Reads the missing messages of one stay of the room up to a position.
    async fn mend_leg(&self, leg: Leg, end: Sequence) -> Result<(), BusError> {
        let streams = &self.source.streams;
        let (reader, input) =
            (streams.reader(leg.partition), streams.names.input(leg.partition, &self.topic));
        let after = leg.chain.stored(self.followed.last());
        if reader.first().await?.is_none_or(|first| first.0 > after.0 + 1) {
            // Only the leader's answer counts for messages that have left the stream.
            let first = reader.state().await?.first_sequence;
            if first > after.0 + 1 {
                self.forget_before(leg.chain.position(Sequence(first - 1)).min(end));
            }
        }
        let visit = |message: Arc<Message>| {
            // A later stay of the room in the same stream is another leg, which the settings may not have yet.
            if message.sequence > end {
                return ControlFlow::Break(());
            }
            self.keep(message);
            ControlFlow::Continue(())
        };
        reader.scan(&input, leg.chain.stored(self.followed.last()), leg.chain.stored(end), visit).await
    }

    /// Empties memory: some of the missing messages have left the stream, so that the messages in
    /// memory and those to come have a gap between them.
    fn forget_before(&self, base: Sequence) {
        let mut kept = self.followed.kept.lock();
        *kept = Kept::from(base);
        self.followed.events.send(&Event::Lagged);
    }
}

fn read(arrival: async_nats::Message) -> Option<Arrival> {
    let Some(headers) = arrival.headers else {
        return serde_json::from_slice(&arrival.payload).ok().map(Arrival::Pulse);
    };
    let stored = Sequence(number(&headers, NATS_SEQUENCE)?);
    let previous = Sequence(number(&headers, NATS_LAST_SEQUENCE)?);
    let envelope = Envelope::read(&headers)?;
    let epoch = envelope.chain.epoch;
    Some(Arrival::Message(envelope.message(stored, previous, arrival.payload), epoch))
}
