//! Answers ranges from memory, or else from the stream.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::jetstream::stream::State;
use barrage_clock::{steady_ms, unix_ms};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Message, Sequence};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::backfill::backfill;
use super::followed::Followed;
use super::server_time::ServerTime;
use super::source::Source;
use super::topics::FollowedTopics;
use crate::error::BusError;
use crate::log::{Range, RangeLimits, Topic};
use crate::nats::connection::link::Pauses;
use crate::topic_log::TopicLog;

/// Maximum number of attempts at a read for a range.
const ATTEMPTS_MAX: u32 = 3;

/// Shortest time between a read of a topic that failed and the next one.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// Reads ranges of topics, whether they are followed or not.
pub(crate) struct Ranges {
    source: Arc<Source>,
    topics: Arc<FollowedTopics>,
    scan_messages_max: usize,
    server_time: Mutex<ServerTime>,
}

impl Ranges {
    pub(crate) fn new(source: Arc<Source>, topics: Arc<FollowedTopics>, scan_messages_max: usize) -> Self {
        Ranges { source, topics, scan_messages_max, server_time: Mutex::default() }
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
        let Some(followed) = self.topics.get(topic) else {
            return self.stored_range(topic, after, before, limits).await;
        };
        // In a task of its own: the caller may give up, and the others that wait for this read
        // still need it.
        let (ranges, topic) = (Arc::clone(self), topic.clone());
        let read = async move { ranges.read_range(&topic, &followed, after, before, limits).await };
        let read = tokio::spawn(read).await;
        read.unwrap_or_else(|_| Err(BusError::Unavailable("the process is ending".into())))
    }

    /// One caller reads; the others then find the messages in memory, or fail because the read
    /// has failed: otherwise each of them would wait as long, one after the other.
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
        let _permit = self.source.reads.acquire().await;
        let (mut pauses, mut attempts) = (Pauses::new(), 1);
        loop {
            let read = self.backfilled_range(topic, followed, after, before, limits);
            let read = self.source.while_connected(read).await;
            if read.is_ok() || attempts == ATTEMPTS_MAX {
                *failed_at = read.is_err().then(Instant::now);
                return read;
            }
            attempts += 1;
            pauses.pause().await;
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
        let Source { streams, limits: kept, .. } = &*self.source;
        let (reader, input) = (streams.of(topic), streams.names.input(topic));
        if backfill(followed, reader, &input, after, self.scan_messages_max, kept).await?
            && let Some(range) = self.kept_range(topic, after, before, limits)
        {
            return Ok(range);
        }
        self.stored_range(topic, after, before, limits).await
    }

    /// Returns a range from memory; `None` when memory does not hold all of it.
    fn kept_range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Option<Range> {
        let followed = self.topics.get(topic)?;
        let mut kept = followed.kept.lock();
        kept.log.expire(steady_ms(), &self.source.limits);
        // A client of another process may have a position that has not arrived in this one yet.
        let is_within = kept.base <= after && after <= kept.log.last();
        is_within.then(|| kept.log.range(after, before, limits))
    }

    async fn stored_range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        let Source { streams, limits: kept, .. } = &*self.source;
        let (reader, input) = (streams.of(topic), streams.names.input(topic));
        let last = reader.last(&input).await?;
        if after > last {
            let (outcome, messages) = (RepairOutcome::Gone, Vec::new());
            return Ok(Range { outcome, skipped: 0, messages, covered_to: last });
        }
        let newest_ms = newest_ms(&reader.state().await?);
        let now_ms = self.server_time.lock().now_ms(newest_ms, steady_ms(), unix_ms());
        let kept_ms = now_ms.saturating_sub(kept.retention_secs.saturating_mul(1_000));
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(kept_ms);
        let kept_from = reader.first_since(&input, since).await?.unwrap_or(Sequence(last.0 + 1));
        let oldest = reader.read(&input, after, 1).await?.messages.first().map(|message| message.sequence);
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
            // Newer messages would be cut off again.
            if precious_bytes > limits.bytes_max {
                left = 0;
            }
            log.push(Arc::new(message), 0, 0, kept);
            ControlFlow::Continue(())
        };
        reader.scan(&input, from, last, visit).await?;
        let scanned_to = log.last();
        let mut range = log.range(from, before, limits);
        if left > 0 && range.covered_to == scanned_to {
            range.covered_to = last.min(Sequence(end.0.saturating_sub(1))).max(after);
        }
        // Asked last: messages that left the stream during the read are missing above.
        if is_cut || may_have_left(&reader.state().await?, after, since) {
            range.outcome = RepairOutcome::Gone;
        }
        Ok(range)
    }
}

/// Returns the time at which the newest message was stored, in Unix milliseconds of the servers.
fn newest_ms(state: &State) -> u64 {
    u64::try_from(state.last_timestamp.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// Returns whether messages after a position may have left the stream. The state does not name their
/// room: a client that has seen no message of a room misses none within the retention time, unless
/// the stream was too small for it.
fn may_have_left(state: &State, after: Sequence, since: SystemTime) -> bool {
    let since_ns = since.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_nanos());
    let is_short = state.first_timestamp.unix_timestamp_nanos().cast_unsigned() > since_ns;
    after.0 + 1 < state.first_sequence && (after > Sequence::ZERO || is_short)
}
