//! The uplink's limits.

use barrage_token::Role;
use serde::{Deserialize, Serialize};

/// `[uplink]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UplinkConfig {
    /// Name in the registry. Default `uplink-1`.
    pub id: String,
    /// Base URLs that clients reach this uplink by. Default: none, which means the
    /// host that the client asked entry on, with each of the listeners' ports.
    pub base_urls: Vec<String>,
    /// Largest body of a post, in bytes. Default 16384.
    pub post_bytes_max: usize,
    /// Largest body of a package or a tunnel request, in bytes. Default 65536.
    pub package_bytes_max: usize,
    /// A body that takes longer is refused. Default 10.
    pub body_secs: u64,
    /// Longest text in characters as a reader counts them. Default 200.
    pub text_chars_max: usize,
    /// Least role that may post gifts and super chats. Default viewer, which suits a
    /// demo; where gifts are money, the payment service alone should hold the role
    /// named here.
    pub gift_role_min: Role,
    /// How long a guest's token is good. Default 3600.
    pub guest_secs: u64,
    /// Messages that slow mode let pass, and likes, whose ids are remembered so that
    /// their retries are known; beyond, the oldest are forgotten early. Default 100000.
    pub recent_max: usize,
    /// Likes of a room are summed for this long before they travel. Default 1000.
    pub pulse_ms: u64,
    /// So many likes travel at once, before the time is over. Default 100.
    pub pulse_likes: u64,
    /// How long the audit log is kept. Default 90.
    pub audit_days: u32,
    /// What is remembered of each post.
    pub recorder: barrage_recorder::RecorderConfig,
    /// What senders may do.
    pub limits: crate::limit::LimitsConfig,
}

impl Default for UplinkConfig {
    fn default() -> Self {
        UplinkConfig {
            id: "uplink-1".into(),
            base_urls: Vec::new(),
            post_bytes_max: 16 * 1024,
            package_bytes_max: 64 * 1024,
            body_secs: 10,
            text_chars_max: 200,
            gift_role_min: Role::Viewer,
            guest_secs: 3_600,
            recent_max: 100_000,
            pulse_ms: 1_000,
            pulse_likes: 100,
            audit_days: 90,
            recorder: barrage_recorder::RecorderConfig::default(),
            limits: crate::limit::LimitsConfig::default(),
        }
    }
}
