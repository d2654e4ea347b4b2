//! A message as the bus carries it.

use bytes::Bytes;

use crate::{Class, MessageId, RoomId, Sequence, UserId};

/// One message on the bus. The body is JSON that the uplink made; the gateway
/// splices it and never looks inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The room that it belongs to.
    pub room: RoomId,
    /// Its position; `Sequence::ZERO` for a pulse, which has none.
    pub sequence: Sequence,
    /// The position of the room's message before it, zero when nothing older exists.
    pub previous: Sequence,
    /// Class, by which the gateway drops under load.
    pub class: Class,
    /// Sender; `None` for the platform itself.
    pub sender: Option<UserId>,
    /// The sender's id of it; with sender and room it makes a send idempotent.
    pub id: Option<MessageId>,
    /// For one user alone; `None` is the whole room.
    pub to: Option<UserId>,
    /// Unix time of acceptance, in milliseconds.
    pub at_ms: u64,
    /// JSON object that the uplink made.
    pub body: Bytes,
}
