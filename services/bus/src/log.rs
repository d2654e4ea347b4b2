//! The log of messages: topics, publishing, subscriptions and range reads.

use std::sync::Arc;

use async_trait::async_trait;
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Message, MessageId, RoomId, Sequence, TraceContext, UserId};
use bytes::Bytes;
use tokio::sync::watch;

use crate::error::BusError;
use crate::events::{Event, EventReceiver, PulseDraft};

/// Destination of a message. Each topic has a chain of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// All viewers of a room; its messages form one chain.
    Room(RoomId),
    /// Messages for single users; every gateway subscribes and keeps those for its own viewers.
    Direct,
}

/// A message that has no sequence yet.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Room that the message belongs to, also when it goes to a single user.
    pub room: RoomId,
    /// Class, which decides the order of dropping; never [`Class::Pulse`], see [`PulseDraft`].
    pub class: Class,
    /// Sender; `None` for messages of the platform.
    pub sender: Option<UserId>,
    /// Id that the sender chose; a second message of the same sender and id is a duplicate.
    pub id: Option<MessageId>,
    /// Hash of the post: the same id with another hash is a conflict.
    pub fingerprint: u64,
    /// Recipient of a message for a single user.
    pub to: Option<UserId>,
    /// Trace of a sampled message; it travels with the message.
    pub trace: Option<Box<TraceContext>>,
    /// A JSON object, opaque to the bus.
    pub body: Bytes,
}

impl Draft {
    /// Returns the destination: [`Topic::Direct`] for a message to a single user, else the room.
    #[must_use]
    pub fn topic(&self) -> Topic {
        if self.to.is_some() { Topic::Direct } else { Topic::Room(self.room.clone()) }
    }
}

/// Returns the topic of all drafts, `None` without drafts; fails when they have several.
pub(crate) fn common_topic(drafts: &[Draft]) -> Result<Option<Topic>, BusError> {
    let Some((first, others)) = drafts.split_first() else { return Ok(None) };
    let topic = first.topic();
    let is_common = others.iter().all(|draft| draft.topic() == topic);
    is_common.then_some(Some(topic)).ok_or(BusError::SeveralTopics)
}

/// Result of publishing one draft; the message, or the first one of its id, is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Sequence of the message; for a duplicate, of the first message with its id.
    pub sequence: Sequence,
    /// Unix time of acceptance, in milliseconds; 0 for a duplicate.
    pub at_ms: u64,
    /// The bus had the same id from the same sender already.
    pub duplicate: bool,
}

/// The events of one topic. Bounded: a subscriber that lags gets [`Event::Lagged`] in place of
/// the events that were dropped.
#[derive(Debug)]
pub struct Subscription {
    /// Position of the chain when the subscription began: older messages are read as a range,
    /// newer ones arrive as events.
    pub start: Sequence,
    pub(crate) events: EventReceiver,
}

impl Subscription {
    /// Waits for the next event; `None` when the bus has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.next().await
    }

    /// Returns the next event if one has arrived already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.events.try_next()
    }
}

/// Maximum size of one range read. The default is 200 chat messages, 1,000 gifts and signals, and 256 KiB.
#[derive(Debug, Clone, Copy)]
pub struct RangeLimits {
    /// Chat messages; the oldest beyond it are skipped and counted in [`Range::skipped`].
    pub chat_max: usize,
    /// Gifts and signals; beyond it the range is cut short at [`Range::covered_to`].
    pub precious_max: usize,
    /// Bytes of bodies, each with [`RangeLimits::OVERHEAD_BYTES`] more; beyond it the range is
    /// cut short at [`Range::covered_to`]. One message is returned however large it is, so that
    /// a reader always advances.
    pub bytes_max: usize,
}

impl RangeLimits {
    /// Bytes counted for each message beside its body: sequence and class in a frame.
    pub const OVERHEAD_BYTES: usize = 64;
}

impl Default for RangeLimits {
    fn default() -> Self {
        RangeLimits { chat_max: 200, precious_max: 1_000, bytes_max: 256 * 1024 }
    }
}

/// Part of a topic's chain, from after the position asked for up to `covered_to`.
#[derive(Debug, Clone)]
pub struct Range {
    /// Complete, partial (chat was skipped) or gone (older than retention).
    pub outcome: RepairOutcome,
    /// Chat messages of the range that are not among `messages`.
    pub skipped: u64,
    /// Messages that were found, of all classes, in chain order.
    pub messages: Vec<Arc<Message>>,
    /// Position up to which the range was read; less than asked for when it was cut short.
    pub covered_to: Sequence,
}

/// A message with its position in its partition, for readers of whole partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Position in the partition: a mark for [`Log::read_all`]. It differs from the message's own position
    /// when the room came from another partition.
    pub at: Sequence,
    /// The message, with its position in its room.
    pub message: Arc<Message>,
}

/// How the rooms are spread over partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// Wanted number of partitions.
    pub partitions: u16,
    /// Smallest number that can be set: the number at the first start.
    pub partitions_min: u16,
    /// Greatest number that can be set.
    pub partitions_max: u16,
    /// Number of existing rooms in each partition, also in those that rooms are leaving.
    pub rooms: Vec<usize>,
    /// Number of rooms that are not in their partition yet.
    pub rooms_to_move: usize,
}

/// Publishes messages and reads what is kept of them.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Publishes all drafts, or none, in order and with nothing between them; returns when they
    /// are durable. All drafts belong to one topic: two topics may be stored in two partitions,
    /// and no store writes to both at once.
    async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError>;

    /// Sends sums to the room's subscribers. Sums are not stored, and may be dropped.
    fn pulse(&self, room: &RoomId, pulse: PulseDraft);

    /// Subscribes to a topic. Every message after [`Subscription::start`] arrives, or
    /// [`Event::Lagged`] in its place.
    async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError>;

    /// Reads the messages between `after` and `before`, both excluded; `None` means up to the
    /// newest. A long range is cut short at [`Range::covered_to`].
    async fn range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError>;

    /// Returns the newest position of the topic; zero before the first message.
    async fn last(&self, topic: &Topic) -> Result<Sequence, BusError>;

    /// Returns the number of partitions that may hold messages. It grows when the bus grows, and never
    /// shrinks. Positions of two partitions may be equal.
    fn partitions(&self) -> u16 {
        1
    }

    /// Reads durable messages of all rooms of a partition (from 0, below [`Log::partitions`]) in the order
    /// of the partition, for the archiver. Their `previous` may be zero: it is not looked up. An
    /// empty answer means that there are no more; a short one does not.
    async fn read_all(&self, partition: u16, after: Sequence, limit: usize) -> Result<Vec<Stored>, BusError>;

    /// Returns how the rooms are spread. An engine of one partition does not count its rooms.
    fn spread(&self) -> Spread {
        Spread { partitions: 1, partitions_min: 1, partitions_max: 1, rooms: Vec::new(), rooms_to_move: 0 }
    }

    /// Sets the number of partitions that rooms are to be spread over, between the bounds of [`Spread`].
    /// Returns when the number is durable; rooms move afterwards.
    async fn set_partitions(&self, partitions: u16) -> Result<(), BusError> {
        match partitions {
            1 => Ok(()),
            more => Err(BusError::Unavailable(format!("the embedded log has one partition, not {more}"))),
        }
    }

    /// Moves rooms to their partitions, one at a time, until it is dropped. Several processes may do so at
    /// the same time, and each move is finished by another process when its own dies.
    async fn move_rooms(&self) {
        std::future::pending().await
    }

    /// Returns the newest durable position of a partition, as a value that changes with it.
    fn tail(&self, partition: u16) -> watch::Receiver<Sequence>;

    /// Returns why this process cannot accept or read messages. An engine with servers of its own
    /// answers `Ok` while they are away: the process survives that, and another one could do no
    /// better.
    fn condition(&self) -> Result<(), String> {
        Ok(())
    }
}
