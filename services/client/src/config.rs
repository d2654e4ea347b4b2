//! How a client behaves.

use std::time::Duration;

use barrage_protocol::RoomId;
use barrage_protocol::entry::{EntryAnswer, Transport};

use crate::chain::HoldLimits;

/// A viewer's settings.
#[derive(Debug, Clone)]
pub struct ViewerConfig {
    /// Base URL of entry, such as `http://127.0.0.1:8080`.
    pub entry_url: String,
    /// The room.
    pub room: RoomId,
    /// JWT; `None` watches anonymously.
    pub token: Option<String>,
    /// Resume after this position at the first connect.
    pub after: Option<barrage_protocol::Sequence>,
    /// Ask for the deflated encoding. Default true.
    pub deflate: bool,
    /// Transports to try, in this order. Default all: WebSocket, event stream, poll.
    pub transports: Vec<Transport>,
    /// Race the first endpoints. Default true; a load tester switches it off.
    pub race: bool,
    /// Used when entry cannot be asked. Default none.
    pub fallback: Option<EntryAnswer>,
    /// For one connect, handshake and hello included. Default 5 s.
    pub connect_timeout: Duration,
    /// Events waiting for the caller; at the bound the client stops reading, and the
    /// server sees a slow viewer. Default 1024.
    pub events_max: usize,
    /// How long and how much is held while a gap is mended.
    pub hold: HoldLimits,
}

impl ViewerConfig {
    /// Anonymous, all transports.
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

/// A sender's settings.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// Base URLs of uplinks, tried in turn; not used where `entry_url` is given.
    pub uplinks: Vec<String>,
    /// Base URL of entry, which names the uplinks. Default: none.
    pub entry_url: Option<String>,
    /// JWT.
    pub token: String,
    /// For one send, retries included. Default 10 s: a gift is shown within that.
    pub deadline: Duration,
    /// For one attempt. Default 3 s.
    pub attempt_timeout: Duration,
}

impl SenderConfig {
    /// The uplinks that entry names.
    #[must_use]
    pub fn through_entry(entry_url: impl Into<String>, token: impl Into<String>) -> Self {
        SenderConfig {
            uplinks: Vec::new(),
            entry_url: Some(entry_url.into()),
            ..SenderConfig::new("", token)
        }
    }

    /// One uplink.
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
