//! The trait that every engine implements, and what goes through it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Message, MessageId, RoomId, Sequence, UserId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::change::{Change, ChangeError, Changed};
use crate::events::EventReceiver;
use crate::registry::{InstanceReport, Registered, Role, of_role};
use crate::settings::Settings;

/// Where a message goes: each topic has a chain of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Everybody in a room.
    Room(RoomId),
    /// Single users; every gateway listens and keeps what is for its own.
    Direct,
}

/// A message before it has a place.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The room that it belongs to.
    pub room: RoomId,
    /// What may be dropped first; never [`Class::Pulse`], which has [`PulseDraft`].
    pub class: Class,
    /// Who sent it.
    pub sender: Option<UserId>,
    /// The sender's id of it.
    pub id: Option<MessageId>,
    /// Hash of what was posted: the same id with another hash is a conflict.
    pub fingerprint: u64,
    /// For one user alone.
    pub to: Option<UserId>,
    /// A JSON object.
    pub body: Bytes,
}

impl Draft {
    /// Where it goes.
    #[must_use]
    pub fn topic(&self) -> Topic {
        if self.to.is_some() { Topic::Direct } else { Topic::Room(self.room.clone()) }
    }
}

/// Sums that travel without a place in the chain; a lost one is no harm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PulseDraft {
    /// Likes.
    pub likes: u64,
    /// Viewers that came in.
    pub entries: u64,
}

/// The topic of all the drafts, if there are any.
pub(crate) fn one_topic(drafts: &[Draft]) -> Result<Option<Topic>, BusError> {
    let Some((first, others)) = drafts.split_first() else { return Ok(None) };
    let topic = first.topic();
    let is_one = others.iter().all(|draft| draft.topic() == topic);
    is_one.then_some(Some(topic)).ok_or(BusError::SeveralTopics)
}

/// What became of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its place, or the place of the first one with its id.
    pub sequence: Sequence,
    /// Unix time of acceptance, in milliseconds; 0 for a duplicate.
    pub at_ms: u64,
    /// Whether the id had been seen before.
    pub duplicate: bool,
}

/// What a subscriber gets.
#[derive(Debug, Clone)]
pub enum Event {
    /// A message, in chain order.
    Message(Arc<Message>),
    /// Sums.
    Pulse(PulseDraft),
    /// Something was missed: read the range after the last one seen.
    Lagged,
}

/// One topic's events. Bounded: a subscriber that falls behind gets
/// [`Event::Lagged`] in place of what it missed.
#[derive(Debug)]
pub struct Subscription {
    /// The chain's position when the subscription began; what came before is read
    /// as a range, what comes after arrives here.
    pub start: Sequence,
    pub(crate) events: EventReceiver,
}

impl Subscription {
    /// The next event; `None` when the bus is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.next().await
    }

    /// An event that has arrived already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.events.try_next()
    }
}

/// How much one range read may return.
#[derive(Debug, Clone, Copy)]
pub struct RangeLimits {
    /// Newest chat messages of the range; older ones are skipped and counted.
    pub chat_max: usize,
    /// Gifts and signals; beyond, the range is cut short and `covered_to` says where.
    pub precious_max: usize,
    /// Bytes of bodies, each with [`RangeLimits::OVERHEAD_BYTES`] more; beyond, the range is
    /// cut short and `covered_to` says where. One message is returned however large it is, so
    /// that a reader always gets on.
    pub bytes_max: usize,
}

impl RangeLimits {
    /// Counted for each message beside its body: position and class, as a frame has them.
    pub const OVERHEAD_BYTES: usize = 64;
}

impl Default for RangeLimits {
    fn default() -> Self {
        RangeLimits { chat_max: 200, precious_max: 1_000, bytes_max: 256 * 1024 }
    }
}

/// Part of a topic's chain.
#[derive(Debug, Clone)]
pub struct Range {
    /// Complete, partial or gone.
    pub outcome: RepairOutcome,
    /// Chat messages of the range that are not here.
    pub skipped: u64,
    /// In chain order.
    pub messages: Vec<Arc<Message>>,
    /// The chain's position after this range.
    pub covered_to: Sequence,
}

/// Why the bus did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The log cannot be written, or the queue before it is full: try again.
    #[error("the message log is not available: {0}")]
    Unavailable(String),
    /// The same sender used this id for another message.
    #[error("this message id was used for another message")]
    Conflict,
    /// One call publishes to one topic.
    #[error("drafts of several topics cannot be published together")]
    SeveralTopics,
    /// More rooms than configured.
    #[error("no room for another {0}")]
    Full(&'static str),
    /// The change does not fit the settings as they are.
    #[error(transparent)]
    Refused(ChangeError),
}

impl BusError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, BusError::Unavailable(_))
    }
}

/// Room topics, settings and registry.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes all drafts in order with nothing between them, or none. They are of one
    /// topic: nothing could store those of several together when these are in several
    /// partitions. Returns when they are durable.
    async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError>;

    /// Hands sums to the room's subscribers; nothing is kept.
    fn pulse(&self, room: &RoomId, pulse: PulseDraft);

    /// Subscribes. Everything after `Subscription::start` arrives, or `Lagged`.
    async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError>;

    /// Reads the range (`after`, `before`) of what is kept for repair; `None`
    /// means up to the newest. A long one may be cut short: `covered_to` says where.
    async fn range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError>;

    /// The topic's newest position; zero before the first message.
    async fn last(&self, topic: &Topic) -> Result<Sequence, BusError>;

    /// Parts that the rooms are spread over. A room stays in one of them; positions of
    /// two may be the same.
    fn partitions(&self) -> u16 {
        1
    }

    /// Durable room messages of all rooms of a partition (from 0, below
    /// [`Bus::partitions`]) in sequence order, for the archiver. Their `previous` may be
    /// zero: what was before in the same room is not looked up. Fewer than `limit` do not
    /// mean that there are no more; none do.
    async fn read_all(
        &self,
        partition: u16,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BusError>;

    /// Changes whenever something newer is durable in a partition.
    fn tail(&self, partition: u16) -> watch::Receiver<Sequence>;

    /// Whether messages can be accepted and read here, and why not. An engine on servers of
    /// its own answers `Ok` while they are away: a process survives that, and another one
    /// could do no better.
    fn condition(&self) -> Result<(), String> {
        Ok(())
    }

    /// Rooms and restrictions, as they are and as they change.
    fn settings(&self) -> watch::Receiver<Arc<Settings>>;

    /// Applies a change to the value as it is, and returns when it is durable and in force
    /// here. Two changes of one value at once, on whatever processes, both take effect.
    async fn change(&self, change: Change) -> Result<Changed, BusError>;

    /// An instance says how it is; silence for 5 s takes it off the list.
    async fn report(&self, report: InstanceReport) -> Result<(), BusError>;

    /// The instances that reported lately.
    fn instances(&self) -> Vec<Registered>;

    /// How long the registry has heard nothing from its servers, once that is longer than 2 s;
    /// `None` while it hears them. While it is `Some`, no instance expires: the last known ones
    /// stay listed, and their age goes on growing.
    fn unheard_for(&self) -> Option<Duration> {
        None
    }

    /// The gateways among them.
    fn gateways(&self) -> Vec<Registered> {
        of_role(self.instances(), Role::Gateway)
    }

    /// The entries among them.
    fn entries(&self) -> Vec<Registered> {
        of_role(self.instances(), Role::Entry)
    }

    /// The uplinks among them.
    fn uplinks(&self) -> Vec<Registered> {
        of_role(self.instances(), Role::Uplink)
    }
}
