use std::sync::Arc;
#[cfg(test)]
use std::time::Duration;

use barrage_http::ConnectionPermit;
use barrage_protocol::code::Refusal;
use barrage_protocol::{ClientFacts, FrameVersion, Message, RoomId, Sequence, UserId};
use barrage_token::Identity;
use bytes::Bytes;

use crate::admission::{Admission, Eviction};
use crate::drain::Drain;
use crate::mail::MailItem;
use crate::room::{Delivery, FanOut};
use crate::socket::{DetachedSocket, Encoding};

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The messages of a room.
    Room(RoomId),
    /// The mail of the token's user, without a room.
    Inbox,
}

impl Destination {
    /// Returns the name for spans: the room's id, or `inbox`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Destination::Room(room) => room.as_str(),
            Destination::Inbox => "inbox",
        }
    }
}

/// Content of a WebSocket handshake that the shard needs for the viewer's join.
#[derive(Debug)]
pub(crate) struct JoinRequest {
    pub(crate) destination: Destination,
    /// Identity by a token in the handshake; without one the join must come as a frame.
    pub(crate) identity: Option<Identity>,
    pub(crate) after: Option<Sequence>,
    pub(crate) encoding: Encoding,
    pub(crate) version: FrameVersion,
    /// Facts of the client in the query; a join frame may state them instead.
    pub(crate) facts: Option<Box<ClientFacts>>,
}

/// Upgraded connection on its way to a shard.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) socket: DetachedSocket,
    pub(crate) permit: ConnectionPermit,
    pub(crate) admission: Admission,
    pub(crate) request: JoinRequest,
    /// Answer to the handshake; empty when it was sent already.
    pub(crate) answer: Bytes,
    /// Bytes that came right behind the handshake.
    pub(crate) leftover: Vec<u8>,
}

/// Order to a shard, sent through the shard's bounded queue.
pub(crate) enum Command {
    /// Take connections over from the runtime that read their handshakes.
    Adopt(Vec<Arrival>),
    /// Send a batch to one wave of its room's viewers.
    Deliver(Delivery, Option<Arc<FanOut>>),
    /// Send a notice to one connection of the user, by its viewer's address.
    Notice { address: usize, user: UserId, message: Arc<Message> },
    /// Give frames of mail to attached viewers.
    Mail(Vec<MailItem>),
    /// Ring all attached viewers, after mail was lost.
    RingAttached,
    /// Close the connections that the eviction concerns.
    Evict(Arc<Eviction>),
    /// Close one connection, by its viewer's address, if the eviction concerns it.
    EvictAt { address: usize, eviction: Arc<Eviction> },
    /// Close one connection, by its viewer's address.
    EvictOne { address: usize, refusal: Refusal },
    /// Send the drain's share of the viewers to other gateways.
    StartDrain(Arc<Drain>),
    /// Cancel the drain; viewers not yet notified stay.
    CancelDrain,
    /// Close all viewers, then end the thread.
    Shutdown,
    /// Stop the thread for a while, as a stopped process does.
    #[cfg(test)]
    Stall(Duration),
    /// End the thread by a panic, as a defect would.
    #[cfg(test)]
    Panic,
}
