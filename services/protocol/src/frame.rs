//! Frames of the downlink: what a gateway sends, and the few that it takes.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::batch::{LeftOut, Pulse};
use crate::code::Refusal;
use crate::entry::Endpoint;
use crate::{Class, RoomId, Sequence, UserId};

/// Largest frame that a client may send, in bytes; larger ones end the connection.
pub const CLIENT_FRAME_BYTES_MAX: usize = 16 * 1024;

/// Subprotocol of plain JSON in text frames; the default when none is offered.
pub const SUBPROTOCOL_JSON: &str = "barrage.v1.json";
/// Subprotocol of JSON deflated in binary frames (small frames stay text).
pub const SUBPROTOCOL_DEFLATE: &str = "barrage.v1.deflate";
/// Prefix of the subprotocol that carries the token; never echoed.
pub const SUBPROTOCOL_TOKEN_PREFIX: &str = "barrage.token.";

/// Server to client. Read it with [`ServerFrame::parse`]: raw bodies do not pass
/// through serde's buffering of tagged enums.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// First frame after a successful join or switch.
    Hello(Hello),
    /// Messages of the room, in chain order.
    Batch(Batch),
    /// A message for this user alone; acknowledge it with `ack`.
    Notice(Notice),
    /// Request to move to another endpoint, with time and endpoints.
    Reconnect(Reconnect),
    /// A refusal; the connection stays open unless a close frame follows.
    Error(Refusal),
    /// Answer to a client's `ping`.
    Pong(Pong),
}

impl ServerFrame {
    /// Parses one frame's JSON.
    pub fn parse(json: &[u8]) -> Result<ServerFrame, serde_json::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Type {
            Hello,
            Batch,
            Notice,
            Reconnect,
            Error,
            Pong,
        }
        #[derive(Deserialize)]
        struct Tag {
            r#type: Type,
        }
        Ok(match serde_json::from_slice::<Tag>(json)?.r#type {
            Type::Hello => ServerFrame::Hello(serde_json::from_slice(json)?),
            Type::Batch => ServerFrame::Batch(serde_json::from_slice(json)?),
            Type::Notice => ServerFrame::Notice(serde_json::from_slice(json)?),
            Type::Reconnect => ServerFrame::Reconnect(serde_json::from_slice(json)?),
            Type::Error => ServerFrame::Error(serde_json::from_slice(json)?),
            Type::Pong => ServerFrame::Pong(serde_json::from_slice(json)?),
        })
    }
}

/// State of the connection after a join or a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Room that the viewer joined.
    pub room: RoomId,
    /// The user that the token named; absent for an anonymous viewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// This connection's id, for support.
    pub connection: String,
    /// Send a `ping` after this much silence of your own, in milliseconds.
    pub ping_interval_ms: u64,
    /// The room's newest sequence: the chain starts here unless a resume follows.
    pub sequence: Sequence,
    /// Whether a `batch` with `repair` follows at once (the join named a sequence).
    pub resume: bool,
    /// Viewers in the room on this gateway.
    pub online: u64,
}

/// Messages in chain order, covering the range (`previous`, `sequence`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Batch {
    /// Room of all messages in this batch.
    pub room: RoomId,
    /// The chain's position before this batch. Greater than the last position
    /// seen means that something is missing: ask with `repair`.
    pub previous: Sequence,
    /// The chain's position after this batch.
    pub sequence: Sequence,
    /// Messages in chain order.
    pub messages: Vec<BatchMessage>,
    /// Messages of the range that the server dropped under load.
    #[serde(default)]
    pub left_out: LeftOut,
    /// Totals of likes and entries, and the online count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulse: Option<Pulse>,
    /// Set on the answer to a resume or a repair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<RepairAnswer>,
}

/// One message of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchMessage {
    /// Position in the room's chain.
    pub sequence: Sequence,
    /// Class, by which the gateway drops under load.
    pub class: Class,
    /// The body that the uplink made.
    pub body: Box<RawValue>,
}

/// How a range was repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairAnswer {
    /// One of the three answers.
    pub outcome: RepairOutcome,
    /// Chat messages of the range that were skipped.
    pub skipped: u64,
}

/// The three answers of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    /// All messages of the range are present.
    Complete,
    /// All gifts and signals are present; old chat was skipped.
    Partial,
    /// The range starts before the oldest stored message: gifts may be missing.
    Gone,
}

impl RepairOutcome {
    /// Returns the stable name on the wire and in metric labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            RepairOutcome::Complete => "complete",
            RepairOutcome::Partial => "partial",
            RepairOutcome::Gone => "gone",
        }
    }
}

/// A message for one user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    /// Acknowledge this; the same notice may come again until then.
    pub sequence: Sequence,
    /// Body for the client, as JSON.
    pub body: Box<RawValue>,
}

/// The notices of a poll's answer, which stand beside the fields of its batch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PollNotices {
    /// Notices that the user has not acknowledged; absent when there are none.
    #[serde(default)]
    pub notices: Vec<Notice>,
}

/// Request to move to another endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    /// Open the new connection after this many milliseconds, then leave this one.
    pub after_ms: u64,
    /// This connection is closed by then, in milliseconds.
    pub deadline_ms: u64,
    /// Endpoints to move to; when empty, the client asks entry.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// Reason, as a sentence for a person.
    pub message: String,
}

/// Answer to a client's `ping`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Number of the answered ping.
    pub id: u64,
    /// Server's Unix time in milliseconds.
    pub time_ms: u64,
}

/// Client to server. Unknown types and unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientFrame {
    /// First frame of a connection whose handshake carried no token.
    Join {
        /// JWT; absent for an anonymous viewer where that is allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Resume after this position.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Sequence>,
    },
    /// Heartbeat of the client.
    Ping {
        /// Number that the pong repeats.
        #[serde(default)]
        id: u64,
    },
    /// Notices up to these positions have arrived.
    Ack {
        /// At most 64 at once.
        sequences: Vec<Sequence>,
    },
    /// Leave this room for another, on the same connection.
    Switch {
        /// Room to switch to.
        room: RoomId,
        /// Resume there after this position.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Sequence>,
    },
    /// Request for the missing messages of the range (`after`, `before`).
    Repair {
        /// Last position seen before the gap.
        after: Sequence,
        /// First position seen after it.
        before: Sequence,
    },
}
