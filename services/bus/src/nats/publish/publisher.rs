//! Publishing: each message is sent under its id until the server has it or the deadline ends.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::{Client, HeaderMap};
use barrage_clock::unix_ms;
use barrage_protocol::Sequence;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::faults::PublishFaults;
use super::package::{Outgoing, Package};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::log::{Draft, Receipt, Topic};
use crate::metrics::BusMetrics;
use crate::nats::config::NatsConfig;
use crate::nats::connection::link::{Ack, Nack, Pauses, acked};
use crate::nats::moving::mover::Mover;
use crate::nats::stream::batch::Batch;
use crate::nats::stream::gate::{Gates, LANES, Verdict};
use crate::nats::stream::streams::Streams;
use crate::settings::room_place::{Chain, Segment};

/// Error code: a batch holds an id that the server has already.
const DUPLICATE_IN_BATCH: u64 = 10_201;
/// Error code: the condition of a message does not hold.
const WRONG_LAST_SEQUENCE: u64 = 10_071;
/// Error code: the condition is on a subject that is written at the same time, or in the same batch.
const WRONG_LAST_SEQUENCE_IN_FLIGHT: u64 = 10_164;
/// Wait for the place of a room that was closed; then this process finds it by itself.
const HELP_AFTER: Duration = Duration::from_millis(100);
/// A position that no topic's newest message has.
const IMPOSSIBLE_LAST: u64 = Sequence::MAX.0;

/// Publishes to the streams until the server has every message or the deadline ends.
pub(crate) struct Publisher {
    client: Client,
    streams: Streams,
    config: NatsConfig,
    /// One permit for each publish in flight; without a free one a publish is refused at once.
    permits: Semaphore,
    metrics: BusMetrics,
    faults: PublishFaults,
    mover: Arc<Mover>,
    /// Gates of rooms that came back to a partition.
    gates: Gates,
}

/// Where the messages of a package go.
struct Target {
    topic: Topic,
    partition: u16,
    chain: Chain,
    subject: String,
}

impl Target {
    fn new(streams: &Streams, topic: Topic, home: Segment) -> Self {
        let subject = streams.names.input(home.partition, &topic);
        Target { topic, partition: home.partition, chain: home.chain, subject }
    }
}

enum Attempt {
    Done,
    /// The package has changed: continue at once.
    Again,
    /// The server did not answer or cannot store now, for this reason.
    Later(String),
}

impl Publisher {
    pub(crate) fn new(
        client: Client,
        streams: Streams,
        config: NatsConfig,
        limits: &BusConfig,
        metrics: BusMetrics,
        mover: Arc<Mover>,
    ) -> Self {
        let permits = Semaphore::new(limits.queue_max.clamp(1, Semaphore::MAX_PERMITS));
        let (faults, gates) = (PublishFaults::default(), Gates::new(limits.rooms_max));
        Publisher { client, streams, config, permits, metrics, faults, mover, gates }
    }

    pub(crate) async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError> {
        let Ok(_permit) = self.permits.try_acquire() else {
            self.metrics.refused_full.inc();
            return Err(BusError::Unavailable("its queue is full".into()));
        };
        let _timer = self.metrics.publish_duration_seconds.start_timer();
        let mut package = Package::new(drafts, unix_ms(), rand::random())?;
        let reason = Mutex::new(String::from("no answer"));
        let settled = self.settle(&mut package, &reason);
        match tokio::time::timeout(self.config.publish_deadline(), settled).await {
            Ok(settled) => settled?,
            Err(_) => {
                self.metrics.log_failures.inc();
                let reason = reason.lock().clone();
                self.faults.failed(&reason);
                return Err(BusError::Unavailable(reason));
            }
        }
        self.faults.succeeded();
        Ok(self.answered(&package))
    }

    fn answered(&self, package: &Package) -> Vec<Receipt> {
        let count = |(class, receipt): &(_, Receipt)| match receipt.duplicate {
            true => self.metrics.duplicate(*class).inc(),
            false => self.metrics.published(*class).inc(),
        };
        package.receipts().into_iter().inspect(count).map(|(_, receipt)| receipt).collect()
    }

    async fn settle(&self, package: &mut Package, reason: &Mutex<String>) -> Result<(), BusError> {
        let mut pauses = Pauses::new();
        loop {
            match self.attempt(package).await? {
                Attempt::Done => return Ok(()),
                Attempt::Again => {}
                Attempt::Later(why) => {
                    *reason.lock() = why;
                    pauses.pause().await;
                }
            }
        }
    }

    async fn attempt(&self, package: &mut Package) -> Result<Attempt, BusError> {
        let Some(topic) = package.topic.clone().filter(|_| !package.open().is_empty()) else {
            return Ok(Attempt::Done);
        };
        let current = self.streams.places.current(&topic);
        let target = match package.home {
            Some(home) if home == current => Target::new(&self.streams, topic, home),
            // The first attempt, or the first one after a move.
            Some(_) | None => {
                let target = Target::new(&self.streams, topic, current);
                if let Attempt::Later(why) = self.ask_left(package, &target.topic).await? {
                    return Ok(Attempt::Later(why));
                }
                package.direct(current);
                target
            }
        };
        match package.open().as_slice() {
            [] => Ok(Attempt::Done),
            [one] => self.attempt_one(package, &target, *one).await,
            many => self.attempt_batch(package, &target, many).await,
        }
    }

    /// Asks the partitions that the room has left not long ago whether they accepted a message: each server
    /// knows only the ids of its own streams.
    async fn ask_left(&self, package: &mut Package, topic: &Topic) -> Result<Attempt, BusError> {
        if !self.streams.places.plan().is_set() {
            return Ok(Attempt::Again);
        }
        let window_ms = self.streams.places.window_ms;
        for partition in self.streams.places.place(topic).left_since(unix_ms(), window_ms) {
            let subject = self.streams.names.input(partition, topic);
            for index in package.open() {
                let learnt = match self.is_known(&subject, package.message(index)).await {
                    Ok(false) => continue,
                    Ok(true) => self.find_left(package, index, partition, &subject).await?,
                    Err(why) => Attempt::Later(why),
                };
                if let Attempt::Later(why) = learnt {
                    return Ok(Attempt::Later(why));
                }
            }
        }
        Ok(Attempt::Again)
    }

    /// Finds a message that a partition accepted before the room left it.
    async fn find_left(
        &self,
        package: &mut Package,
        index: usize,
        partition: u16,
        subject: &str,
    ) -> Result<Attempt, BusError> {
        let id = package.message(index).message_id.clone();
        let since_ms = unix_ms().saturating_sub(self.streams.places.window_ms);
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(since_ms);
        match self.streams.reader(partition).find(subject, &id, since).await {
            Ok(Some((stored, found))) => {
                let sequence = found.chain.position(stored);
                package.known(index, sequence, Some(&found)).map(|()| Attempt::Again)
            }
            Ok(None) => Ok(Attempt::Later("a replica of the former partition stays behind".into())),
            Err(error) => Ok(Attempt::Later(error.to_string())),
        }
    }

    /// Returns the headers of a message, with the condition that its room is open in the stream.
    fn conditional(&self, target: &Target, message: &Outgoing) -> HeaderMap {
        let mut headers = message.headers();
        if target.topic != Topic::Direct && self.streams.places.plan().is_set() {
            let Target { partition, topic, .. } = target;
            let lane = rand::random_range(1..=LANES);
            let subject = self.streams.names.lane(*partition, lane, topic);
            self.gates.expected(*partition, topic).expect(&mut headers, subject, lane);
        }
        headers
    }

    async fn attempt_one(
        &self,
        package: &mut Package,
        target: &Target,
        index: usize,
    ) -> Result<Attempt, BusError> {
        let message = package.message(index);
        match self.commit(&target.subject, self.conditional(target, message), message).await {
            Ok(Ack { sequence, duplicate: false }) => {
                package.stored(index, target.chain.position(Sequence(sequence)));
                Ok(Attempt::Done)
            }
            Ok(Ack { sequence, duplicate: true }) => self.identify(package, target, index, sequence).await,
            Err(nack) => Ok(self.refused(target, nack).await),
        }
    }

    /// Reads the message that the server holds under an id that it has already.
    async fn identify(
        &self,
        package: &mut Package,
        target: &Target,
        index: usize,
        stored: u64,
    ) -> Result<Attempt, BusError> {
        let stored = Sequence(stored);
        match self.streams.reader(target.partition).envelope(stored).await {
            Ok(found) => {
                // The room may have been in this stream before.
                let chain = found.as_ref().map_or(target.chain, |found| found.chain);
                package.known(index, chain.position(stored), found.as_ref()).map(|()| Attempt::Again)
            }
            Err(error) => Ok(Attempt::Later(error.to_string())),
        }
    }

    /// Sends an atomic batch: the server stores all messages at consecutive positions, or none.
    async fn attempt_batch(
        &self,
        package: &mut Package,
        target: &Target,
        open: &[usize],
    ) -> Result<Attempt, BusError> {
        match self.send_batch(package, target, open).await {
            Ok(ack) => {
                let first = ack.sequence + 1 - open.len() as u64;
                for (place, index) in (first..).zip(open) {
                    package.stored(*index, target.chain.position(Sequence(place)));
                }
                Ok(Attempt::Done)
            }
            Err(Nack::Refused(DUPLICATE_IN_BATCH, _)) => self.find_known(package, target, open).await,
            Err(nack) => Ok(self.refused(target, nack).await),
        }
    }

    async fn send_batch(&self, package: &Package, target: &Target, open: &[usize]) -> Result<Ack, Nack> {
        let mut batch = Batch::new();
        let Some((last, others)) = open.split_last() else {
            return Err(Nack::Silence("nothing to send".into()));
        };
        for index in others {
            let message = package.message(*index);
            self.add(&target.subject, batch.next(message.headers()), message).await?;
        }
        let message = package.message(*last);
        self.commit(&target.subject, batch.last(self.conditional(target, message)), message).await
    }

    /// Finds out why the server did not store a message.
    async fn refused(&self, target: &Target, nack: Nack) -> Attempt {
        let Target { partition, topic, chain, .. } = target;
        match nack {
            // Another publish of the room is on the same lane: the next attempt takes another one.
            Nack::Refused(WRONG_LAST_SEQUENCE_IN_FLIGHT, _) => return Attempt::Again,
            Nack::Refused(WRONG_LAST_SEQUENCE, _) => {}
            Nack::Silence(why) | Nack::Refused(_, why) => return Attempt::Later(why),
        }
        let gate = match self.streams.gate(*partition, topic).await {
            Ok(gate) => gate,
            Err(error) => return Attempt::Later(error.to_string()),
        };
        match gate.verdict(chain.epoch) {
            // The room has come back, or the gate has expired.
            Verdict::Open if self.gates.adopt(*partition, topic, gate) => Attempt::Again,
            Verdict::Open => Attempt::Later("the gate of the room is changing".into()),
            Verdict::Closed => {
                if self.streams.places.know(topic, gate.order.epoch, HELP_AFTER).await {
                    return Attempt::Again;
                }
                match self.mover.finish(topic, gate).await {
                    Ok(()) => Attempt::Again,
                    Err(error) => Attempt::Later(error.to_string()),
                }
            }
        }
    }

    /// Asks for each message whether the server has its id, without storing any: in a batch the
    /// server checks ids first, and then refuses this batch for an impossible condition. (A
    /// condition on a single message does not work: one that is refused for
    /// `Nats-Expected-Last-Msg-Id` stalls a replicated stream, seen on 2.15.1.)
    async fn find_known(
        &self,
        package: &mut Package,
        target: &Target,
        open: &[usize],
    ) -> Result<Attempt, BusError> {
        for index in open {
            let learnt = match self.is_known(&target.subject, package.message(*index)).await {
                Ok(false) => continue,
                // The server answers with the position of the first message under the id.
                Ok(true) => self.attempt_one(package, target, *index).await?,
                Err(why) => Attempt::Later(why),
            };
            if let Attempt::Later(why) = learnt {
                return Ok(Attempt::Later(why));
            }
        }
        Ok(Attempt::Again)
    }

    async fn is_known(&self, subject: &str, message: &Outgoing) -> Result<bool, String> {
        let mut batch = Batch::new();
        let impossible = {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, IMPOSSIBLE_LAST.to_string());
            headers
        };
        let asked = match self.add(subject, batch.next(message.headers()), message).await {
            Ok(()) => self.commit(subject, batch.last(impossible), message).await,
            Err(nack) => Err(nack),
        };
        match asked {
            Err(Nack::Refused(DUPLICATE_IN_BATCH, _)) => Ok(true),
            Err(Nack::Refused(WRONG_LAST_SEQUENCE_IN_FLIGHT, _)) => Ok(false),
            Err(Nack::Silence(why) | Nack::Refused(_, why)) => Err(why),
            Ok(_) => Err("the server stored a message under an impossible condition".into()),
        }
    }

    async fn add(&self, subject: &str, headers: HeaderMap, message: &Outgoing) -> Result<(), Nack> {
        let (subject, body) = (subject.to_owned(), message.body.clone());
        let sent = self.client.publish_with_headers(subject, headers, body);
        match tokio::time::timeout(self.config.ack_timeout(), sent).await {
            Ok(sent) => sent.map_err(|error| Nack::Silence(error.to_string())),
            Err(_) => Err(Nack::Silence("the connection does not accept data".into())),
        }
    }

    async fn commit(&self, subject: &str, headers: HeaderMap, message: &Outgoing) -> Result<Ack, Nack> {
        let (subject, body) = (subject.to_owned(), message.body.clone());
        acked(&self.client, subject, headers, body, self.config.ack_timeout()).await
    }
}
