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
    /// Least role that may post gifts with a price and super chats: where they are money, the
    /// payment service alone should hold it. Free gifts need no role. Default: absent, which is
    /// admin; and viewer where the server listens on loopback alone or runs with `--demo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_role_min: Option<Role>,
    /// The gifts that there are, with their prices; a post of any other name or price is
    /// refused. Default: empty, any name will do, and the moderation looks at the names.
    pub gifts: Vec<crate::gift_config::GiftConfig>,
    /// Largest super chat, and largest price times count of a gift, in the smallest unit of the
    /// currency. Default 100000000: a million in a currency of two decimals. A larger one is
    /// refused.
    pub amount_minor_max: u64,
    /// Largest answer of the history and of the tunnel, in bytes. A longer page is cut short and
    /// says where it goes on. Default 262144: what one viewer's queue may hold, too.
    pub answer_bytes_max: usize,
    /// Memory for all such answers that are being read or written, in bytes; beyond, requests
    /// wait for a second and are refused as `overloaded`. Default 33554432: clients that ask
    /// and read nothing cost no more.
    pub answers_bytes_total_max: usize,
    /// Rooms that a broadcast publishes to at the same time. Default 256: enough to share the
    /// log's commits, few enough to leave its queue to posts.
    pub broadcast_rooms_at_once: usize,
    /// A broadcast that takes longer is cut off and says what it reached. Default 60.
    pub broadcast_secs_max: u64,
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
    pub limits: crate::limits_config::LimitsConfig,
}

impl UplinkConfig {
    /// Why the list of gifts makes no sense; `None` when it does.
    #[must_use]
    pub fn gifts_problem(&self) -> Option<crate::LimitsError> {
        crate::gift_config::prices(&self.gifts, self.amount_minor_max).err()
    }
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
            gift_role_min: None,
            gifts: Vec::new(),
            amount_minor_max: 100_000_000,
            answer_bytes_max: 256 * 1024,
            answers_bytes_total_max: 32 * 1024 * 1024,
            broadcast_rooms_at_once: 256,
            broadcast_secs_max: 60,
            guest_secs: 3_600,
            recent_max: 100_000,
            pulse_ms: 1_000,
            pulse_likes: 100,
            audit_days: 90,
            recorder: barrage_recorder::RecorderConfig::default(),
            limits: crate::limits_config::LimitsConfig::default(),
        }
    }
}
