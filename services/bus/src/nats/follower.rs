//! Follows topics, each once for all subscribers of this process, and answers ranges
//! from what memory holds of them or else from the stream.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_nats::Client;
use async_nats::jetstream::stream::State;
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Message, Sequence};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::backfill::backfill;
use super::connect::Disturbances;
use super::followed::Followed;
use super::following::Following;
use super::link::Pauses;
use super::reader::unavailable;
use super::server_time::ServerTime;
use super::streams::Streams;
use crate::bus::{BusError, Range, RangeLimits, Subscription, Topic};
use crate::clock::{steady_ms, unix_ms};
use crate::config::BusConfig;
use crate::embedded::lock;
use crate::embedded::topic_log::TopicLog;
use crate::metrics::BusMetrics;

/// Topics read at once; the rest of them wait, so that a reconnect of a process with
/// thousands of rooms is no storm of reads.
const READS_MAX: usize = 32;

/// Attempts at a read for a range; then whoever waits for it is told.
const ATTEMPTS_MAX: u32 = 3;

/// After a read that failed, a topic's next one is not begun before this.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// A subscription does not wait longer for a stream's leader.
const LEADER_PATIENCE: Duration = Duration::from_millis(700);

/// All topics that this process follows.
pub(crate) struct Follower {
    pub(crate) client: Client,
    pub(crate) streams: Streams,
    /// Ids are remembered by the server: here none are.
    pub(crate) limits: BusConfig,
    scan_messages_max: usize,
    pub(crate) metrics: BusMetrics,
    disturbances: watch::Receiver<Disturbances>,
    followed: Mutex<HashMap<Topic, Arc<Followed>>>,
    pub(crate) reads: Semaphore,
    server_time: Mutex<ServerTime>,
    /// Where topics are followed: where the connection is read.
    runtime: Handle,
}

impl Follower {
    pub(crate) fn new(
        client: Client,
        streams: Streams,
        limits: &BusConfig,
        scan_messages_max: usize,
        metrics: BusMetrics,
        disturbances: watch::Receiver<Disturbances>,
        runtime: Handle,
    ) -> Self {
        Follower {
            client,
            streams,
            limits: BusConfig { dedup_per_room_max: 0, ..limits.clone() },
            scan_messages_max,
            metrics,
            disturbances,
            followed: Mutex::default(),
            reads: Semaphore::new(READS_MAX),
            server_time: Mutex::default(),
            runtime,
        }
    }

    pub(crate) async fn subscribe(self: &Arc<Self>, topic: &Topic) -> Result<Subscription, BusError> {
        if let Some(subscription) = self.join(topic) {
            return Ok(subscription);
        }
        // Before the position is asked for: a later disturbance must be seen.
        let mut disturbances = self.disturbances.clone();
        disturbances.mark_unchanged();
        let names = &self.streams.names;
        let output = names.output(topic);
        let arrivals = self.client.subscribe(output).await.map_err(|e| unavailable(&e))?;
        let (start, is_late) = self.start(topic).await?;
        let followed = Arc::new(Followed::new(start, self.limits.subscriber_lag_max));
        let subscription = followed.subscribe();
        {
            let mut all = lock(&self.followed);
            if let Some(faster) = all.get(topic) {
                // Another subscriber of this process.
                return Ok(faster.subscribe());
            }
            all.insert(topic.clone(), Arc::clone(&followed));
        }
        let task = Following { follower: Arc::clone(self), topic: topic.clone(), followed, arrivals };
        self.runtime.spawn(task.run(disturbances, is_late));
        Ok(subscription)
    }

    /// The position to begin after, and whether something newer may be stored already that
    /// never arrives. The leader answers after it knows of the subscription, so nothing
    /// falls between; without one, any replica's word is better than a closed door.
    async fn start(&self, topic: &Topic) -> Result<(Sequence, bool), BusError> {
        let (reader, input) = (self.streams.of(topic), self.streams.names.input(topic));
        if let Ok(Ok(last)) = tokio::time::timeout(LEADER_PATIENCE, reader.last(&input)).await {
            return Ok((last, false));
        }
        let last = reader.lasts(&[&input]).await?.get(&input).copied();
        Ok((last.unwrap_or(Sequence::ZERO), true))
    }

    /// Subscribes to a topic that is followed already.
    fn join(&self, topic: &Topic) -> Option<Subscription> {
        lock(&self.followed).get(topic).map(|followed| followed.subscribe())
    }

    /// Ends a topic that nobody listens to; whoever joins holds the same lock.
    pub(crate) fn leave(&self, topic: &Topic) -> bool {
        let mut all = lock(&self.followed);
        let unheard = all.get(topic).is_some_and(|followed| followed.events.receiver_count() == 0);
        if unheard {
            all.remove(topic);
        }
        unheard
    }

    /// Ends a topic whose messages no longer come.
    pub(crate) fn forget(&self, topic: &Topic) {
        lock(&self.followed).remove(topic);
    }

    /// Up to `count` followed topics, going round all of them.
    pub(crate) fn some_followed(&self, place: &mut usize, count: usize) -> Vec<(Topic, Arc<Followed>)> {
        let all = lock(&self.followed);
        let from = if *place < all.len() { *place } else { 0 };
        *place = from + count;
        let some = all.iter().skip(from).take(count);
        some.map(|(topic, followed)| (topic.clone(), Arc::clone(followed))).collect()
    }

    pub(crate) async fn range(
        self: &Arc<Self>,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        if let Some(range) = self.kept_range(topic, after, before, limits) {
            return Ok(range);
        }
        let Some(followed) = self.followed(topic) else {
            return self.stored_range(topic, after, before, limits).await;
        };
        // Whoever asks may lose patience; what was begun is brought to its end, for the others
        // who wait for it.
        let (follower, topic) = (Arc::clone(self), topic.clone());
        let read = async move { follower.read_range(&topic, &followed, after, before, limits).await };
        let read = tokio::spawn(read).await;
        read.unwrap_or_else(|_| Err(BusError::Unavailable("the process ends".into())))
    }

    /// One reads, the others find what it brought; or that it brought nothing, for then
    /// each of them would wait as long, one after the other.
    async fn read_range(
        &self,
        topic: &Topic,
        followed: &Followed,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        let mut failed_at = followed.reading.lock().await;
        if let Some(range) = self.kept_range(topic, after, before, limits) {
            return Ok(range);
        }
        if failed_at.is_some_and(|at| at.elapsed() < READ_AGAIN) {
            return Err(BusError::Unavailable("a read has just failed".into()));
        }
        let _permit = self.reads.acquire().await;
        let (mut pauses, mut attempts) = (Pauses::new(), 1);
        loop {
            let read = self.connected(self.backfilled_range(topic, followed, after, before, limits)).await;
            if read.is_ok() || attempts == ATTEMPTS_MAX {
                *failed_at = read.is_err().then(Instant::now);
                return read;
            }
            attempts += 1;
            pauses.pause().await;
        }
    }

    /// A read ends with the connection that it was asked on: its answer went there.
    pub(crate) async fn connected<T>(
        &self,
        read: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        let mut disturbances = self.disturbances.clone();
        let connects = disturbances.borrow_and_update().connects;
        let lost = async { drop(disturbances.wait_for(|now| now.connects > connects).await) };
        tokio::select! {
            biased;
            done = read => done,
            () = lost => Err(BusError::Unavailable("the connection was lost".into())),
        }
    }

    async fn backfilled_range(
        &self,
        topic: &Topic,
        followed: &Followed,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        let (reader, input) = (self.streams.of(topic), self.streams.names.input(topic));
        if backfill(followed, reader, &input, after, self.scan_messages_max, &self.limits).await?
            && let Some(range) = self.kept_range(topic, after, before, limits)
        {
            return Ok(range);
        }
        self.stored_range(topic, after, before, limits).await
    }

    fn followed(&self, topic: &Topic) -> Option<Arc<Followed>> {
        lock(&self.followed).get(topic).cloned()
    }

    /// A range from memory, if all of it lies there.
    fn kept_range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Option<Range> {
        let followed = self.followed(topic)?;
        let mut kept = lock(&followed.kept);
        kept.log.expire(steady_ms(), &self.limits);
        // Another process may have seen a position that is still on its way here.
        let within = kept.base <= after && after <= kept.log.last();
        within.then(|| kept.log.range(after, before, limits))
    }

    async fn stored_range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        let (reader, input) = (self.streams.of(topic), self.streams.names.input(topic));
        let last = reader.last(&input).await?;
        if after > last {
            let (outcome, messages) = (RepairOutcome::Gone, Vec::new());
            return Ok(Range { outcome, skipped: 0, messages, covered_to: last });
        }
        let newest_ms = newest_ms(&reader.state().await?);
        let now_ms = lock(&self.server_time).now_ms(newest_ms, steady_ms(), unix_ms());
        let kept_ms = now_ms.saturating_sub(self.limits.retention_secs.saturating_mul(1_000));
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(kept_ms);
        let kept_from = reader.first_since(&input, since).await?.unwrap_or(Sequence(last.0 + 1));
        let oldest = reader.page(&input, after, 1).await?.messages.first().map(|message| message.sequence);
        let is_cut = oldest.is_some_and(|oldest| oldest < kept_from);
        let from = if is_cut { after.max(Sequence(kept_from.0 - 1)) } else { after };
        let end = before.unwrap_or(Sequence::MAX);
        let mut log = TopicLog::starting_at(from);
        let mut left = self.scan_messages_max.max(1);
        let mut precious_bytes = 0;
        let visit = |message: Message| {
            if message.sequence >= end || left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            if message.class.is_precious() {
                precious_bytes += message.body.len() + RangeLimits::OVERHEAD_BYTES;
            }
            // What is newer would be cut off again.
            if precious_bytes > limits.bytes_max {
                left = 0;
            }
            log.push(Arc::new(message), 0, 0, &self.limits);
            ControlFlow::Continue(())
        };
        reader.scan(&input, from, last, visit).await?;
        let scanned_to = log.last();
        let mut range = log.range(from, before, limits);
        if left > 0 && range.covered_to == scanned_to {
            range.covered_to = last.min(Sequence(end.0.saturating_sub(1))).max(after);
        }
        // Asked last: what left the stream while it was read is missing above.
        if is_cut || has_left(&reader.state().await?, after, since) {
            range.outcome = RepairOutcome::Gone;
        }
        Ok(range)
    }
}

/// When the newest message was stored, in Unix milliseconds of the servers.
fn newest_ms(state: &State) -> u64 {
    u64::try_from(state.last_timestamp.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// Whether messages after a position may have left the stream. It does not say
/// whose they were: whoever has seen none of a room misses none of its messages
/// that the retention time covers, unless the stream was too small for that.
fn has_left(state: &State, after: Sequence, since: SystemTime) -> bool {
    let since_ns = since.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_nanos());
    let is_short = state.first_timestamp.unix_timestamp_nanos().cast_unsigned() > since_ns;
    after.0 + 1 < state.first_sequence && (after > Sequence::ZERO || is_short)
}
