//! A message on the bus, as uplinks publish it and gateways receive it.

use bytes::Bytes;

use crate::{Class, MessageId, RoomId, Sequence, TraceContext, UserId};

/// One message on the bus. The body is JSON that the uplink wrote; gateways splice it without parsing
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Room of the message, also of one for a single user.
    pub room: RoomId,
    /// Position of the message; `Sequence::ZERO` for a pulse, which has none.
    pub sequence: Sequence,
    /// Position of the room's previous message; zero for the first one.
    pub previous: Sequence,
    /// Class, by which the gateway drops under load.
    pub class: Class,
    /// Sender; `None` for messages of the platform itself.
    pub sender: Option<UserId>,
    /// Id that the sender chose; with sender and room it makes a post idempotent.
    pub id: Option<MessageId>,
    /// Recipient; `None` for all viewers of the room.
    pub to: Option<UserId>,
    /// Unix time of acceptance in milliseconds, by the clock of the publishing process.
    pub at_ms: u64,
    /// Trace of a sampled message. Boxed: few messages have one.
    pub trace: Option<Box<TraceContext>>,
    /// JSON object that the uplink made; gateways splice it into frames.
    pub body: Bytes,
}
