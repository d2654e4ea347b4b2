//! What the entry scheduler answers, and what a client reports back.

use serde::{Deserialize, Serialize};

/// How a downlink endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// WebSocket.
    Ws,
    /// Server-sent events.
    Sse,
    /// Long polling, and short polling with `wait_secs=0`.
    Poll,
}

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// How.
    pub transport: Transport,
    /// Full URL of the room's resource there, without a token.
    pub url: String,
    /// Which gateway it belongs to.
    pub gateway: String,
}

/// How to race the first endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RacePlan {
    /// Race this many of the first WebSocket endpoints.
    pub width: u32,
    /// Give up a racer after this many milliseconds.
    pub timeout_ms: u64,
    /// Size of `GET /v1/race`, in bytes.
    pub bytes: u64,
}

/// Answer to `GET /v1/entry?room=R`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryAnswer {
    /// Downlink endpoints in the order to try: WebSocket first, then fallbacks.
    pub downlinks: Vec<Endpoint>,
    /// Base URLs of uplinks, in the order to try.
    pub uplinks: Vec<String>,
    /// How to race.
    pub race: RacePlan,
    /// When more want in than the fleet admits: when to connect, and with what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<EntryTicket>,
    /// Ask again after this many milliseconds.
    pub ttl_ms: u64,
    /// Full-jitter backoff for reconnects: first ceiling, in milliseconds.
    pub backoff_base_ms: u64,
    /// Largest ceiling, in milliseconds.
    pub backoff_max_ms: u64,
    /// Region and carrier that the caller's address was found in, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Carrier, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
}

/// A place in the queue: wait, then connect with `?ticket=TOKEN`, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryTicket {
    /// Opaque; goes into the URL of a WebSocket or an event stream.
    pub token: String,
    /// Its moment, in milliseconds from the answer.
    pub wait_ms: u64,
}

/// `POST /v1/entry/race`: what the client measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaceReport {
    /// The racers, at most 16.
    pub results: Vec<RaceResult>,
}

/// One racer's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaceResult {
    /// Which gateway.
    pub gateway: String,
    /// Time to the whole race resource, in milliseconds; absent when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}
