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
use crate::config::BusConfig;
use crate::error::BusError;
use crate::log::{Range, RangeLimits, Topic};
use crate::nats::connection::link::Pauses;
use crate::settings::room_place::{Leg, Segment};
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
        let Segment { partition, chain, .. } = streams.places.current(topic);
        let (reader, input) = (streams.reader(partition), streams.names.input(partition, topic));
        if backfill(followed, reader, &input, chain, after, self.scan_messages_max, kept).await?
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

    /// Reads a range from the streams: one after the other, where the room was in several.
    async fn stored_range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        let place = self.source.streams.places.place(topic);
        let mut scan = Scan::new(after, before, limits, self.scan_messages_max, place.is_cut(after));
        let mut last = Sequence::ZERO;
        for leg in place.legs(after) {
            last = self.last_of(topic, leg).await?;
            if after > last {
                self.source.streams.confirm(topic, place.epoch()).await?;
                let (outcome, messages) = (RepairOutcome::Gone, Vec::new());
                return Ok(Range { outcome, skipped: 0, messages, covered_to: last });
            }
            self.scan_leg(topic, leg, last, &mut scan).await?;
            if scan.is_over(last) {
                break;
            }
        }
        Ok(scan.range(last, &self.source.limits))
    }

    /// Returns the position of the last message of a stay, or of the newest one while it lasts.
    async fn last_of(&self, topic: &Topic, leg: Leg) -> Result<Sequence, BusError> {
        match leg.last {
            Some(last) => Ok(last),
            None => {
                let input = self.source.streams.names.input(leg.partition, topic);
                self.source.streams.reader(leg.partition).last(&input).await?.position(leg.chain)
            }
        }
    }

    /// Reads the messages of one stay, up to its last one.
    async fn scan_leg(
        &self,
        topic: &Topic,
        leg: Leg,
        last: Sequence,
        scan: &mut Scan,
    ) -> Result<(), BusError> {
        let Source { streams, limits: kept, .. } = &*self.source;
        let Leg { partition, chain, .. } = leg;
        let (reader, input) = (streams.reader(partition), streams.names.input(partition, topic));
        let newest_ms = newest_ms(&reader.state().await?);
        let now_ms = self.server_time.lock().now_ms(newest_ms, steady_ms(), unix_ms());
        let kept_ms = now_ms.saturating_sub(kept.retention_secs.saturating_mul(1_000));
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(kept_ms);
        // Where the room came back to the stream, the first message may be one of a later stay.
        let (behind, after) = (Sequence(last.0 + 1), scan.after);
        let kept_from = reader.first_since(&input, since).await?;
        let kept_from = kept_from.map_or(behind, |first| chain.position(first).min(behind));
        let oldest = reader.read(&input, chain.stored(after), 1).await?.messages.first().map(|it| it.at);
        if oldest.is_some_and(|oldest| chain.position(oldest) < kept_from) {
            scan.cut(Sequence(kept_from.0 - 1));
        }
        if last > chain.above {
            let from = chain.stored(scan.from);
            reader.scan(&input, from, chain.stored(last), |message| scan.visit(message, last)).await?;
        }
        // Asked last: messages that left the stream during the read are missing above.
        scan.is_cut |= may_have_left(&reader.state().await?, after, chain.stored(after), since);
        Ok(())
    }
}

/// Messages of a range, as they are read from the streams.
struct Scan {
    after: Sequence,
    /// Position after which messages are kept: `after`, or later where older ones are past retention.
    from: Sequence,
    before: Option<Sequence>,
    limits: RangeLimits,
    messages: Vec<Arc<Message>>,
    /// Number of messages that may still be read.
    left: usize,
    precious_bytes: usize,
    is_cut: bool,
}

impl Scan {
    fn new(
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
        messages_max: usize,
        is_cut: bool,
    ) -> Self {
        let (messages, left) = (Vec::new(), messages_max.max(1));
        Scan { after, from: after, before, limits, messages, left, precious_bytes: 0, is_cut }
    }

    fn end(&self) -> Sequence {
        self.before.unwrap_or(Sequence::MAX)
    }

    /// Notes that messages up to a position are past retention.
    fn cut(&mut self, from: Sequence) {
        self.is_cut = true;
        self.from = self.from.max(from);
    }

    /// Takes a message of a stay whose last message is at `last`; breaks when there is no room for more.
    fn visit(&mut self, message: Arc<Message>, last: Sequence) -> ControlFlow<()> {
        if message.sequence >= self.end() || message.sequence > last || self.left == 0 {
            return ControlFlow::Break(());
        }
        self.left -= 1;
        if message.class.is_precious() {
            self.precious_bytes += message.body.len() + RangeLimits::OVERHEAD_BYTES;
        }
        // Newer messages would be cut off again.
        if self.precious_bytes > self.limits.bytes_max {
            self.left = 0;
        }
        self.messages.push(message);
        ControlFlow::Continue(())
    }

    /// Returns whether nothing more is to be read behind a position.
    fn is_over(&self, last: Sequence) -> bool {
        self.left == 0 || last.0 + 1 >= self.end().0
    }

    /// Returns the range, which was read up to `last` unless there was no room for all.
    fn range(self, last: Sequence, kept: &BusConfig) -> Range {
        let mut log = TopicLog::starting_at(self.from);
        let end = self.end();
        for message in self.messages {
            log.push(message, 0, 0, kept);
        }
        let scanned_to = log.last();
        let mut range = log.range(self.from, self.before, self.limits);
        if self.left > 0 && range.covered_to == scanned_to {
            range.covered_to = last.min(Sequence(end.0.saturating_sub(1))).max(self.after);
        }
        if self.is_cut {
            range.outcome = RepairOutcome::Gone;
        }
        range
    }
}

/// Returns the time at which the newest message was stored, in Unix milliseconds of the servers.
fn newest_ms(state: &State) -> u64 {
    u64::try_from(state.last_timestamp.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// Returns whether messages after a position, of the room and of its stream, may have left the stream.
/// The state does not name their room: a client that has seen no message of a room misses none within the retention time, unless
/// the stream was too small for it.
fn may_have_left(state: &State, after: Sequence, stored: Sequence, since: SystemTime) -> bool {
    let since_ns = since.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_nanos());
    let is_short = state.first_timestamp.unix_timestamp_nanos().cast_unsigned() > since_ns;
    stored.0 + 1 < state.first_sequence && (after > Sequence::ZERO || is_short)
}
