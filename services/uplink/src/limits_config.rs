//! The configuration of the limits that posts meet.

use barrage_flow::RuleError;
use serde::{Deserialize, Serialize};

/// Names of the rules, as the configuration and the metric's label have them.
pub const RULES: [&str; 5] =
    ["address_per_s", "user_per_s", "platform_per_s", "slow_mode", "room_display_chat_per_s"];

/// `[uplink.limits]`: what senders may do. A rate of `n` posts a second admits bursts of
/// `n` times `burst_secs` posts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Posts a second from one address (an IPv6 /64). Default 200: a school or an office behind
    /// one address can chat; a script cannot flood.
    pub address_per_s: u32,
    /// Posts a second by one user, in all rooms. Default 10: a combo of gifts passes.
    pub user_per_s: u32,
    /// Posts a second on one uplink instance, or on all instances together where limits are
    /// counted in Redis. Default 50000: below the log's own capacity, so that senders over the
    /// limit get a refusal and not a timeout.
    pub platform_per_s: u32,
    /// Seconds of each rate that a sender may save up for a burst. Default 3.
    pub burst_secs: u32,
    /// Chat messages a second that a room shows; further ones are `held`. Default 50: about the
    /// number that a person can read.
    pub room_display_chat_per_s: u32,
    /// Rules in shadow mode: a post that such a rule would refuse or hold passes, and is counted
    /// in `barrage_uplink_shadow_total`. Names as here, and `slow_mode`. Default none.
    pub shadow: Vec<String>,
    /// Rooms whose rate is measured. At the bound idle rooms are forgotten; with none idle a new
    /// room is shown whole. Default 20000.
    pub rooms_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            address_per_s: 200,
            user_per_s: 10,
            platform_per_s: 50_000,
            burst_secs: 3,
            room_display_chat_per_s: 50,
            shadow: Vec::new(),
            rooms_max: 20_000,
        }
    }
}

impl LimitsConfig {
    /// Returns the names in `shadow` that are no rules.
    pub fn unknown_shadow_rules(&self) -> impl Iterator<Item = &str> {
        self.shadow.iter().map(String::as_str).filter(|name| !RULES.contains(name))
    }
}

/// Why the limits or the list of gifts cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// A rate of zero, or one beyond its range.
    #[error(transparent)]
    Figures(#[from] RuleError),
    /// `shadow` has a name that is no rule.
    #[error("shadow: there is no rule {0}; there are {rules}", rules = RULES.join(", "))]
    Unknown(String),
    /// The list of gifts contradicts itself or other settings.
    #[error("uplink.gifts: {0}")]
    Gifts(String),
}
