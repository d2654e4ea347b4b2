//! Answers of the entry scheduler and race reports of clients.

use serde::{Deserialize, Serialize};

/// Protocol of a downlink endpoint, in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// WebSocket, the first choice: frames travel in both directions.
    Ws,
    /// Server-sent events over HTTP, for networks that block WebSockets.
    Sse,
    /// Long polling, or short polling with `wait_secs=0`.
    Poll,
}

/// Downlink endpoint that a client may try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Protocol that the server speaks at this endpoint's URL.
    pub transport: Transport,
    /// Full URL of the room at this endpoint, without a token.
    pub url: String,
    /// Name of the gateway behind the endpoint.
    pub gateway: String,
}

/// Plan for a race between the first endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RacePlan {
    /// Number of WebSocket endpoints to race, from the first.
    pub width: u32,
    /// Milliseconds after which a client gives up a racer.
    pub timeout_ms: u64,
    /// Size of `GET /v1/race` in bytes; a racer must receive all of them.
    pub bytes: u64,
}

/// Answer to `GET /v1/entry?room=R`: where the client may connect, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryAnswer {
    /// Downlink endpoints in the order to try: WebSocket first, then fallbacks.
    pub downlinks: Vec<Endpoint>,
    /// Base URLs of uplinks in the order to try.
    pub uplinks: Vec<String>,
    /// Plan for a race between the endpoints.
    pub race: RacePlan,
    /// Ticket of the join queue, present when more viewers join than the fleet admits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<EntryTicket>,
    /// Milliseconds after which a client asks again.
    pub ttl_ms: u64,
    /// First ceiling of the full-jitter backoff for reconnects, in milliseconds.
    pub backoff_base_ms: u64,
    /// Largest ceiling of that backoff, in milliseconds.
    pub backoff_max_ms: u64,
    /// Region of the caller's address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Network carrier of the caller's address, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
}

/// Slot in the join queue: the client waits, then connects once with `?ticket=TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryTicket {
    /// Opaque token for the URL of a WebSocket or an event stream.
    pub token: String,
    /// Milliseconds from the answer to the start of the slot.
    pub wait_ms: u64,
}

/// Body of `POST /v1/entry/race`: times that the client measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaceReport {
    /// Times of the racers, at most 16.
    pub results: Vec<RaceResult>,
}

/// Time of one gateway in a race.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaceResult {
    /// Name of the measured gateway, from [`Endpoint::gateway`].
    pub gateway: String,
    /// Milliseconds until the race resource was complete; absent when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}
