//! Answers of the entry scheduler and race reports of clients.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Protocol of a downlink endpoint, in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// Protocol that the server speaks at this endpoint's URL.
    pub transport: Transport,
    /// Full URL of the room at this endpoint, without a token.
    pub url: String,
    /// Name of the gateway behind the endpoint.
    pub gateway: String,
}

/// Plan for a race between the first endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RacePlan {
    /// Number of WebSocket endpoints to race, from the first.
    pub width: u32,
    /// Milliseconds after which a client gives up a racer.
    pub timeout_ms: u64,
    /// Size of `GET /v1/race` in bytes; a racer must receive all of them.
    pub bytes: u64,
}

/// Answer to `GET /v1/entry?room=R`: where the client may connect, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// IP addresses of host names in the URLs of this answer. A client connects to an address, and
    /// keeps the URL's name for the `Host` header, for SNI and for the check of the certificate.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<String, Vec<IpAddr>>,
    /// Base URLs of all entries, for a client whose entry does not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<String>,
    /// Where the client uploads and reads media; absent where the fleet has no media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaPlan>,
    /// Unix time of the answer by the clock of entry, in milliseconds: the age of a kept answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_ms: Option<u64>,
}

/// Where a client uploads and reads media, and in which pieces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaPlan {
    /// Base URLs of media hosts in the order to try, one at least. An upload stays on the host that began it; an
    /// address in a message is on each of them.
    pub hosts: Vec<String>,
    /// Bytes of one request of an upload: 256 KiB, 1 MiB or 2 MiB, by carrier and network of the client.
    pub piece_bytes: u64,
}

/// Answer to `GET /v1/entry/probe`: every gateway and uplink of the fleet, for a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeTargets {
    /// Gateways that report to the registry, those that drain included.
    pub gateways: Vec<ProbeGateway>,
    /// Base URLs of uplinks that do not drain.
    pub uplinks: Vec<String>,
}

/// A gateway as a probe reaches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeGateway {
    /// Id of the gateway, unique in the fleet.
    pub id: String,
    /// URL of the probes' room at this gateway, for a WebSocket.
    pub url: String,
    /// Whether the gateway drains. It refuses joins then, and soon leaves.
    pub draining: bool,
}

/// Slot in the join queue: the client waits, then connects once with `?ticket=TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryTicket {
    /// Opaque token for the URL of a WebSocket or an event stream.
    pub token: String,
    /// Milliseconds from the answer to the start of the slot.
    pub wait_ms: u64,
}

/// Body of `POST /v1/entry/race`: times that the client measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RaceReport {
    /// Times of gateways; with those of uplinks at most 16.
    #[serde(default)]
    pub results: Vec<RaceResult>,
    /// Times of uplinks, each by its base URL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uplinks: Vec<UplinkRaceResult>,
}

/// Time of one gateway in a race.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RaceResult {
    /// Name of the measured gateway, from [`Endpoint::gateway`].
    pub gateway: String,
    /// Milliseconds until the race resource was complete; absent when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

/// Time of one uplink in a race.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UplinkRaceResult {
    /// Base URL of the measured uplink, from [`EntryAnswer::uplinks`].
    pub url: String,
    /// Milliseconds until the race resource was complete; absent when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}
