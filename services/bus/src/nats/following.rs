//! The task of one topic: takes what arrives, and reads what is missing before it.
//!
//! Any replica may answer those reads, and the chain tells whether an answer was whole: so
//! a stream without a leader, which takes some seconds to elect one, is read nevertheless.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::header::{NATS_LAST_SEQUENCE, NATS_SEQUENCE};
use barrage_protocol::{Message, Sequence};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connect::Disturbances;
use super::envelope::{Envelope, number};
use super::followed::{Followed, Kept};
use super::follower::Follower;
use super::link::Pauses;
use crate::bus::{BusError, Event, PulseDraft, Topic};
use crate::clock::steady_ms;
use crate::embedded::lock;

/// Arrivals taken in one turn, before anything else is looked at.
const TURN_ARRIVALS_MAX: usize = 64;

/// A gap that is open for so long is told of.
const LONG: Duration = Duration::from_secs(3);

/// A question to the leader on its way; dropping it ends it. A task of its own: it goes on
/// while this topic's task waits for a read, and gives its permit back.
struct Newest(JoinHandle<Sequence>);

impl Newest {
    /// The leader is asked until there is one that answers.
    fn ask(follower: Arc<Follower>, topic: Topic) -> Self {
        Newest(tokio::spawn(async move {
            let (reader, input) = (follower.streams.of(&topic), follower.streams.names.input(&topic));
            let mut pauses = Pauses::new();
            loop {
                let permit = follower.reads.acquire().await;
                if let Ok(last) = follower.connected(reader.last(&input)).await {
                    return last;
                }
                drop(permit);
                pauses.pause().await;
            }
        }))
    }

    /// Cancel-safe; pending where nothing was asked.
    async fn answer(newest: &mut Option<Newest>) -> Sequence {
        match newest {
            // It does not end otherwise but with the process.
            Some(Newest(asked)) => asked.await.unwrap_or_default(),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Newest {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What arrived on a topic's subject.
enum Arrival {
    Message(Message),
    Pulse(PulseDraft),
}

/// How a gap ended.
#[derive(Debug, PartialEq, Eq)]
enum Mended {
    Whole,
    /// It was given up, because nobody listens any more.
    Unheard,
}

/// The task of one topic.
pub(crate) struct Following {
    pub(crate) follower: Arc<Follower>,
    pub(crate) topic: Topic,
    pub(crate) followed: Arc<Followed>,
    pub(crate) arrivals: Subscriber,
}

impl Following {
    /// `is_late`: the position to begin after may be older than what was stored before the
    /// subscription.
    pub(crate) async fn run(mut self, mut disturbances: watch::Receiver<Disturbances>, is_late: bool) {
        let followed = Arc::clone(&self.followed);
        let (events, mut stored) = (&followed.events, followed.stored.subscribe());
        let mut newest = is_late.then(|| self.newest());
        loop {
            tokio::select! {
                biased;
                () = events.closed() => {
                    if self.follower.leave(&self.topic) {
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
                        // Dropping the sender tells subscribers that the bus is gone.
                        self.follower.forget(&self.topic);
                        return;
                    };
                    self.took(arrival).await;
                    for _ in 1..TURN_ARRIVALS_MAX {
                        let Some(Some(arrival)) = self.arrivals.next().now_or_never() else { break };
                        self.took(arrival).await;
                    }
                }
            }
        }
    }

    /// The newest position as the leader knows it. Meanwhile what arrives is shown.
    fn newest(&self) -> Newest {
        Newest::ask(Arc::clone(&self.follower), self.topic.clone())
    }

    async fn took(&mut self, arrival: async_nats::Message) {
        match read(arrival) {
            None => tracing::warn!("something that is no message came from the bus"),
            Some(Arrival::Pulse(pulse)) => self.followed.events.send(&Event::Pulse(pulse)),
            Some(Arrival::Message(message)) => self.arrived(message).await,
        }
    }

    async fn arrived(&mut self, message: Message) {
        // Whoever joins after nobody listened has it read again, with what is missing
        // before it.
        if self.mend(message.previous).await == Mended::Whole {
            self.keep(message);
        }
    }

    /// Keeps the next message and shows it; one that is known already is left alone.
    fn keep(&self, message: Message) {
        let mut kept = lock(&self.followed.kept);
        if message.sequence <= kept.log.last() {
            return;
        }
        let message = Arc::new(message);
        // By this process's own time: the publisher's clock and this one may differ by hours.
        let now_ms = steady_ms();
        kept.log.push(Arc::clone(&message), 0, now_ms, &self.follower.limits);
        kept.log.expire(now_ms, &self.follower.limits);
        // Nobody listening is fine: the task ends soon.
        self.followed.events.send(&Event::Message(message));
    }

    /// Reads what was missed up to a position; tries until it has it or nobody listens any
    /// more. Meanwhile arrivals wait in their channel, and its end is a disturbance of its
    /// own.
    async fn mend(&self, last: Sequence) -> Mended {
        if last <= self.followed.last() {
            return Mended::Whole;
        }
        self.follower.metrics.gaps.inc();
        let (mut pauses, began, mut is_long) = (Pauses::new(), Instant::now(), false);
        let topic = &self.topic;
        while let Err(error) = self.follower.connected(self.try_mend(last)).await {
            if self.followed.events.receiver_count() == 0 {
                return Mended::Unheard;
            }
            if !is_long && began.elapsed() > LONG {
                is_long = true;
                tracing::warn!(%error, ?topic, after = %self.followed.last(), %last, "a gap cannot be read yet: nothing newer is shown");
            }
            pauses.pause().await;
        }
        if is_long {
            let secs = began.elapsed().as_secs_f32();
            tracing::warn!(?topic, secs, "a gap was read at last");
        }
        Mended::Whole
    }

    async fn try_mend(&self, last: Sequence) -> Result<(), BusError> {
        let streams = &self.follower.streams;
        let reader = streams.of(&self.topic);
        let _permit = self.follower.reads.acquire().await;
        let input = streams.names.input(&self.topic);
        let after = self.followed.last();
        if reader.first().await?.is_none_or(|first| first.0 > after.0 + 1) {
            // That something is gone is believed of the leader alone.
            let first = reader.state().await?.first_sequence;
            if first > after.0 + 1 {
                self.forget_before(Sequence(first - 1));
            }
        }
        let visit = |message| {
            self.keep(message);
            ControlFlow::Continue(())
        };
        reader.scan(&input, self.followed.last(), last, visit).await
    }

    /// Part of what was missed has left the stream: what memory holds no longer joins
    /// up with what comes.
    fn forget_before(&self, base: Sequence) {
        let mut kept = lock(&self.followed.kept);
        *kept = Kept::from(base);
        self.followed.events.send(&Event::Lagged);
    }
}

fn read(arrival: async_nats::Message) -> Option<Arrival> {
    let Some(headers) = arrival.headers else {
        return serde_json::from_slice(&arrival.payload).ok().map(Arrival::Pulse);
    };
    let sequence = Sequence(number(&headers, NATS_SEQUENCE)?);
    let previous = Sequence(number(&headers, NATS_LAST_SEQUENCE)?);
    Some(Arrival::Message(Envelope::read(&headers)?.message(sequence, previous, arrival.payload)))
}
