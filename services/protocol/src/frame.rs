//! Frames of the downlink: those that a gateway sends, and those that it accepts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::batch::{LeftOut, Pulse};
use crate::code::Refusal;
use crate::entry::Endpoint;
use crate::facts::ClientFacts;
use crate::mail::{Attached, Bell, Mail};
use crate::state::RoomState;
use crate::{Class, RoomId, Sequence, TraceId, UserId};

/// Largest frame of a client in bytes; a larger one ends the connection.
pub const CLIENT_FRAME_BYTES_MAX: usize = 16 * 1024;

/// Longest time in milliseconds for which a client of version 1.1 sends nothing while the server sends; its
/// interval with [`PONG_WAIT_MS`] where that is longer.
pub const QUIET_MS_MAX: u64 = 120_000;
/// Longest wait of a client for a pong while nothing arrives, in milliseconds.
pub const PONG_WAIT_MS: u64 = 8_000;

/// Subprotocol of plain JSON in text frames; the default when a client offers none.
pub const SUBPROTOCOL_JSON: &str = "barrage.v1.json";
/// Subprotocol of JSON deflated in binary frames (small frames stay text frames).
pub const SUBPROTOCOL_DEFLATE: &str = "barrage.v1.deflate";
/// Prefix of the subprotocol that carries the token; never echoed.
pub const SUBPROTOCOL_TOKEN_PREFIX: &str = "barrage.token.";

/// A frame from server to client. Parse it with [`ServerFrame::parse`]: raw bodies cannot pass
/// through serde's buffering of tagged enums.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// First frame after a successful join or switch.
    Hello(Hello),
    /// Messages of the room, in chain order.
    Batch(Batch),
    /// A message for this user alone; the client acknowledges it with `ack`.
    Notice(Notice),
    /// Request to move to another endpoint, with time and endpoints.
    Reconnect(Reconnect),
    /// A refusal; the connection stays open unless a close frame follows.
    Error(Refusal),
    /// Answer to a client's `ping`, with the server's time.
    Pong(Pong),
    /// A position with a sampled message, for clients that asked by `traces`.
    Traced(Traced),
    /// Answer to a client's `attach`.
    Attached(Attached),
    /// Changes of the inbox, for clients that are attached.
    Mail(Mail),
    /// The inbox has changed, for clients that are attached.
    Bell(Bell),
}

impl ServerFrame {
    /// Parses the JSON of one frame; fails when the type is unknown.
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
            Traced,
            Attached,
            Mail,
            Bell,
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
            Type::Traced => ServerFrame::Traced(serde_json::from_slice(json)?),
            Type::Attached => ServerFrame::Attached(serde_json::from_slice(json)?),
            Type::Mail => ServerFrame::Mail(serde_json::from_slice(json)?),
            Type::Bell => ServerFrame::Bell(serde_json::from_slice(json)?),
        })
    }
}

/// State of the connection after a join or a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Room that the viewer joined; after a switch, the new one.
    pub room: RoomId,
    /// User of the token; absent for an anonymous viewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Id of the connection, for support requests.
    pub connection: String,
    /// Milliseconds after which an idle client sends a `ping`; where a client starts its search in version
    /// 1.1.
    pub ping_interval_ms: u64,
    /// Longest interval in milliseconds that a client may find out; absent where the interval is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_interval_ms_max: Option<u64>,
    /// Newest sequence of the room: the chain starts here unless a resume follows.
    pub sequence: Sequence,
    /// A `batch` with `repair` follows at once, because the join named a sequence.
    pub resume: bool,
    /// Viewers of the room on this gateway.
    pub online: u64,
    /// The server takes [`ClientFrame::Visibility`]; absent when false. Servers of earlier releases do not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub visibility: bool,
    /// State of the room, at `sequence` or newer. Servers of earlier releases send none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<RoomState>>,
}

/// Messages in chain order over the range (`previous`, `sequence`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Batch {
    /// Room of all messages in this batch.
    pub room: RoomId,
    /// Position of the chain before this batch. When it is greater than the last position that a
    /// client has, messages are missing: the client asks with `repair`.
    pub previous: Sequence,
    /// Position of the chain after this batch.
    pub sequence: Sequence,
    /// Messages in chain order; there may be none.
    pub messages: Vec<BatchMessage>,
    /// Messages of the range that the server dropped under load; absent in a repair.
    #[serde(default)]
    #[schemars(skip_serializing_if = "LeftOut::is_zero")]
    pub left_out: LeftOut,
    /// Totals of likes and entries, and the online count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulse: Option<Pulse>,
    /// Outcome of a resume or a repair; absent on other batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<RepairAnswer>,
    /// State of the room, at `sequence` or newer: in a poll's answer without `after`, and beside the
    /// repair outcome `gone`, after which signals may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<RoomState>>,
}

/// One message of a batch; its body stays unparsed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BatchMessage {
    /// Position in the room's chain, by which a client resumes and finds gaps.
    pub sequence: Sequence,
    /// Class, by which the gateway drops under load.
    pub class: Class,
    /// Body that the uplink wrote, as raw JSON.
    #[schemars(with = "serde_json::Value")]
    pub body: Box<RawValue>,
}

/// Result of a resume or a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepairAnswer {
    /// Completeness of the range: whether chat, or even gifts, may be missing.
    pub outcome: RepairOutcome,
    /// Chat messages of the range that were skipped.
    pub skipped: u64,
}

/// Completeness of a repaired range: what the client may still lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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

/// A message for one user, sent again until the client acknowledges it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Position to acknowledge; the same notice may be sent again until then.
    pub sequence: Sequence,
    /// Body for the client, as raw JSON that the uplink wrote.
    #[schemars(with = "serde_json::Value")]
    pub body: Box<RawValue>,
}

/// Notices in the answer to a poll, beside the fields of its batch.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct PollNotices {
    /// Notices that the user has not acknowledged; absent when there are none.
    #[serde(default)]
    pub notices: Vec<Notice>,
}

/// Request to move to another endpoint, sent before the server closes the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    /// Milliseconds until the client opens the new connection; then it leaves this one.
    pub after_ms: u64,
    /// Milliseconds until the server closes this connection.
    pub deadline_ms: u64,
    /// Endpoints to move to; when empty, the client asks entry.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// Reason, as a sentence for a person.
    pub message: String,
}

/// Answer to a client's `ping`: its number, and the server's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Number of the answered ping; 0 when the ping had none.
    pub id: u64,
    /// Unix time of the server in milliseconds.
    pub time_ms: u64,
    /// New value of the hello's `ping_interval_ms`; absent when unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_interval_ms: Option<u64>,
    /// New value of the hello's `ping_interval_ms_max`, present with `ping_interval_ms` alone. Absent
    /// beside it, the interval is fixed from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_interval_ms_max: Option<u64>,
}

/// A position of the chain up to which a sampled message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traced {
    /// Position that the client acknowledges by `traced` once it has all messages up to it.
    pub sequence: Sequence,
    /// Trace of the sampled message.
    pub trace: TraceId,
}

/// A frame from client to server. Unknown types and unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientFrame {
    /// First frame of a connection whose handshake carried no token.
    Join {
        /// Token (JWT); absent for an anonymous viewer where that is allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Position after which to resume; without it the chain starts at the newest message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Sequence>,
        /// Facts of the client. Servers of version 1.0 refuse a join with them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Box<ClientFacts>>,
    },
    /// Heartbeat of the client, due after `ping_interval_ms` of idling.
    Ping {
        /// Number that the pong repeats; 0 when absent.
        #[serde(default)]
        id: u64,
    },
    /// Notices up to these positions have arrived.
    Ack {
        /// Positions of notices, at most 64 in one frame.
        sequences: Vec<Sequence>,
    },
    /// Leaves this room for another one on the same connection.
    Switch {
        /// Room to switch to; a refusal leaves the viewer in the current one.
        room: RoomId,
        /// Position in that room after which to resume.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Sequence>,
    },
    /// Request for the missing messages of the range (`after`, `before`).
    Repair {
        /// Last position before the gap, itself not requested.
        after: Sequence,
        /// First position after the gap, itself not requested.
        before: Sequence,
    },
    /// Whether the user sees what arrives. While hidden, batches count chat instead of carrying it. Sent only to
    /// a server whose hello has [`Hello::visibility`].
    Visibility {
        /// Chat is counted from now on; false asks for chat again.
        hidden: bool,
    },
    /// Asks for `traced` frames behind batches with sampled messages.
    Traces {},
    /// Everything up to the position of a `traced` frame has arrived.
    Traced {
        /// Position of the `traced` frame.
        sequence: Sequence,
    },
    /// Asks for the mail of the token's user on this connection. A guest has none.
    Attach {
        /// Device that is registered for notifications. While its page is in front, it gets none. Sent again when that
        /// changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
        /// Whether the page or app is in front. Absent, it is not.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        visible: bool,
    },
    /// Ends the mail on this connection.
    Detach {},
}
