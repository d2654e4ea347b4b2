//! Publishing: each message is sent under its id until the server has it or the deadline ends.

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
};
use async_nats::{Client, HeaderMap};
use barrage_clock::unix_ms;
use barrage_protocol::Sequence;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::faults::PublishFaults;
use super::package::{Outgoing, Package};
use crate::error::BusError;
use crate::log::{Draft, Receipt};
use crate::metrics::BusMetrics;
use crate::nats::config::NatsConfig;
use crate::nats::connection::link::{Ack, Nack, Pauses, acked};
use crate::nats::stream::streams::Streams;

/// Error code: a batch holds an id that the server has already.
const DUPLICATE_IN_BATCH: u64 = 10_201;
/// Error code: the condition of a message in a batch does not hold.
const WRONG_LAST_SEQUENCE: u64 = 10_164;
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
        queue_max: usize,
        metrics: BusMetrics,
    ) -> Self {
        let permits = Semaphore::new(queue_max.clamp(1, Semaphore::MAX_PERMITS));
        Publisher { client, streams, config, permits, metrics, faults: PublishFaults::default() }
    }

    pub(crate) async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError> {
        let Ok(_permit) = self.permits.try_acquire() else {
            self.metrics.refused_full.inc();
            return Err(BusError::Unavailable("its queue is full".into()));
        };
        let _timer = self.metrics.publish_duration_seconds.start_timer();
        let mut package = Package::new(drafts, &self.streams.names, unix_ms(), rand::random())?;
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
        match package.open().as_slice() {
            [] => Ok(Attempt::Done),
            [one] => self.attempt_one(package, *one).await,
            many => self.attempt_batch(package, many).await,
        }
    }

    async fn attempt_one(&self, package: &mut Package, index: usize) -> Result<Attempt, BusError> {
        let message = package.message(index);
        match self.commit(message.headers(), message).await {
            Ok(Ack { sequence, duplicate: false }) => {
                package.stored(index, Sequence(sequence));
                Ok(Attempt::Done)
            }
            Ok(Ack { sequence, duplicate: true }) => self.identify(package, index, sequence).await,
            Err(Nack::Silence(why) | Nack::Refused(_, why)) => Ok(Attempt::Later(why)),
        }
    }

    /// Reads the message that the server holds under an id that it has already.
    async fn identify(
        &self,
        package: &mut Package,
        index: usize,
        sequence: u64,
    ) -> Result<Attempt, BusError> {
        let sequence = Sequence(sequence);
        match self.streams.reader(package.partition).envelope(sequence).await {
            Ok(found) => package.known(index, sequence, found.as_ref()).map(|()| Attempt::Again),
            Err(error) => Ok(Attempt::Later(error.to_string())),
        }
    }

    /// Sends an atomic batch: the server stores all messages at consecutive positions, or none.
    async fn attempt_batch(&self, package: &mut Package, open: &[usize]) -> Result<Attempt, BusError> {
        match self.send_batch(package, open).await {
            Ok(ack) => {
                let first = ack.sequence + 1 - open.len() as u64;
                for (place, index) in (first..).zip(open) {
                    package.stored(*index, Sequence(place));
                }
                Ok(Attempt::Done)
            }
            Err(Nack::Refused(DUPLICATE_IN_BATCH, _)) => self.find_known(package, open).await,
            Err(Nack::Silence(why) | Nack::Refused(_, why)) => Ok(Attempt::Later(why)),
        }
    }

    async fn send_batch(&self, package: &Package, open: &[usize]) -> Result<Ack, Nack> {
        let mut batch = Batch::new();
        let Some((last, others)) = open.split_last() else {
            return Err(Nack::Silence("nothing to send".into()));
        };
        for index in others {
            let message = package.message(*index);
            self.add(batch.next(message.headers()), message).await?;
        }
        let message = package.message(*last);
        self.commit(batch.last(message.headers()), message).await
    }

    /// Asks for each message whether the server has its id, without storing any: in a batch the
    /// server checks ids first, and then refuses this batch for an impossible condition. (A
    /// condition on a single message does not work: one that is refused for
    /// `Nats-Expected-Last-Msg-Id` stalls a replicated stream, seen on 2.15.1.)
    async fn find_known(&self, package: &mut Package, open: &[usize]) -> Result<Attempt, BusError> {
        for index in open {
            let learnt = match self.is_known(package.message(*index)).await {
                Ok(false) => continue,
                // The server answers with the position of the first message under the id.
                Ok(true) => self.attempt_one(package, *index).await?,
                Err(why) => Attempt::Later(why),
            };
            if let Attempt::Later(why) = learnt {
                return Ok(Attempt::Later(why));
            }
        }
        Ok(Attempt::Again)
    }

    async fn is_known(&self, message: &Outgoing) -> Result<bool, String> {
        let mut batch = Batch::new();
        let impossible = {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, IMPOSSIBLE_LAST.to_string());
            headers
        };
        let asked = match self.add(batch.next(message.headers()), message).await {
            Ok(()) => self.commit(batch.last(impossible), message).await,
            Err(nack) => Err(nack),
        };
        match asked {
            Err(Nack::Refused(DUPLICATE_IN_BATCH, _)) => Ok(true),
            Err(Nack::Refused(WRONG_LAST_SEQUENCE, _)) => Ok(false),
            Err(Nack::Silence(why) | Nack::Refused(_, why)) => Err(why),
            Ok(_) => Err("the server stored a message under an impossible condition".into()),
        }
    }

    async fn add(&self, headers: HeaderMap, message: &Outgoing) -> Result<(), Nack> {
        let (subject, body) = (message.subject.clone(), message.body.clone());
        let sent = self.client.publish_with_headers(subject, headers, body);
        match tokio::time::timeout(self.config.ack_timeout(), sent).await {
            Ok(sent) => sent.map_err(|error| Nack::Silence(error.to_string())),
            Err(_) => Err(Nack::Silence("the connection does not accept data".into())),
        }
    }

    async fn commit(&self, headers: HeaderMap, message: &Outgoing) -> Result<Ack, Nack> {
        let (subject, body) = (message.subject.clone(), message.body.clone());
        acked(&self.client, subject, headers, body, self.config.ack_timeout()).await
    }
}

/// Numbers the messages of one atomic batch.
struct Batch {
    id: String,
    number: u64,
}

impl Batch {
    fn new() -> Self {
        Batch { id: format!("{:032x}", rand::random::<u128>()), number: 0 }
    }

    fn next(&mut self, mut headers: HeaderMap) -> HeaderMap {
        self.number += 1;
        headers.insert(NATS_BATCH_ID, self.id.as_str());
        headers.insert(NATS_BATCH_SEQUENCE, self.number.to_string());
        headers
    }

    fn last(mut self, headers: HeaderMap) -> HeaderMap {
        let mut headers = self.next(headers);
        headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
        headers
    }
}
