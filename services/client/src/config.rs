//! Settings of viewers and senders.

use std::time::Duration;

use barrage_protocol::entry::{EntryAnswer, Transport};
use barrage_protocol::facts::{ClientName, ClientVersion, FrameEncoding, Platform};
use barrage_protocol::{ClientFacts, RoomId, WireEncoding};

use crate::chain::HoldLimits;
use crate::heartbeat::HeartbeatConfig;
use crate::ladder::LadderLimits;
use crate::source::SourceConfig;

/// Settings of a viewer.
#[derive(Debug, Clone)]
pub struct ViewerConfig {
    /// Base URL of entry, such as `http://127.0.0.1:8080`.
    pub entry_url: String,
    /// Room to watch, by its id.
    pub room: RoomId,
    /// Token; `None` watches anonymously.
    pub token: Option<String>,
    /// Position to resume after at the first connect.
    pub after: Option<barrage_protocol::Sequence>,
    /// Whether to use the deflated encoding. Default true.
    pub deflate: bool,
    /// Whether to use the encoding `lines`, which has less than half of the bytes of `deflate`; its chats
    /// have no message id. It counts with `deflate` alone. Default false.
    pub lines: bool,
    /// Rungs of the ladder, best first. Default all: WebSocket, event stream, poll.
    pub transports: Vec<Transport>,
    /// When the viewer steps down, and how often it probes a better transport.
    pub ladder: LadderLimits,
    /// Facts that the client states to gateways; `None` states none. Default this crate's, without the
    /// network, which [`ViewerConfig::heartbeat`] has.
    pub facts: Option<ClientFacts>,
    /// Network of the client, and what the client keeps of earlier ones.
    pub heartbeat: HeartbeatConfig,
    /// Whether to race the first endpoints. Default true; a load tester turns it off.
    pub race: bool,
    /// Embedded list: an answer of `GET /v1/entry/fallback`, built into the program. It names further
    /// entries and their addresses, and has endpoints for the time when no entry answers. Default none.
    pub fallback: Option<EntryAnswer>,
    /// Further entries, and the file of the last good answer. Default none of both.
    pub sources: SourceConfig,
    /// Whether to acknowledge sampled messages, for the trace of a message up to this client. WebSocket
    /// only. Default false.
    pub traces: bool,
    /// Whether to attach to the mail of the token's user, which comes as [`crate::Event::Inbox`]. WebSocket only: over
    /// other transports, the caller asks `GET /v1/inbox`. Default false.
    pub inbox: bool,
    /// Longest connect with handshake and hello. Default 5 s.
    pub connect_timeout: Duration,
    /// Events that wait for the caller. At the bound the client stops reading, and counts as a slow viewer
    /// for the server. Default 1024.
    pub events_max: usize,
    /// Limits of the repair of a gap.
    pub hold: HoldLimits,
}

impl ViewerConfig {
    /// Settings of an anonymous viewer with all transports.
    #[must_use]
    pub fn new(entry_url: impl Into<String>, room: RoomId) -> Self {
        ViewerConfig {
            entry_url: entry_url.into(),
            room,
            token: None,
            after: None,
            deflate: true,
            lines: false,
            transports: vec![Transport::Ws, Transport::Sse, Transport::Poll],
            ladder: LadderLimits::default(),
            facts: Some(own_facts()),
            heartbeat: HeartbeatConfig::default(),
            race: true,
            traces: false,
            inbox: false,
            fallback: None,
            sources: SourceConfig::default(),
            connect_timeout: Duration::from_secs(5),
            events_max: 1_024,
            hold: HoldLimits::default(),
        }
    }
}

impl ViewerConfig {
    /// Returns the encodings to offer, the preferred one last.
    pub(crate) fn encodings(&self) -> &'static [WireEncoding] {
        match (self.deflate, self.lines) {
            (false, _) => &[WireEncoding::Json],
            (true, false) => &[WireEncoding::Json, WireEncoding::Deflate],
            (true, true) => &[WireEncoding::Json, WireEncoding::Deflate, WireEncoding::Lines],
        }
    }

    /// Facts to state now; `None` where the program states none.
    pub(crate) fn stated(&self) -> Option<ClientFacts> {
        let facts = self.facts.clone()?;
        let of = |encoding: &WireEncoding| match encoding {
            WireEncoding::Json => FrameEncoding::Json,
            WireEncoding::Deflate => FrameEncoding::Deflate,
            WireEncoding::Lines => FrameEncoding::Lines,
        };
        let encodings = self.encodings().iter().map(of).collect();
        Some(ClientFacts { network: self.heartbeat.network.network_type, encodings, ..facts })
    }

    /// Whether the client states that it is an overlay.
    pub(crate) fn is_overlay(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.platform == Platform::Overlay)
    }

    /// Facts as JSON, for the query of streams and polls.
    pub(crate) fn stated_json(&self) -> Option<String> {
        self.stated().map(|facts| serde_json::to_string(&facts).expect("facts are plain data"))
    }
}

/// Facts of a program that uses this crate and names nothing else.
pub(crate) fn own_facts() -> ClientFacts {
    ClientFacts {
        name: ClientName::parse("barrage-client"),
        version: ClientVersion::parse(env!("CARGO_PKG_VERSION")),
        platform: Platform::parse(std::env::consts::OS),
        ..ClientFacts::default()
    }
}

/// Settings of a sender.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// Base URLs of uplinks, tried in turn; not used with `entry_url`.
    pub uplinks: Vec<String>,
    /// Base URL of entry, which names the uplinks. Default: none.
    pub entry_url: Option<String>,
    /// Embedded list: an answer of `GET /v1/entry/fallback`; used with `entry_url`. Default none.
    pub fallback: Option<EntryAnswer>,
    /// Further entries, and the file of the last good answer; used with `entry_url`. Default none of both.
    pub sources: SourceConfig,
    /// Token (JWT) of the sender.
    pub token: String,
    /// Longest send with retries. Default 10 s.
    pub deadline: Duration,
    /// Longest attempt. Default 3 s.
    pub attempt_timeout: Duration,
    /// How long posts stay in the tunnel before an ordinary request is tried again.
    pub ladder: LadderLimits,
}

impl SenderConfig {
    /// Settings of a sender to the uplinks that entry names.
    #[must_use]
    pub fn through_entry(entry_url: impl Into<String>, token: impl Into<String>) -> Self {
        SenderConfig {
            uplinks: Vec::new(),
            entry_url: Some(entry_url.into()),
            ..SenderConfig::new("", token)
        }
    }

    /// Settings of a sender to one uplink.
    #[must_use]
    pub fn new(uplink: impl Into<String>, token: impl Into<String>) -> Self {
        SenderConfig {
            uplinks: vec![uplink.into()],
            entry_url: None,
            fallback: None,
            sources: SourceConfig::default(),
            token: token.into(),
            deadline: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(3),
            ladder: LadderLimits::default(),
        }
    }
}
