//! Settings of viewers and senders.

use std::time::Duration;

use barrage_protocol::RoomId;
use barrage_protocol::entry::{EntryAnswer, Transport};

use crate::chain::HoldLimits;

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
    /// Transports to try, in this order. Default all: WebSocket, event stream, poll.
    pub transports: Vec<Transport>,
    /// Whether to race the first endpoints. Default true; a load tester turns it off.
    pub race: bool,
    /// Answer to use when entry does not answer. Default none.
    pub fallback: Option<EntryAnswer>,
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
            transports: vec![Transport::Ws, Transport::Sse, Transport::Poll],
            race: true,
            fallback: None,
            connect_timeout: Duration::from_secs(5),
            events_max: 1_024,
            hold: HoldLimits::default(),
        }
    }
}

/// Settings of a sender.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// Base URLs of uplinks, tried in turn; not used with `entry_url`.
    pub uplinks: Vec<String>,
    /// Base URL of entry, which names the uplinks. Default: none.
    pub entry_url: Option<String>,
    /// Token (JWT) of the sender.
    pub token: String,
    /// Longest send with retries. Default 10 s.
    pub deadline: Duration,
    /// Longest attempt. Default 3 s.
    pub attempt_timeout: Duration,
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
            token: token.into(),
            deadline: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(3),
        }
    }
}
