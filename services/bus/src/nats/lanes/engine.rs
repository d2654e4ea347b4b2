//! Appends to the streams of the lanes, reads from them, and removal of what the inbox has taken.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::{Context, ContextBuilder};
use async_nats::{Client, HeaderMap};
use async_trait::async_trait;
use barrage_protocol::Sequence;
use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::record;
use super::stream::{self, LaneNames};
use super::tail;
use crate::config::BusConfig;
use crate::error::BusError;
use crate::lanes::{LANE_READ_MAX, LaneDraft, LaneEntry, LaneReceipt, Lanes, check};
use crate::metrics::BusMetrics;
use crate::nats::config::NatsConfig;
use crate::nats::connection::connect::{Connection, NatsError, connect};
use crate::nats::connection::link::{Ack, Nack, Pauses, acked, unavailable};
use crate::nats::stream::reader::Reader;

/// Error code of a stream that has no room for another message.
const STREAM_FULL: u64 = 10_077;

/// Lanes on NATS servers, for all processes of a cluster.
pub struct NatsLanes {
    client: Client,
    context: Context,
    lanes: Vec<Lane>,
    ack_timeout: Duration,
    deadline: Duration,
    /// One permit for each append in flight; without a free one an append is refused at once.
    permits: Semaphore,
    /// Tasks that keep the tails current; they are aborted when the engine is dropped.
    _tails: JoinSet<()>,
}

struct Lane {
    names: LaneNames,
    reader: Reader,
    tail: watch::Sender<Sequence>,
}

impl NatsLanes {
    /// Connects, and declares a stream for each lane if configured. `taken` has the position of each lane up to
    /// which the inbox has taken it; their number is the number of lanes, which must stay. A lane refuses
    /// appends when it holds `entries_max` records.
    ///
    /// Waits for servers that are still starting, or have no leader yet, up to `start_deadline_ms`.
    pub async fn connect(
        config: NatsConfig,
        limits: &BusConfig,
        metrics: &BusMetrics,
        taken: &[Sequence],
        entries_max: u64,
    ) -> Result<Arc<Self>, NatsError> {
        let (started, mut pauses) = (barrage_clock::now(), Pauses::new());
        loop {
            match NatsLanes::try_connect(config.clone(), limits, metrics, taken, entries_max).await {
                Err(error) if error.may_pass() && started.elapsed() < config.start_deadline() => {
                    tracing::warn!(%error, "the lanes on NATS are not ready; trying again");
                    pauses.pause().await;
                }
                result => return result,
            }
        }
    }

    async fn try_connect(
        config: NatsConfig,
        limits: &BusConfig,
        metrics: &BusMetrics,
        taken: &[Sequence],
        entries_max: u64,
    ) -> Result<Arc<Self>, NatsError> {
        let count = u16::try_from(taken.len()).map_err(|_| NatsError::Config("there are too many lanes"))?;
        // Letters have a connection of their own: gifts never wait behind them in one socket.
        let config = NatsConfig { gather_us_max: None, ..config };
        let Connection { client, .. } = connect(&config, limits, metrics).await?;
        let context = ContextBuilder::new().timeout(config.request_timeout()).build(client.clone());
        let mut lanes = Vec::with_capacity(taken.len());
        let mut tails = JoinSet::new();
        for (lane, taken) in (0..count).zip(taken) {
            let names = LaneNames::new(&config.prefix, lane, count);
            let failed = |reason: String| NatsError::Setup { what: names.stream.clone(), reason };
            let dedup = Duration::from_secs(limits.dedup_secs.max(1));
            let newest = stream::open(&context, &names, &config, dedup, entries_max, *taken, count).await?;
            let reader =
                Reader::new(&context, &names.stream, config.request_timeout(), limits.subscriber_lag_max);
            let reader = reader.await.map_err(|error| failed(error.to_string()))?;
            let notices = client.subscribe(names.stored.clone()).await;
            let notices = notices.map_err(|error| failed(error.to_string()))?;
            let tail = watch::Sender::new(*taken);
            tail::advance(&tail, newest);
            tails.spawn(tail::follow(notices, reader.clone(), tail.clone()));
            lanes.push(Lane { names, reader, tail });
        }
        Ok(Arc::new(NatsLanes {
            client,
            context,
            lanes,
            ack_timeout: config.ack_timeout(),
            deadline: config.publish_deadline(),
            permits: Semaphore::new(limits.queue_max),
            _tails: tails,
        }))
    }

    fn lane(&self, lane: u16) -> Result<&Lane, BusError> {
        let found = self.lanes.get(usize::from(lane));
        found.ok_or_else(|| BusError::Unavailable(format!("there is no lane {lane}")))
    }

    /// Sends a record under its id until a server has it or the deadline ends.
    async fn store(&self, lane: &Lane, headers: &HeaderMap, payload: &Bytes) -> Result<Ack, BusError> {
        let (started, mut pauses) = (barrage_clock::now(), Pauses::new());
        let mut is_first = true;
        loop {
            let (subject, headers) = (lane.names.input.clone(), headers.clone());
            match acked(&self.client, subject, headers, payload.clone(), self.ack_timeout).await {
                // What an earlier attempt of this call has stored is no duplicate.
                Ok(ack) => return Ok(Ack { duplicate: ack.duplicate && is_first, ..ack }),
                Err(Nack::Refused(STREAM_FULL, _)) => return Err(BusError::Full("inbox event")),
                Err(nack) if started.elapsed() >= self.deadline => return Err(nack.into()),
                Err(Nack::Silence(_) | Nack::Refused(..)) => {}
            }
            is_first = false;
            pauses.pause().await;
        }
    }
}

#[async_trait]
impl Lanes for NatsLanes {
    fn lanes(&self) -> u16 {
        u16::try_from(self.lanes.len()).unwrap_or(u16::MAX)
    }

    async fn append(&self, lane: u16, drafts: Vec<LaneDraft>) -> Result<Vec<LaneReceipt>, BusError> {
        let lane = self.lane(lane)?;
        check(&drafts)?;
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let permit = self.permits.try_acquire();
        let _permit = permit.map_err(|_| BusError::Unavailable("too many appends wait".into()))?;
        let (mut headers, payload) = record::write(&drafts, barrage_clock::unix_ms());
        let id = record::message_id(&drafts).unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        headers.insert(NATS_MESSAGE_ID, id);
        let Ack { sequence, duplicate } = self.store(lane, &headers, &payload).await?;
        if duplicate {
            let known = lane.reader.headers(Sequence(sequence)).await?;
            if known.is_some_and(|known| !record::is_same(&known, &headers)) {
                return Err(BusError::Conflict);
            }
        }
        tail::advance(&lane.tail, sequence);
        let places = 0..drafts.len();
        let receipt = |place| LaneReceipt { sequence: record::position(sequence, place), duplicate };
        Ok(places.map(receipt).collect())
    }

    async fn read(&self, lane: u16, after: Sequence, limit: usize) -> Result<Vec<LaneEntry>, BusError> {
        let lane = self.lane(lane)?;
        if *lane.tail.borrow() <= after {
            return Ok(Vec::new());
        }
        let limit = limit.clamp(1, LANE_READ_MAX);
        // The record of `after` may hold more events behind it.
        let from = record::record_of(after).max(1);
        let mut entries = Vec::new();
        for stored in lane.reader.raw(&lane.names.input, Sequence(from), limit + 1).await? {
            match record::read(stored.sequence.0, &stored.headers, &stored.payload) {
                Some(read) => entries.extend(read.into_iter().filter(|entry| entry.sequence > after)),
                None => tracing::warn!(
                    sequence = %stored.sequence,
                    "a lane holds a record that Barrage did not write"
                ),
            }
        }
        entries.truncate(limit);
        Ok(entries)
    }

    fn tail(&self, lane: u16) -> watch::Receiver<Sequence> {
        self.lanes[usize::from(lane)].tail.subscribe()
    }

    async fn forget(&self, lane: u16, up_to: Sequence, before_ms: u64) -> Result<u64, BusError> {
        let lane = self.lane(lane)?;
        // The record of `up_to` stays: the inbox may have taken a part of it.
        let mut first_kept = record::record_of(up_to);
        let before = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(before_ms));
        if let Some(before) = before.filter(|before| *before <= SystemTime::UNIX_EPOCH + FAR) {
            let since = lane.reader.first_since(&lane.names.input, before).await?;
            first_kept = first_kept.min(since.map_or(first_kept, |since| since.0));
        }
        if first_kept <= 1 {
            return Ok(0);
        }
        let stream = self.context.get_stream_no_info(&lane.names.stream).await;
        let stream = stream.map_err(|error| unavailable(&error))?;
        let purged = stream.purge().sequence(first_kept).await.map_err(|error| unavailable(&error))?;
        Ok(purged.purged)
    }
}

/// Times after this one, in the year 9999, cannot be written as RFC 3339: all records are older.
const FAR: Duration = Duration::from_secs(253_402_300_799);
