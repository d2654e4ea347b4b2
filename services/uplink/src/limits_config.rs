//! The configuration of the limits that posts meet.

use barrage_flow::RuleError;

/// Names of the rules, as the configuration and the metric's label have them.
pub const RULES: [&str; 5] =
    ["address_per_s", "user_per_s", "platform_per_s", "slow_mode", "room_display_chat_per_s"];

barrage_part::part! {
    /// Limits of senders. A rate of `n` posts a second admits bursts of `n` times `burst_secs` posts.
    @[derive(Eq)]
    pub struct LimitsConfig {
        /// Posts a second from one address (an IPv6 /64). A school or an office behind one address can
        /// chat; a script cannot flood.
        address_per_s: u32 = 200, between(1, 100_000_000);
        /// Posts a second by one user, in all rooms. A combo of gifts passes.
        user_per_s: u32 = 10, between(1, 100_000_000);
        /// Posts a second on one uplink instance, or on all instances together where limits are counted
        /// in Redis. Below the capacity of the log, so that senders over the limit get a refusal and
        /// not a timeout.
        platform_per_s: u32 = 50_000, between(1, 100_000_000);
        /// Seconds of each rate that a sender may save up for a burst.
        burst_secs: u32 = 3, between(1, 3_600);
        /// Chat messages a second that a room shows; further ones are `held`. About the number that a
        /// person can read.
        room_display_chat_per_s: u32 = 50, between(1, 100_000_000);
        /// Rules in shadow mode: a post that such a rule would refuse or hold passes, and is counted in
        /// `barrage_uplink_shadow_total`. Names of the keys above, and `slow_mode`.
        shadow: Vec<String> = Vec::new();
        /// Rooms whose rate is measured. At the bound idle rooms are forgotten; without an idle room, a
        /// new room shows all chat.
        rooms_max: usize = 20_000, between(1, 10_000_000);
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
    /// The list of reactions is too long, or has a name that is none.
    #[error("uplink.reactions: {0}")]
    Reactions(String),
    /// The tiers of super chats contradict themselves, or have a number beyond its range.
    #[error("uplink.super_chats: {0}")]
    SuperChats(String),
    /// The list of gifts contradicts itself or other settings.
    #[error("uplink.gifts: {0}")]
    Gifts(String),
    /// The list of senders of events contradicts itself.
    #[error("uplink.event_senders: {0}")]
    EventSenders(String),
}
