//! Settings of a device.

use std::time::Duration;

use barrage_protocol::ClientFacts;
use barrage_protocol::entry::EntryAnswer;

use super::KeptInbox;
use crate::config::own_facts;
use crate::heartbeat::HeartbeatConfig;
use crate::source::SourceConfig;

/// Settings of a device.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// Base URL of entry, such as `http://127.0.0.1:8080`.
    pub entry_url: String,
    /// Token of the user, of any room. A guest has no inbox.
    pub token: String,
    /// What the program has kept of an earlier start; a place of another user is ignored. Default nothing: the first
    /// change is that of a new device.
    pub kept: KeptInbox,
    /// Conversations whose newest items come with an answer, 0 to 50. Default 20.
    pub top: usize,
    /// Newest items of each of them, 0 to 50; `top` times `items` is at most 400. Default 20.
    pub items: usize,
    /// Facts that the client states to gateways; `None` states none. Default this crate's.
    pub facts: Option<ClientFacts>,
    /// Network of the client, and what the client keeps of earlier ones.
    pub heartbeat: HeartbeatConfig,
    /// Embedded list: an answer of `GET /v1/entry/fallback`, built into the program. Default none.
    pub fallback: Option<EntryAnswer>,
    /// Further entries, and the file of the last good answer. Default none of both.
    pub sources: SourceConfig,
    /// Longest connect with handshake and first frame. Default 5 s.
    pub connect_timeout: Duration,
    /// Events that wait for the program. At the bound the device stops reading, and the server turns mail that waits
    /// into one bell. Default 64.
    pub events_max: usize,
}

impl DeviceConfig {
    /// Settings of a new device.
    #[must_use]
    pub fn new(entry_url: impl Into<String>, token: impl Into<String>) -> Self {
        DeviceConfig {
            entry_url: entry_url.into(),
            token: token.into(),
            kept: KeptInbox::default(),
            top: 20,
            items: 20,
            facts: Some(own_facts()),
            heartbeat: HeartbeatConfig::default(),
            fallback: None,
            sources: SourceConfig::default(),
            connect_timeout: Duration::from_secs(5),
            events_max: 64,
        }
    }
}
